"""Who somebody is: the name that was typed, the account that answers to it, its groups, the identity made of them.

What belongs here: reading people and groups. What does not: their passwords (`credentials`), how a server is talked to
(`ldap`).
"""

from directory.people.accounts import Account, Accounts
from directory.people.finder import AccountFinder
from directory.people.lookup import AccountLookup
from directory.people.names import LoginName, parse_name
from directory.people.person_lookup import MayTell, PersonLookup

__all__ = ["Account", "AccountFinder", "AccountLookup", "Accounts", "LoginName", "MayTell", "PersonLookup", "parse_name"]
