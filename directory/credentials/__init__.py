"""The check of a credential: from the name and password that somebody typed to what the directory says of them.

What belongs here: the lockout guard and its reservations, lockout policies, what an answer to a bind means, and changing or
resetting a password. What does not: how an account is found and described (`people`), how a server is talked to (`ldap`).
"""
