"""LDAP servers other than Active Directory as a source: OpenLDAP, 389 Directory Server.

What belongs here: whether content synchronisation (RFC 4533) is used or everything is compared, what object classes mean,
members by name, and the preflight. What does not: LDAP (`directory.changes`), and to whom a name leads, which the state
knows.
"""

from sync.source.ldap.source import LdapSource

__all__ = ["LdapSource"]
