"""Envelopes of SOAP 1.1: one message in them, and nothing that would be read in two ways."""

from __future__ import annotations

import pytest

from foundation.saml import SamlError, read_envelope, read_logout_request, verify_enveloped, write_envelope, write_fault
from foundation.saml.requests import LOGOUT_REQUEST
from tests.foundation.saml.parties import logout_request, party
from tests.foundation.saml.signing import hand_signed

MESSAGE = logout_request()


def test_a_signed_message_survives_its_envelope() -> None:
    """Whatever prefixes are declared around it: what was signed is what comes out (exclusive canonicalization)."""
    signed = hand_signed(MESSAGE)
    around = b'<s:Body xmlns:x="urn:x" xmlns="urn:default">'
    taken = read_envelope(write_envelope(b'<?xml version="1.0"?>\n' + signed).replace(b"<s:Body>", around))
    document = verify_enveloped(taken, [party().certificate], "r", root_tags=(LOGOUT_REQUEST,)).document
    assert read_logout_request(document) == read_logout_request(MESSAGE)


def test_a_header_that_may_be_passed_over_is() -> None:
    """saml-bindings-2.0-os section 3.2.2: others may add some."""
    header = b'<s:Header><x s:mustUnderstand="0"/></s:Header><s:Body>'
    assert read_envelope(write_envelope(MESSAGE).replace(b"<s:Body>", header))


BAD = {
    "no envelope": (MESSAGE, "not a SOAP 1.1 envelope"),
    "nothing in it": (write_envelope(b""), "holds 0 messages"),
    "S12 two messages": (write_envelope(MESSAGE + MESSAGE), "holds 2 messages"),
    "S12 two bodies": (write_envelope(MESSAGE).replace(b"<s:Body>", b"<s:Body/><s:Body>"), "2 elements Body"),
    "no body": (write_envelope(b"").replace(b"<s:Body></s:Body>", b""), "no Body"),
    "S09 a comment": (write_envelope(b"<!-- -->" + MESSAGE), "comments"),
    "a fault": (write_fault("Server", "no"), "Fault"),
    "a header to be understood": (
        write_envelope(MESSAGE).replace(b"<s:Body>", b'<s:Header><x s:mustUnderstand="1"/></s:Header><s:Body>'),
        "must be understood",
    ),
}


@pytest.mark.parametrize(("envelope", "reason"), BAD.values(), ids=BAD)
def test_whatever_else_there_is_is_refused(envelope: bytes, reason: str) -> None:
    """With why."""
    with pytest.raises(SamlError, match=reason):
        read_envelope(envelope)
