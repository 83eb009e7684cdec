"""Cloud side: agent sessions, dispatch, enrolment, admission (smart lockout), and the one door to a credential check.

What belongs here: everything between "somebody typed a password" and "an agent answered". What does not: pages
(signin), what applications speak (federation), how things are kept (store).
"""
