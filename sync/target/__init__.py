"""Targets of synchronisation: where accounts are written, found again, and read for comparison.

What belongs here: the port, what is common to every target, and one package or module for each kind. What does not: what is
written (`sync.rules`, `sync.plan`), when, and whether it is tried again.
"""

from sync.target.confirmation import confirm
from sync.target.errors import CredentialsRefused, TargetError, TargetUnavailable, UnusableAnswer
from sync.target.null import NULL_PROFILE, DiscardingTarget, NullTarget, WriteFault
from sync.target.port import ANCHOR, Accounts, FindResult, Profile, RemoteAccount, Target

__all__ = [
    "ANCHOR",
    "NULL_PROFILE",
    "Accounts",
    "CredentialsRefused",
    "DiscardingTarget",
    "FindResult",
    "NullTarget",
    "Profile",
    "RemoteAccount",
    "Target",
    "TargetError",
    "TargetUnavailable",
    "UnusableAnswer",
    "WriteFault",
    "confirm",
]
