"""What Graph accepts as an internalDomainFederation (Graph v1.0, "internalDomainFederation resource type").

The documentation names properties, types and values, but not the wording of a refusal; the wording here is the one that
Graph's directory has for other resources.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from tests.fakes.graph.failure import GraphFailure, bad_request

SLOTS = ("signingCertificate", "nextSigningCertificate")
READ_ONLY = {"id", "signingCertificateUpdateStatus"}
MFA = {"acceptIfMfaDoneByFederatedIdp", "enforceMfaByFederatedIdp", "rejectMfaByFederatedIdp"}
REQUIRED = ("issuerUri", "passiveSignInUri", "preferredAuthenticationProtocol")


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 2048


def _web_address(value: Any) -> bool:
    return _text(value) and urlsplit(value).scheme == "https" and bool(urlsplit(value).hostname)


def _address(value: Any) -> bool:
    return _text(value) and urlsplit(value).scheme in {"http", "https", "urn"}


def _one_of(*values: str) -> Callable[[Any], bool]:
    return lambda value: value in values


def certificate_of(value: Any) -> x509.Certificate | None:
    """Base64 of DER, as the documentation asks for: no PEM lines."""
    if not isinstance(value, str):
        return None
    try:
        return x509.load_der_x509_certificate(base64.b64decode(value, validate=True))
    except (ValueError, binascii.Error):
        return None


PROPERTIES: Mapping[str, Callable[[Any], bool]] = {
    "displayName": _text,
    "issuerUri": _address,
    "metadataExchangeUri": _web_address,
    "signingCertificate": lambda value: certificate_of(value) is not None,
    "nextSigningCertificate": lambda value: certificate_of(value) is not None,
    "passiveSignInUri": _web_address,
    "activeSignInUri": _web_address,
    "signOutUri": _web_address,
    "preferredAuthenticationProtocol": _one_of("wsFed", "saml"),
    "promptLoginBehavior": _one_of("translateToFreshPasswordAuthentication", "nativeSupport", "disabled"),
    "isSignedAuthenticationRequestRequired": lambda value: isinstance(value, bool),
    "federatedIdpMfaBehavior": lambda value: value in MFA,
}
NOT_NULLABLE = {"signingCertificate", "federatedIdpMfaBehavior", "preferredAuthenticationProtocol", *REQUIRED}


def check_properties(body: Any) -> dict[str, Any]:
    """The properties of a request's body. Raises GraphFailure."""
    if not isinstance(body, dict):
        raise GraphFailure(400, "BadRequest", "Unable to read JSON request payload.")
    values = {name: value for name, value in body.items() if not name.startswith("@odata.")}
    if not values:
        raise bad_request("No properties were specified.")
    for name, value in values.items():
        _check_property(name, value)
    return values


def _check_property(name: str, value: Any) -> None:
    if name in READ_ONLY:
        raise bad_request(f"Property '{name}' is read-only and cannot be set.")
    if name not in PROPERTIES:
        text = f"The property '{name}' does not exist on type 'microsoft.graph.internalDomainFederation'."
        raise bad_request(text)
    if value is None and name not in NOT_NULLABLE:
        return
    if not PROPERTIES[name](value):
        raise bad_request(f"Invalid value specified for property '{name}' of resource 'InternalDomainFederation'.")
