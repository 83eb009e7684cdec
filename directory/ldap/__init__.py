"""LDAP as one directory speaks it: bytes, connections, domain controllers and whether they are up.

What belongs here: the codec, TLS and trust, connections and their pools, where the servers are, the account that searches,
Active Directory's notations and sub-codes. What does not: whose password is checked and how, and who somebody is.
"""

from directory.ldap.availability import Availability
from directory.ldap.codec import CodecError, Entry, LdapResult
from directory.ldap.connection import Address, LdapConnection, parse_server
from directory.ldap.controller import Controller, is_server_fault
from directory.ldap.controllers import Controllers
from directory.ldap.discovery import ServerList, check_servers, resolve_servers
from directory.ldap.filters import UserFilter, read_filter, user_filter
from directory.ldap.naming_contexts import domain_root
from directory.ldap.service_login import ServiceLogin
from directory.ldap.stream import AnswerStream, SearchAnswer, StreamLimits
from directory.ldap.tls import make_context, normalise_fingerprint
from directory.ldap.values import format_sid, from_generalized_time
from directory.ldap.watch import watch

__all__ = [
    "Address",
    "AnswerStream",
    "Availability",
    "CodecError",
    "Controller",
    "Controllers",
    "Entry",
    "LdapConnection",
    "LdapResult",
    "SearchAnswer",
    "ServerList",
    "ServiceLogin",
    "StreamLimits",
    "UserFilter",
    "check_servers",
    "domain_root",
    "format_sid",
    "from_generalized_time",
    "is_server_fault",
    "make_context",
    "normalise_fingerprint",
    "parse_server",
    "read_filter",
    "resolve_servers",
    "user_filter",
    "watch",
]
