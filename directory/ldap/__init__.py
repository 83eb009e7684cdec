"""LDAP as one directory speaks it: bytes, connections, domain controllers and whether they are up.

What belongs here: the codec, TLS and trust, connections and their pools, where the servers are, the account that searches,
Active Directory's notations and sub-codes. What does not: whose password is checked and how, and who somebody is.
"""
