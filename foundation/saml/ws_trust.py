"""WS-Trust messages: how a token is asked for with a name and a password, and what comes back. Pure; hostile answers are
expected.

    RequestSecurityToken ──► RequestSecurityTokenResponse (1.3: in a collection) ──► assertion, or encrypted data
                        └──► SOAP fault, HTTP 500

Sources: WS-Trust 1.3 and February 2005, WS-Security 1.0 UsernameToken Profile, SOAP 1.2, WS-Addressing 1.0. Which version
AD FS's own diagnostics use: `Test-AdfsServerToken` of the ADFSToolbox module, `trust/2005/usernamemixed` with SAML 2.0.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from lxml import etree  # type: ignore[import-untyped]

from foundation.saml.errors import SamlError, as_saml_error
from foundation.saml.model import Fault
from foundation.xml import parse_xml

MAX_ANSWER_BYTES = 1024 * 1024
"""Of an answer: a token with hundreds of groups has some ten thousand."""
_WHAT = "answer"
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_POLICY = "http://schemas.xmlsoap.org/ws/2004/09/policy"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_SECURITY = f"{_WSS}-wssecurity-secext-1.0.xsd"
_UTILITY = f"{_WSS}-wssecurity-utility-1.0.xsd"
_PASSWORD_TEXT = f"{_WSS}-username-token-profile-1.0#PasswordText"
_SAML2 = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0"
_LIFE = 600.0
"""Seconds that a request is good for: WCF refuses one whose clock is more than five minutes off."""
_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class WsTrust:
    """One version of WS-Trust."""

    path: str
    """Of AD FS's endpoint."""
    namespace: str
    bearer: str

    def tag(self, name: str) -> str:
        """Of an element, as lxml writes it."""
        return f"{{{self.namespace}}}{name}"


WS_TRUST_13 = WsTrust(
    "/adfs/services/trust/13/usernamemixed",
    "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
    "http://docs.oasis-open.org/ws-sx/ws-trust/200512/Bearer",
)
WS_TRUST_2005 = WsTrust(
    "/adfs/services/trust/2005/usernamemixed",
    "http://schemas.xmlsoap.org/ws/2005/02/trust",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
)
WS_TRUST_VERSIONS = (WS_TRUST_13, WS_TRUST_2005)
"""Best first."""


# -- asking


def make_token_request(protocol: WsTrust, to: str, user: str, password: str, relying_party: str, now: float) -> bytes:
    """The message; `to` is the endpoint's URL under the federation name. Raises ValueError for characters that XML does not
    have; its text does not hold the password."""
    envelope = etree.Element(f"{{{_SOAP}}}Envelope", nsmap={"s": _SOAP, "a": _ADDRESSING, "u": _UTILITY})
    header = _add(envelope, _SOAP, "Header")
    must = {f"{{{_SOAP}}}mustUnderstand": "1"}
    _add(header, _ADDRESSING, "Action", f"{protocol.namespace}/RST/Issue", must)
    _add(header, _ADDRESSING, "MessageID", f"urn:uuid:{uuid.uuid4()}")
    _add(_add(header, _ADDRESSING, "ReplyTo"), _ADDRESSING, "Address", f"{_ADDRESSING}/anonymous")
    _add(header, _ADDRESSING, "To", to, must)
    _add_account(header, user, password, now, must)
    _add_token_request(_add(envelope, _SOAP, "Body"), protocol, relying_party)
    return bytes(etree.tostring(envelope, encoding="utf-8"))


def _add_account(header: etree._Element, user: str, password: str, now: float, must: dict[str, str]) -> None:
    """WSS 1.0 section 10 (Timestamp) and UsernameToken Profile 1.0 section 3.1 (the password as text: TLS hides it)."""
    security = _add(header, _SECURITY, "Security", attributes=must)
    timestamp = _add(security, _UTILITY, "Timestamp", attributes={f"{{{_UTILITY}}}Id": "_0"})
    _add(timestamp, _UTILITY, "Created", _moment(now))
    _add(timestamp, _UTILITY, "Expires", _moment(now + _LIFE))
    token = _add(security, _SECURITY, "UsernameToken", attributes={f"{{{_UTILITY}}}Id": f"uuid-{uuid.uuid4()}"})
    _add(token, _SECURITY, "Username", user)
    _add(token, _SECURITY, "Password", password, {"Type": _PASSWORD_TEXT})


def _add_token_request(body: etree._Element, protocol: WsTrust, relying_party: str) -> None:
    """WS-Trust 1.3 section 4.1; a bearer token (section 9.2) has no key that the asker would have to prove."""
    request = _add(body, protocol.namespace, "RequestSecurityToken")
    reference = _add(_add(request, _POLICY, "AppliesTo"), _ADDRESSING, "EndpointReference")
    _add(reference, _ADDRESSING, "Address", relying_party)
    if protocol is WS_TRUST_2005:  # in 1.3 the key type alone says that there is none
        _add(request, protocol.namespace, "KeySize", "0")
    _add(request, protocol.namespace, "KeyType", protocol.bearer)
    _add(request, protocol.namespace, "RequestType", f"{protocol.namespace}/Issue")
    _add(request, protocol.namespace, "TokenType", _SAML2)


def _add(
    parent: etree._Element, namespace: str, name: str, text: str = "", attributes: dict[str, str] | None = None
) -> etree._Element:
    made = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes or {})
    made.text = text or None
    return made


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- reading


def read_token_answer(data: bytes, protocol: WsTrust) -> etree._Element | Fault:
    """The one element that stands where the token belongs, or the fault. Raises SamlError."""
    with as_saml_error():
        root = parse_xml(data, _WHAT, MAX_ANSWER_BYTES)
    if root.tag != f"{{{_SOAP}}}Envelope":
        raise SamlError(_WHAT, "it is not a SOAP 1.2 envelope")
    body = _only(root, f"{{{_SOAP}}}Body")
    fault = body.find(f"{{{_SOAP}}}Fault")
    if fault is not None:
        return _read_fault(fault)
    if protocol is WS_TRUST_13:
        body = _only(body, protocol.tag("RequestSecurityTokenResponseCollection"))
    response = _only(body, protocol.tag("RequestSecurityTokenResponse"))
    inside = list(_only(response, protocol.tag("RequestedSecurityToken")).iterchildren(etree.Element))
    if len(inside) != 1:
        raise SamlError(_WHAT, f"{len(inside)} elements stand where one token belongs")
    return inside[0]


def _only(parent: etree._Element, tag: str) -> etree._Element:
    found = parent.findall(tag)
    if len(found) != 1:
        raise SamlError(_WHAT, f"it has {len(found)} elements {etree.QName(tag).localname} instead of one")
    return found[0]


def _read_fault(fault: etree._Element) -> Fault:
    """SOAP 1.2 section 5.4: a subcode's value is a qualified name, of which the local part is told."""
    codes = [(value.text or "").strip().rpartition(":")[2] for value in fault.iter(f"{{{_SOAP}}}Value")][:5]
    text = next((reason.text or "" for reason in fault.iter(f"{{{_SOAP}}}Text")), "")
    return Fault(tuple(readable(code) for code in codes), readable(text))


def readable(text: str) -> str:
    """What the other side wrote, on one line, without what a terminal would obey."""
    line = "".join(character for character in " ".join(text[: 4 * _REASON_LENGTH].split()) if character.isprintable())
    return line[:_REASON_LENGTH]
