"""What a file that turned up is: tokens of OpenID Connect, or a SAML response or assertion. Pure.

Nothing in it is believed: what it says of itself only narrows where to look. Whether it was issued here is what the audit
trail says of its hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs

import msgspec

from foundation.xml import MalformedXml, parse_elements
from gateway.federation.inspection.errors import NotEvidence

LARGEST: Final = 512 * 1024
"""Bytes of a file."""
_MOST: Final = 20
"""Tokens of one file."""
_TOKENS: Final = ("access_token", "id_token", "refresh_token")
_OPAQUE: Final = re.compile(r"[A-Za-z0-9._~+/=-]{20,8192}")
_ASSERTION: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
_ROOTS: Final = ("{urn:oasis:names:tc:SAML:2.0:protocol}Response", _ASSERTION)

EvidenceForm = Literal["JWT", "opaque token", "SAML response", "SAML assertion"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One token, response or assertion."""

    form: EvidenceForm
    sha256: str
    """Hex, of what is in the trail: the token's text, the response's bytes."""
    id: str = ""
    """`jti`, or the ID of the assertion."""
    issuer: str = ""
    """As it says of itself."""
    audience: str = ""
    key: str = ""
    """`kid`: the key that it says has signed it."""
    issued_at: float = 0.0
    """As it says of itself, Unix seconds; 0: it does not say."""


def read_evidence(data: bytes) -> list[Evidence]:
    """data: a token, `Authorization` header, answer of a token endpoint (JSON), the form field `SAMLResponse`, or XML.

    Raises NotEvidence.
    """
    if len(data) > LARGEST:
        raise NotEvidence(f"it has more than {LARGEST // 1024} kB")
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise NotEvidence("it is no text") from error
    if text.startswith("<"):
        return [_saml(data)]
    if text.startswith("{"):
        return _answer(text)
    if "SAMLResponse=" in text:
        text = parse_qs(text.partition("?")[2] or text).get("SAMLResponse", [""])[0]
    document = _encoded_xml(text)
    return [_saml(document)] if document else [_token(text)]


def _answer(text: str) -> list[Evidence]:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotEvidence("it begins as JSON and is none") from error
    found = [members[name] for name in _TOKENS if isinstance(members.get(name), str)]
    if not found:
        raise NotEvidence(f"its JSON has none of {', '.join(_TOKENS)}")
    return [_token(value) for value in found[:_MOST]]


def _token(text: str) -> Evidence:
    token = re.sub(r"(?i)\A(authorization:\s*)?bearer\s+", "", text)
    if not _OPAQUE.fullmatch(token):
        raise NotEvidence("it is neither a token nor a SAML response")
    digest = hashlib.sha256(token.encode()).hexdigest()
    header, claims = _parts(token)
    if header is None or claims is None:
        return Evidence(form="opaque token", sha256=digest)
    audience = claims.get("aud", "")
    return Evidence(
        form="JWT",
        sha256=digest,
        id=_text(claims, "jti"),
        issuer=_text(claims, "iss"),
        audience=" ".join(map(str, audience)) if isinstance(audience, list) else str(audience),
        key=_text(header, "kid"),
        issued_at=_seconds(claims.get("iat")),
    )


def _parts(token: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Header and claims of a JWT in compact form (RFC 7515 section 7.1), whoever signed it."""
    parts = token.split(".")
    if len(parts) != 3:
        return None, None
    return _object(parts[0]), _object(parts[1])


def _object(part: str) -> dict[str, Any] | None:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name, "")
    return value if isinstance(value, str) else ""


def _seconds(value: object) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e11
    return float(value) if known and isinstance(value, int | float) else 0.0


def _encoded_xml(text: str) -> bytes:
    """What is base64 of XML; empty where it is not."""
    try:
        document = base64.b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return document if document.lstrip().startswith(b"<") else b""


def _saml(document: bytes) -> Evidence:
    try:
        root = parse_elements(document, "file", LARGEST)
    except MalformedXml as error:
        raise NotEvidence(str(error)) from error
    if root.tag not in _ROOTS:
        raise NotEvidence(f"it is XML, but no SAML response or assertion: its root is {root.tag}")
    assertion = next(root.iter(_ASSERTION), None)
    issuer = root.find("{*}Issuer")
    return Evidence(
        form="SAML assertion" if root.tag == _ASSERTION else "SAML response",
        sha256=hashlib.sha256(document).hexdigest(),
        id=assertion.get("ID", "") if assertion is not None else "",
        issuer=(issuer.text or "") if issuer is not None else "",
        audience=root.get("Destination", ""),
        issued_at=_moment(root.get("IssueInstant", "")),
    )


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
