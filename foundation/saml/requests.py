"""Reads what parties ask an identity provider. Hostile input is expected. CPU only.

Read from a message that was not verified, the issuer says whose keys to try, and nothing else is worth anything. After the
verification it is read again: from `Verified.document` where the signature is in the message, from the same document where
`verify_redirect` has passed.
"""

from __future__ import annotations

import base64

from lxml import etree  # type: ignore[import-untyped]

from foundation.saml.errors import SamlError
from foundation.saml.messages import AuthnRequest, LogoutRequest, LogoutResponse, NameIdentifier
from foundation.saml.nodes import (
    ASSERTION,
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    attribute,
    base64_bytes,
    boolean,
    identifier,
    local_name,
    moment,
    number,
    only_child,
    optional_child,
    parse_message,
    text_of,
)

AUTHN_REQUEST = f"{PROTOCOL}AuthnRequest"
LOGOUT_REQUEST = f"{PROTOCOL}LogoutRequest"
LOGOUT_RESPONSE = f"{PROTOCOL}LogoutResponse"
MAX_CONTEXTS = 50
MAX_SESSION_INDEXES = 100
_MAX_STATUS = 5
_COMPARISONS = frozenset(("exact", "minimum", "maximum", "better"))


def read_posted(value: str) -> bytes:
    """The message in a form field of the POST binding (saml-bindings-2.0-os section 3.5.4). Raises SamlError."""
    return base64_bytes(value, "posted message", "form field", 2 * MAX_MESSAGE_BYTES)


def posted(document: bytes) -> str:
    """The value of a form field that carries it."""
    return base64.b64encode(document).decode()


def read_authn_request(data: bytes) -> AuthnRequest:
    """Raises SamlError."""
    what = "AuthnRequest"
    root = _message(data, AUTHN_REQUEST, what)
    policy = optional_child(root, f"{PROTOCOL}NameIDPolicy", what)
    policy = etree.Element("none") if policy is None else policy
    comparison, contexts, declarations = _contexts(root, what)
    subject, encrypted = _subject(root, what)
    return AuthnRequest(
        id=identifier(root, what),
        issued=_issued(root, what),
        issuer=_issuer(root, what),
        destination=attribute(root, "Destination", what),
        consumer_url=attribute(root, "AssertionConsumerServiceURL", what),
        consumer_index=number(root, "AssertionConsumerServiceIndex", what),
        binding=attribute(root, "ProtocolBinding", what),
        attribute_index=number(root, "AttributeConsumingServiceIndex", what),
        name_id_format=attribute(policy, "Format", what),
        name_id_qualifier=attribute(policy, "SPNameQualifier", what),
        allow_create=boolean(policy, "AllowCreate", what),
        comparison=comparison,
        contexts=contexts,
        declarations=declarations,
        force_authn=boolean(root, "ForceAuthn", what),
        passive=boolean(root, "IsPassive", what),
        subject=subject,
        encrypted_subject=encrypted,
        provider_name=attribute(root, "ProviderName", what),
    )


def read_logout_request(data: bytes) -> LogoutRequest:
    """Raises SamlError."""
    what = "LogoutRequest"
    root = _message(data, LOGOUT_REQUEST, what)
    name_id, encrypted = _name_id(root, what)
    if name_id is None and not encrypted:
        raise SamlError(what, "it says not who is meant")
    return LogoutRequest(
        id=identifier(root, what),
        issued=_issued(root, what),
        issuer=_issuer(root, what),
        destination=attribute(root, "Destination", what),
        expires=moment(root, "NotOnOrAfter", what),
        reason=attribute(root, "Reason", what),
        name_id=name_id,
        encrypted_name_id=encrypted,
        session_indexes=_texts(root, f"{PROTOCOL}SessionIndex", MAX_SESSION_INDEXES, what),
    )


def read_logout_response(data: bytes) -> LogoutResponse:
    """Raises SamlError."""
    what = "LogoutResponse"
    root = _message(data, LOGOUT_RESPONSE, what)
    status = only_child(root, f"{PROTOCOL}Status", what)
    message = optional_child(status, f"{PROTOCOL}StatusMessage", what)
    return LogoutResponse(
        id=identifier(root, what),
        issued=_issued(root, what),
        issuer=_issuer(root, what),
        in_response_to=identifier(root, what, "InResponseTo"),
        destination=attribute(root, "Destination", what),
        status=_status(status, what),
        message="" if message is None or not (message.text or "").strip() else text_of(message, what),
    )


