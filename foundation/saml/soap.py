"""The SOAP binding: a message in an envelope (saml-bindings-2.0-os section 3.2). CPU only; hostile input is expected."""

from __future__ import annotations

from lxml import etree  # type: ignore[import-untyped]

from foundation.saml.errors import SamlError
from foundation.saml.nodes import MAX_MESSAGE_BYTES, only_child, parse_message

SOAP_TYPE = "text/xml"
SOAP_TYPES = frozenset({SOAP_TYPE, "application/soap+xml"})
"""Of what comes. SOAP 1.1 (section 6) knows `text/xml` alone; pysaml2 names its envelope as SOAP 1.2 does. No browser's
form sends either."""
SOAP_ACTION = "http://www.oasis-open.org/committees/security"
"""Value of the header SOAPAction (section 3.2.2.1)."""
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_WHAT = "envelope"


def read_envelope(data: bytes) -> bytes:
    """The one message in a SOAP 1.1 envelope, with the prefixes that are declared around it. Raises SamlError.

    Nothing is verified: a signature is in the message itself. Headers are passed over, unless they must be understood.
    """
    root = parse_message(data, _WHAT, 2 * MAX_MESSAGE_BYTES)
    if root.tag != f"{{{_SOAP}}}Envelope":
        raise SamlError(_WHAT, "it is not a SOAP 1.1 envelope")
    if any(header.get(f"{{{_SOAP}}}mustUnderstand") in {"1", "true"} for header in root.iterfind(f"{{{_SOAP}}}Header/*")):
        raise SamlError(_WHAT, "it has a header that must be understood")
    inside = list(only_child(root, f"{{{_SOAP}}}Body", _WHAT).iterchildren(etree.Element))
    if len(inside) != 1:
        raise SamlError(_WHAT, f"its Body holds {len(inside)} messages instead of one")
    if inside[0].tag == f"{{{_SOAP}}}Fault":
        raise SamlError(_WHAT, "it says that something went wrong (Fault)")
    return bytes(etree.tostring(inside[0], encoding="utf-8", with_tail=False))


def write_envelope(document: bytes) -> bytes:
    """A message of our own in an envelope; not a byte of it changes."""
    return b'<s:Envelope xmlns:s="%s"><s:Body>%s</s:Body></s:Envelope>' % (_SOAP.encode(), _without_declaration(document))


def write_fault(code: str, text: str) -> bytes:
    """SOAP 1.1 section 4.4; code: `Client` or `Server`; text: for whoever operates the other side, plain letters."""
    return write_envelope(f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{text}</faultstring></s:Fault>".encode())


def _without_declaration(document: bytes) -> bytes:
    return document[document.index(b"?>") + 2 :].lstrip() if document.startswith(b"<?xml") else document
