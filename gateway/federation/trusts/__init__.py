"""Which applications sign people in here: the model, its reading, the copy in memory.

What belongs here: what a trust says, where it comes from, whether a person may use it. What does not: protocols.
"""

from gateway.federation.trusts.access import AccessRefusal, check_access
from gateway.federation.trusts.lifetimes import effective_lifetimes
from gateway.federation.trusts.model import (
    AssertionConsumer,
    ClientSecret,
    Lifetimes,
    OidcClient,
    SamlParty,
    Trust,
    TrustAccess,
)
from gateway.federation.trusts.reader import read_trust, write_trust
from gateway.federation.trusts.registry import TrustRegistry

__all__ = [
    "AccessRefusal",
    "AssertionConsumer",
    "ClientSecret",
    "Lifetimes",
    "OidcClient",
    "SamlParty",
    "Trust",
    "TrustAccess",
    "TrustRegistry",
    "check_access",
    "effective_lifetimes",
    "read_trust",
    "write_trust",
]
