"""Who somebody is: the name that was typed, the account that answers to it, its groups, the identity made of them.

What belongs here: reading people and groups. What does not: their passwords (`credentials`), how a server is talked to
(`ldap`).
"""
