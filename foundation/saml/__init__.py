"""SAML 1.1 and 2.0 assertions, federation metadata, WS-Trust messages, and the XML signatures over them.

Nothing here trusts a signer: whose key it is, the caller compares. lxml and signxml are loaded when the first document is
read or written.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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
    "foundation.saml.assertion": "is_encrypted read_assertion",
    "foundation.saml.metadata": "MAX_METADATA_BYTES read_metadata",
    "foundation.saml.partner_metadata": "read_partner_metadata",
    "foundation.saml.token_client": "TokenClient",
    "foundation.saml.ws_trust": "MAX_ANSWER_BYTES WS_TRUST_13 WS_TRUST_2005 WS_TRUST_VERSIONS WsTrust make_token_request"
    " read_token_answer readable",
}
_LATER = {name: module for module, names in _MODULES.items() for name in names.split()}

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


if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
