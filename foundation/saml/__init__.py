"""SAML 1.1 and 2.0 assertions, protocol messages, federation metadata, WS-Trust messages, and the XML signatures over them.

Nothing here trusts a signer by itself: the caller compares whose key it is, or says whose it may be. lxml and signxml are
loaded when the first document is read or written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.lazy import lazy_names
from foundation.saml.errors import SamlError
from foundation.saml.messages import SUCCESS, AuthnRequest, LogoutRequest, LogoutResponse, NameIdentifier
from foundation.saml.model import Assertion, Fault, Metadata, PartnerMetadata, SignInOutcome, SyntheticSignIn

if TYPE_CHECKING:
    from foundation.saml.assertion import is_encrypted, read_assertion
    from foundation.saml.element_signature import sign_element
    from foundation.saml.encryption import CIPHERS, decrypt_element, encrypt_element, encrypt_name
    from foundation.saml.enveloped_signature import Verified, has_signature, verify_enveloped
    from foundation.saml.metadata import MAX_METADATA_BYTES, read_metadata
    from foundation.saml.partner_metadata import read_partner_metadata
    from foundation.saml.party_metadata import PartyDescription, PartyEndpoint, read_party_metadata
    from foundation.saml.redirect_binding import MessageName, RedirectMessage, read_redirect, sign_redirect, verify_redirect
    from foundation.saml.requests import (
        AUTHN_REQUEST,
        LOGOUT_REQUEST,
        LOGOUT_RESPONSE,
        posted,
        read_authn_request,
        read_logout_request,
        read_logout_response,
        read_name_id,
        read_posted,
    )
    from foundation.saml.soap import SOAP_ACTION, SOAP_TYPE, SOAP_TYPES, read_envelope, write_envelope, write_fault
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
    "party_metadata": "PartyDescription PartyEndpoint read_party_metadata",
    "encryption": "CIPHERS decrypt_element encrypt_element encrypt_name",
    "assertion": "is_encrypted read_assertion",
    "element_signature": "sign_element",
    "enveloped_signature": "Verified has_signature verify_enveloped",
    "metadata": "MAX_METADATA_BYTES read_metadata",
    "partner_metadata": "read_partner_metadata",
    "redirect_binding": "MessageName RedirectMessage read_redirect sign_redirect verify_redirect",
    "requests": "AUTHN_REQUEST LOGOUT_REQUEST LOGOUT_RESPONSE posted read_authn_request read_logout_request"
    " read_logout_response read_name_id read_posted",
    "soap": "SOAP_ACTION SOAP_TYPE SOAP_TYPES read_envelope write_envelope write_fault",
    "token_client": "TokenClient",
    "ws_trust": "MAX_ANSWER_BYTES WS_TRUST_13 WS_TRUST_2005 WS_TRUST_VERSIONS WsTrust make_token_request"
    " read_token_answer readable",
}

__all__ = [
    "AUTHN_REQUEST",
    "CIPHERS",
    "LOGOUT_REQUEST",
    "LOGOUT_RESPONSE",
    "MAX_ANSWER_BYTES",
    "MAX_METADATA_BYTES",
    "SOAP_ACTION",
    "SOAP_TYPE",
    "SOAP_TYPES",
    "SUCCESS",
    "WS_TRUST_13",
    "WS_TRUST_2005",
    "WS_TRUST_VERSIONS",
    "Assertion",
    "AuthnRequest",
    "Fault",
    "LogoutRequest",
    "LogoutResponse",
    "MessageName",
    "Metadata",
    "NameIdentifier",
    "PartnerMetadata",
    "PartyDescription",
    "PartyEndpoint",
    "RedirectMessage",
    "SamlError",
    "SignInOutcome",
    "SyntheticSignIn",
    "TokenClient",
    "Verified",
    "WsTrust",
    "decrypt_element",
    "encrypt_element",
    "encrypt_name",
    "has_signature",
    "is_encrypted",
    "make_token_request",
    "posted",
    "read_assertion",
    "read_authn_request",
    "read_envelope",
    "read_logout_request",
    "read_logout_response",
    "read_metadata",
    "read_name_id",
    "read_partner_metadata",
    "read_party_metadata",
    "read_posted",
    "read_redirect",
    "read_token_answer",
    "readable",
    "sign_element",
    "sign_redirect",
    "verify_enveloped",
    "verify_redirect",
    "write_envelope",
    "write_fault",
]


if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
