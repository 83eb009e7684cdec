"""Active Directory as a source: the domains of one forest, read by DirSync.

What belongs here: what Active Directory's records mean (kinds, names, links, primary groups, tombstones), how the domains
of a forest make one reading, what a restored object has to be asked for, and the preflight. What does not: LDAP
(`directory.changes`), and what follows from a change for other objects, which the state works out.
"""

from sync.source.ad.records import PRIMARY_GROUP
from sync.source.ad.source import AdSource

__all__ = ["PRIMARY_GROUP", "AdSource"]
