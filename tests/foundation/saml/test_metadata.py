"""Federation metadata: what it names, who signed it, and that hostile documents are refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.saml import MAX_METADATA_BYTES, SamlError, read_metadata
from tests.adfs.farm import samples

SIGNED = samples.sign(
    samples.document([samples.signing(), samples.signing(380, key=4)], [samples.decrypting()]), samples.signing()
)


def test_names_certificates_in_order_and_once() -> None:
    """Though every role repeats them."""
    read = read_metadata(SIGNED)
    assert [each.thumbprint for each in read.signing] == [
        samples.signing().seen.thumbprint,
        samples.signing(380, key=4).seen.thumbprint,
    ]
    assert [each.thumbprint for each in read.encryption] == [samples.decrypting().seen.thumbprint]
    assert read.entity_id == "http://fs.example.com/adfs/services/trust"


def test_says_who_signed_it() -> None:
    """By the key, not by the order of the certificates."""
    other = samples.signing(380, key=4)
    data = samples.sign(samples.document([samples.signing(), other]), other)
    read = read_metadata(data)
    assert read.signed_by is not None
    assert read.signed_by.thumbprint == other.seen.thumbprint
    assert read.signature_problem == ""


def test_an_ended_certificate_can_have_signed() -> None:
    """That it has ended is another finding."""
    old = samples.signing(-10)
    assert read_metadata(samples.sign(samples.document([old]), old)).signed_by is not None


def test_a_document_without_signature() -> None:
    """Read all the same."""
    read = read_metadata(samples.document([samples.signing()]))
    assert read.signed_by is None
    assert read.signature_problem == "it is not signed"
    assert len(read.signing) == 1


def test_a_changed_document_is_signed_by_nobody() -> None:
    """One character of the entity ID is enough."""
    read = read_metadata(SIGNED.replace(b"fs.example.com/adfs/services", b"fs.examp1e.com/adfs/services"))
    assert read.signed_by is None
    assert read.signature_problem == "its signature does not hold"


def test_a_signature_over_another_element_does_not_count() -> None:
    """The old trick: a signed document wrapped into a forged one that borrows its signature."""
    inner = SIGNED[SIGNED.index(b"<EntityDescriptor") :]
    match = re.search(rb"<ds:Signature.*</ds:Signature>", inner, re.DOTALL)
    assert match is not None
    forged = samples.document([samples.make("Mallory", key=5)]).replace(b'ID="_1"', b'ID="_2"')
    body = inner.replace(match[0], b"")
    wrapped = forged.replace(b"<RoleDescriptor", match[0] + b"<Extensions>" + body + b"</Extensions><RoleDescriptor", 1)
    assert read_metadata(wrapped).signed_by is None


def test_a_signature_by_another_key_than_its_certificate_does_not_count() -> None:
    """The certificate next to the signature has to fit."""
    mallory, adfs = samples.make("Mallory", key=5), samples.signing()
    import base64

    data = samples.sign(samples.document([adfs]), mallory)
    signature_start = data.index(b"<ds:Signature")
    head, tail = data[:signature_start], data[signature_start:]
    text = base64.b64encode(adfs.der)
    tail = re.sub(rb"(<ds:X509Certificate>)[^<]*", lambda match: match[1] + text, tail, count=1)
    assert read_metadata(head + tail).signed_by is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a",
        b"<a/>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">]><a b="&x;"/>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<?xml version='1.0' encoding='UTF-7'?>+ADwAIQ-DOCTYPE a+AD4-<a/>",
        b" " * (MAX_METADATA_BYTES + 1),
        b"<a>" * 100_000,
        samples.document([samples.signing()]).replace(b"MII", b"!!!"),
        samples.document([samples.signing()]).replace(b"MII", b"AAA"),
        samples.document([samples.signing()] * 150),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_hostile_documents_are_unreadable(data: bytes) -> None:
    """One kind of error, whatever was sent."""
    with pytest.raises(SamlError):
        read_metadata(data)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_unreadable(data: bytes) -> None:
    """No other exception."""
    with pytest.raises(SamlError):
        read_metadata(data)


@given(st.integers(0, len(SIGNED) - 1), st.binary(min_size=1, max_size=8), st.integers(0, 8))
def test_a_damaged_document_is_never_believed_for_other_certificates(at: int, put: bytes, cut: int) -> None:
    """Damage anywhere: unreadable, or signed by nobody, or it means the same as before.

    But for the signer's certificate, which no signature covers: whose thumbprint that is, has to be known otherwise.
    """
    try:
        read = read_metadata(SIGNED[:at] + put + SIGNED[at + cut :])
    except SamlError:
        return
    if read.signed_by is not None:
        assert replace(read, signed_by=None) == replace(read_metadata(SIGNED), signed_by=None)


def test_the_same_document_is_checked_once() -> None:
    """Every node serves it; another one, however alike, is looked at for itself."""
    assert read_metadata(SIGNED) is read_metadata(bytes(bytearray(SIGNED)))
    assert read_metadata(SIGNED + b"\n") is not read_metadata(SIGNED)
