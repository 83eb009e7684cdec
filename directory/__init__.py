"""Everything that is said to a directory over LDAP: connections, binds, searches, DC health."""
