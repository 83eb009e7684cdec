"""SAML 1.1 and 2.0 assertions, federation metadata, WS-Trust messages, and the XML signatures over them.

Nothing here trusts a signer: whose key it is, the caller compares. lxml and signxml are loaded when the first document is
read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.lazy import lazy_names
from foundation.saml.errors import SamlError
from foundation.saml.model import Assertion, Fault, Metadata, PartnerMetadata, SignInOutcome, SyntheticSignIn

if TYPE_CHECKING:
    from foundation.saml.assertion import is_encrypted, read_assertion
    from foundation.saml.metadata import MAX_METADATA_BYTES, read_metadata
    from foundation.saml.partner_metadata import read_partner_metadata
    from foundation.saml.token_client import TokenClient
    from foundation.saml.ws_trust import (
        MAX_ANSWER_BYTES,
        WS_TRUST_13,
        WS_TRUST_2005,
        WS_TRUST_VERSIONS,
        WsTrust,
        make_token_request,
        read_token_answer,
        readable,
    )

_MODULES = {
    "assertion": "is_encrypted read_assertion",
    "metadata": "MAX_METADATA_BYTES read_metadata",
    "partner_metadata": "read_partner_metadata",
    "token_client": "TokenClient",
    "ws_trust": "MAX_ANSWER_BYTES WS_TRUST_13 WS_TRUST_2005 WS_TRUST_VERSIONS WsTrust make_token_request"
    " read_token_answer readable",
}

__all__ = [
    "MAX_ANSWER_BYTES",
    "MAX_METADATA_BYTES",
    "WS_TRUST_13",
    "WS_TRUST_2005",
    "WS_TRUST_VERSIONS",
    "Assertion",
    "Fault",
    "Metadata",
    "PartnerMetadata",
    "SamlError",
    "SignInOutcome",
    "SyntheticSignIn",
    "TokenClient",
    "WsTrust",
    "is_encrypted",
    "make_token_request",
    "read_assertion",
    "read_metadata",
    "read_partner_metadata",
    "read_token_answer",
    "readable",
]


if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
