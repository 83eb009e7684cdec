"""SAML 2.0 identity provider: requests that were verified before they are read, responses that are signed in process.

    bindings      from a browser's request to a message whose sender is known
    checks        what a request has to be: pure
    parties       what is known of a party: its trust, and its own metadata
    party_metadata          fetched on schedule, from the addresses that trusts name
    metadata_import         by an administrator, into a trust
    encrypted_names         names that a party has encrypted for us
    responses documents     what a party is told; pysaml2's object model
    seen_messages           what is taken, or answered, once
    pending_sign_on         a request while the person is at a page of ours
    logout/       single logout: the parties of a session are told of its end
    endpoints/    the addresses
    provider context

What belongs here: the endpoints and the checks of the protocol. What does not: XML signatures (foundation.saml).
"""

from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.errors import PartyRefused, SamlRefusal, StatusRefused
from gateway.federation.saml.logout.chains import LogoutChains
from gateway.federation.saml.logout.soap import SoapLogout
from gateway.federation.saml.metadata_import import MetadataImport, MetadataSource, import_metadata
from gateway.federation.saml.parties import LogoutEndpoint, Parties, Party, party_of
from gateway.federation.saml.party_metadata import LARGEST as LARGEST_METADATA
from gateway.federation.saml.party_metadata import (
    MetadataRefresh,
    MetadataRefused,
    MetadataView,
    NoMetadataAddress,
    interval,
    metadata_orders,
)
from gateway.federation.saml.provider import SamlProvider
from gateway.federation.saml.sample import verify_sample_response

__all__ = [
    "LARGEST_METADATA",
    "LogoutChains",
    "LogoutEndpoint",
    "MetadataImport",
    "MetadataRefresh",
    "MetadataRefused",
    "MetadataSource",
    "MetadataView",
    "NoMetadataAddress",
    "Parties",
    "Party",
    "PartyRefused",
    "SamlContext",
    "SamlProvider",
    "SamlRefusal",
    "SoapLogout",
    "StatusRefused",
    "import_metadata",
    "interval",
    "metadata_orders",
    "party_of",
    "verify_sample_response",
]
