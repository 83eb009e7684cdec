"""Messages in addresses: what is signed is the text as it was sent, and no bomb is inflated."""

from __future__ import annotations

import base64
import tracemalloc
import urllib.parse
import zlib
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from foundation.saml import RedirectMessage, SamlError, read_redirect, sign_redirect, verify_redirect
from foundation.saml.nodes import MAX_MESSAGE_BYTES
from foundation.saml.redirect_binding import DEFLATE, MAX_PARAMETERS, MAX_QUERY_BYTES, MAX_RELAY_STATE, deflate, inflate
from tests.foundation.saml.parties import authn_request, elliptic_party, party

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
STATE = "https://grafana.example.com/d/1?a=ä b&c=+"


def quoted(value: str, lower: bool = False) -> str:
    text = urllib.parse.quote(value, safe="")
    if not lower:
        return text
    return "".join(part if not number else f"%{part[:2].lower()}{part[2:]}" for number, part in enumerate(text.split("%")))


def packed(document: bytes) -> str:
    return base64.b64encode(deflate(document)).decode()


def query(*parts: str) -> str:
    """Signed as they stand, in the order given; then the signature."""
    text = "&".join(parts)
    signature = party().key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}&Signature={quoted(base64.b64encode(signature).decode())}"


REQUEST, RELAY, METHOD = f"SAMLRequest={quoted(packed(authn_request()))}", f"RelayState={quoted(STATE)}", quoted(RSA_SHA256)
METHOD = f"SigAlg={METHOD}"


def read(text: str, *, sha1: bool = False) -> RedirectMessage:
    message = read_redirect(text)
    assert verify_redirect(message, [party("other").certificate, party().certificate], sha1=sha1) is party().certificate
    return message


def test_what_is_signed_is_verified() -> None:
    """With a RelayState and without; a request and a response."""
    message = read(sign_redirect("SAMLRequest", authn_request(), STATE, party().key))
    assert (message.name, message.document, message.relay_state) == ("SAMLRequest", authn_request(), STATE)
    text = sign_redirect("SAMLResponse", b"<a/>", "", party().key)
    assert "RelayState" not in text
    assert read(text).name == "SAMLResponse"


def test_sha1_only_where_the_trust_says_so() -> None:
    """S19."""
    text = sign_redirect("SAMLRequest", authn_request(), "", party().key, sha1=True)
    with pytest.raises(SamlError, match="SHA-1"):
        read(text)
    assert read(text, sha1=True).document == authn_request()


@pytest.mark.parametrize(
    "parts",
    [
        (REQUEST, RELAY, METHOD),
        (REQUEST, METHOD),
        (REQUEST, "RelayState=", METHOD),
        (f"SAMLRequest={quoted(packed(authn_request()), lower=True)}", METHOD),
        (f"SAMLRequest={quoted(packed(authn_request()), lower=True)}", f"RelayState={quoted(STATE, lower=True)}", METHOD),
        (REQUEST, RELAY.replace("%20", "+"), METHOD),
        (f"SAMLRequest={packed(authn_request()).replace('=', '%3D')}", METHOD),
        (REQUEST, RELAY.replace("grafana", "gr%61fana"), METHOD),
    ],
    ids=["all", "no state", "empty state", "lower case", "lower-case state", "plus sign", "bare base64", "too much encoded"],
)
def test_the_query_is_verified_as_it_was_sent(parts: tuple[str, ...]) -> None:
    """S21: every way to encode it is another text, and each is taken as it stands."""
    assert read(query(*parts)).document == authn_request()


def test_the_order_in_the_address_does_not_matter() -> None:
    """S21: the binding's order is what is signed (section 3.4.4.1); parameters of others may stand between."""
    signed = query(REQUEST, RELAY, METHOD)
    shuffled = "&".join(["lang=de", *reversed(signed.split("&")), "", "x", "RELAYSTATE=1"])
    assert read(shuffled).relay_state == STATE


def test_an_elliptic_key() -> None:
    """ECDSA, r and s side by side."""
    key, certificate = elliptic_party()
    text = f"{REQUEST}&SigAlg={quoted('http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256')}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    for signature, good in ((raw, True), (raw[:32] + b"\0" + raw[32:], False), (bytes(64), False)):
        message = read_redirect(f"{text}&Signature={quoted(base64.b64encode(signature).decode())}")
        if good:
            assert verify_redirect(message, [party().certificate, certificate]) is certificate
        else:
            with pytest.raises(SamlError):
                verify_redirect(message, [certificate])


def test_an_unsigned_message_is_read_and_not_verified() -> None:
    """S20: whether it may be unsigned is for the trust to say."""
    message = read_redirect(f"{REQUEST}&{RELAY}")
    assert not message.signed
    assert message.document == authn_request()
    with pytest.raises(SamlError, match="it is not signed"):
        verify_redirect(message, [party().certificate])


SIGNED = query(REQUEST, RELAY, METHOD)
OTHER = f"SAMLRequest={quoted(packed(authn_request('_evil')))}"