def read_name_id(data: bytes) -> NameIdentifier:
    """A NameID alone, as it comes out of an EncryptedID. Raises SamlError."""
    what = "NameID"
    root = parse_message(data, what)
    if root.tag != f"{ASSERTION}NameID":
        raise SamlError(what, f"its root is {local_name(root)}")
    return _read_name_id(root, what)


# -- parts


def _message(data: bytes, tag: str, what: str) -> etree._Element:
    root = parse_message(data, what)
    if root.tag != tag:
        raise SamlError(what, f"its root is {local_name(root)}")
    if root.get("Version") != "2.0":
        raise SamlError(what, "it is not of version 2.0")
    return root


def _issued(root: etree._Element, what: str) -> float:
    issued = moment(root, "IssueInstant", what)
    if not issued:
        raise SamlError(what, "it has no IssueInstant")
    return issued


def _issuer(root: etree._Element, what: str) -> str:
    """An entity ID: its format is that or nothing (saml-core-2.0-os section 8.3.6)."""
    issuer = only_child(root, f"{ASSERTION}Issuer", what)
    if issuer.get("Format", _ENTITY) != _ENTITY:
        raise SamlError(what, "its Issuer is not an entity ID")
    return text_of(issuer, what)


_ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"


def _contexts(root: etree._Element, what: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    wanted = optional_child(root, f"{PROTOCOL}RequestedAuthnContext", what)
    if wanted is None:
        return "exact", (), ()
    comparison = attribute(wanted, "Comparison", what) or "exact"
    if comparison not in _COMPARISONS:
        raise SamlError(what, "its Comparison is unknown")
    return (
        comparison,
        _texts(wanted, f"{ASSERTION}AuthnContextClassRef", MAX_CONTEXTS, what),
        _texts(wanted, f"{ASSERTION}AuthnContextDeclRef", MAX_CONTEXTS, what),
    )


def _subject(root: etree._Element, what: str) -> tuple[NameIdentifier | None, bytes]:
    subject = optional_child(root, f"{ASSERTION}Subject", what)
    return (None, b"") if subject is None else _name_id(subject, what)


def _name_id(parent: etree._Element, what: str) -> tuple[NameIdentifier | None, bytes]:
    """Of NameID, EncryptedID and BaseID at most one may stand there; the last says nothing that can be compared."""
    plain = optional_child(parent, f"{ASSERTION}NameID", what)
    encrypted = optional_child(parent, f"{ASSERTION}EncryptedID", what)
    if parent.find(f"{ASSERTION}BaseID") is not None or (plain is not None and encrypted is not None):
        raise SamlError(what, "it says in several ways, or in an unknown one, who is meant")
    if encrypted is not None:
        return None, bytes(etree.tostring(encrypted, with_tail=False))
    return (None if plain is None else _read_name_id(plain, what)), b""


def _read_name_id(element: etree._Element, what: str) -> NameIdentifier:
    return NameIdentifier(
        value=text_of(element, what),
        format=attribute(element, "Format", what),
        qualifier=attribute(element, "NameQualifier", what),
        sp_qualifier=attribute(element, "SPNameQualifier", what),
        sp_provided_id=attribute(element, "SPProvidedID", what),
    )


def _texts(parent: etree._Element, tag: str, at_most: int, what: str) -> tuple[str, ...]:
    found = parent.findall(tag)
    if len(found) > at_most:
        raise SamlError(what, f"it has more than {at_most} elements {local_name(found[0])}")
    return tuple(text_of(element, what) for element in found)


def _status(status: etree._Element, what: str) -> tuple[str, ...]:
    """A code may hold a second one that says more, and so on (section 3.2.2.2)."""
    codes: list[str] = []
    code = only_child(status, f"{PROTOCOL}StatusCode", what)
    while code is not None:
        if len(codes) == _MAX_STATUS:
            raise SamlError(what, f"it has more than {_MAX_STATUS} status codes")
        codes.append(attribute(code, "Value", what))
        code = optional_child(code, f"{PROTOCOL}StatusCode", what)
    if not codes[0]:
        raise SamlError(what, "it has no status code")
    return tuple(codes)
