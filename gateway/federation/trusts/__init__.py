"""Which applications sign people in here: the model, its reading, the copy in memory.

What belongs here: what a trust says, where it comes from, whether a person may use it. What does not: protocols.
"""

from gateway.federation.trusts.access import AccessRefusal, check_access
from gateway.federation.trusts.acts import TrustActs
from gateway.federation.trusts.addresses import application_url, is_loopback
from gateway.federation.trusts.consistency import MOST_SECRETS, NAME_ID_FORMATS
from gateway.federation.trusts.errors import UnknownTrust
from gateway.federation.trusts.folder import TrustFolder, file_problems
from gateway.federation.trusts.lifetimes import effective_lifetimes
from gateway.federation.trusts.model import (
    AssertionConsumer,
    ClientSecret,
    KeyNotice,
    Lifetimes,
    OidcClient,
    SamlParty,
    Trust,
    TrustAccess,
)
from gateway.federation.trusts.orders import trust_orders
from gateway.federation.trusts.reader import read_trust, write_trust
from gateway.federation.trusts.registry import TrustRegistry
from gateway.federation.trusts.secrets import make_secret, matching_secret
from gateway.federation.trusts.views import TrustChangeView, TrustView

__all__ = [
    "MOST_SECRETS",
    "NAME_ID_FORMATS",
    "AccessRefusal",
    "AssertionConsumer",
    "ClientSecret",
    "KeyNotice",
    "Lifetimes",
    "OidcClient",
    "SamlParty",
    "Trust",
    "TrustAccess",
    "TrustActs",
    "TrustChangeView",
    "TrustFolder",
    "TrustRegistry",
    "TrustView",
    "UnknownTrust",
    "application_url",
    "check_access",
    "effective_lifetimes",
    "file_problems",
    "is_loopback",
    "make_secret",
    "matching_secret",
    "read_trust",
    "trust_orders",
    "write_trust",
]