@pytest.mark.parametrize(
    "text",
    [
        SIGNED.replace(REQUEST, OTHER),
        SIGNED.replace(RELAY, "RelayState=https%3A%2F%2Fevil.example"),
        SIGNED.replace(f"&{RELAY}", ""),
        query(REQUEST, METHOD) + "&RelayState=https%3A%2F%2Fevil.example",
        SIGNED.replace("rsa-sha256", "rsa-sha512"),
        SIGNED.replace("rsa-sha256", "rsa-sha1"),
        SIGNED.replace("rsa-sha256", "hmac-sha256"),
        SIGNED.replace("rsa-sha256", "ecdsa-sha256"),
        SIGNED.replace(METHOD, "SigAlg=none"),
        SIGNED.replace("%2F", "%2f"),
        SIGNED.replace("SAMLRequest", "SAMLResponse"),
        sign_redirect("SAMLRequest", authn_request(), "", party("mallory").key),
        SIGNED.partition("&Signature=")[0] + "&Signature=AAAA",
    ],
    ids=[
        "another request", "another state", "state removed", "state added", "another algorithm", "SHA-1", "HMAC", "curve",
        "none", "encoded anew", "request as response", "another's key", "no signature",
    ],
)  # fmt: skip
def test_what_was_changed_is_refused(text: str) -> None:
    """S20, S21: every part that the binding names is covered."""
    with pytest.raises(SamlError, match="redirect"):
        read(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no message"),
        (RELAY, "no message"),
        (f"{REQUEST}&SAMLResponse=a", "a request and a response"),
        (f"{REQUEST}&{REQUEST}", "SAMLRequest is there twice"),
        (f"{OTHER}&{SIGNED}", "SAMLRequest is there twice"),
        (f"{SIGNED}&RelayState=", "RelayState is there twice"),
        (f"{SIGNED}&{METHOD}", "SigAlg is there twice"),
        (f"{SIGNED}&Signature=AAAA", "Signature is there twice"),
        (f"{SIGNED}&%53AMLRequest=a", "SAMLRequest is there twice"),
        (SIGNED.replace("RelayState", "Relay%53tate"), "RelayState is disguised"),
        (SIGNED.partition("&Signature=")[0], "not both"),
        (f"{REQUEST}&Signature=AAAA", "not both"),
        (f"{REQUEST}&SAMLEncoding=urn%3Aother", "SAMLEncoding is unknown"),
        ("SAMLRequest=%ff", "not text"),
        (f"{REQUEST}&RelayState=%ff", "not text"),
        ("SAMLRequest=!!!", "not base64"),
        (f"{REQUEST}&SigAlg=a&Signature=!", "not base64"),
        (f"SAMLRequest={quoted(base64.b64encode(authn_request()).decode())}", "not compressed"),
        (f"SAMLRequest={quoted(base64.b64encode(deflate(authn_request())[:-5]).decode())}", "cut off"),
        (f"SAMLRequest={quoted(base64.b64encode(deflate(authn_request()) + b'x').decode())}", "after its end"),
        (f"{REQUEST}&RelayState={'a' * (MAX_RELAY_STATE + 1)}", "RelayState has more"),
        (f"{REQUEST}&x={'a' * MAX_QUERY_BYTES}", "too long"),
        (f"{REQUEST}&ä=1", "not ASCII"),
        (REQUEST + "&a" * MAX_PARAMETERS, "parameters"),
    ],
    ids=lambda value: value if len(value) < 30 and "=" not in value else "",
)
def test_what_is_no_message_is_refused(text: str, reason: str) -> None:
    """S20, S21: a parameter twice, disguised, half a signature, or nothing that can be read."""
    with pytest.raises(SamlError, match=reason):
        read_redirect(text)


def test_an_encoding_that_is_named() -> None:
    """The one that is meant anyway."""
    assert read_redirect(f"{REQUEST}&SAMLEncoding={quoted(DEFLATE)}").document == authn_request()


def test_a_bomb_is_not_inflated() -> None:
    """S16: a megabyte that becomes a gigabyte costs no more memory than the limit."""
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    megabyte = compressor.compress(bytes(1024 * 1024)) + compressor.flush(zlib.Z_FULL_FLUSH)  # nothing refers further back
    bomb = megabyte * 1024 + compressor.flush()
    tracemalloc.start()
    try:
        with pytest.raises(SamlError, match=f"more than {MAX_MESSAGE_BYTES} bytes"):
            inflate(bomb)
        assert tracemalloc.get_traced_memory()[1] < 4 * MAX_MESSAGE_BYTES + len(bomb)
    finally:
        tracemalloc.stop()


def test_the_limit_is_the_last_that_is_taken() -> None:
    """One byte more is too many."""
    assert len(inflate(deflate(bytes(100)), 100)) == 100
    with pytest.raises(SamlError):
        inflate(deflate(bytes(101)), 100)


@given(st.integers(0, len(SIGNED) - 1), st.text("abc%=&+/23fFS", max_size=4), st.integers(0, 4))
def test_a_damaged_query_is_refused_or_means_the_same(at: int, put: str, cut: int) -> None:
    """Damage anywhere: no other message, and no other state, is ever verified."""
    with suppress(SamlError):
        message = read(SIGNED[:at] + put + SIGNED[at + cut :])
        assert (message.document, message.relay_state) == (authn_request(), STATE)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other exception."""
    with suppress(SamlError):
        read_redirect(text)


def test_nothing_secret_in_its_representation() -> None:
    """A RelayState can hold what is the application's own."""
    assert "grafana" not in repr(read_redirect(SIGNED))
