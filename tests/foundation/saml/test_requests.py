"""What parties ask, as data: every field, and one kind of error for what is none."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.saml import (
    SUCCESS,
    AuthnRequest,
    LogoutRequest,
    NameIdentifier,
    SamlError,
    posted,
    read_authn_request,
    read_logout_request,
    read_logout_response,
    read_name_id,
    read_posted,
)
from foundation.saml.nodes import MAX_MESSAGE_BYTES, MAX_MESSAGE_NODES
from foundation.saml.requests import MAX_CONTEXTS, MAX_SESSION_INDEXES
from tests.foundation.saml.parties import (
    ENTITY,
    IDP,
    PASSWORD_CONTEXT,
    PERSISTENT,
    SAML,
    authn_request,
    logout_request,
    logout_response,
)

AT = 1796112000.0
"""2026-12-01T08:00:00Z."""
PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
NAME_ID = f'<saml:NameID Format="{PERSISTENT}" SPProvidedID="p">anna</saml:NameID>'


def context(inside: str, comparison: str = "minimum") -> str:
    return f'<samlp:RequestedAuthnContext Comparison="{comparison}">{inside}</samlp:RequestedAuthnContext>'


def test_a_request_with_everything() -> None:
    """Every field that an identity provider has to honour (saml-core-2.0-os section 3.4.1)."""
    inside = (
        f"<saml:Subject>{NAME_ID}</saml:Subject>"
        f'<samlp:NameIDPolicy Format="{PERSISTENT}" SPNameQualifier="urn:affiliation" AllowCreate="1"/>'
        + context(f"<saml:AuthnContextClassRef>\n {PASSWORD_CONTEXT} </saml:AuthnContextClassRef>")
        + '<samlp:Scoping ProxyCount="1"/>'
    )
    attributes = (
        'AssertionConsumerServiceIndex="3" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"'
        ' AttributeConsumingServiceIndex="0" ForceAuthn="true" IsPassive="false" ProviderName="Grafana"'
    )
    assert read_authn_request(authn_request("_1", inside, attributes)) == AuthnRequest(
        id="_1",
        issued=AT,
        issuer=ENTITY,
        destination=f"{IDP}/sso",
        consumer_url="https://grafana.example.com/saml/acs",
        consumer_index=3,
        binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
        attribute_index=0,
        name_id_format=PERSISTENT,
        name_id_qualifier="urn:affiliation",
        allow_create=True,
        comparison="minimum",
        contexts=(PASSWORD_CONTEXT,),
        force_authn=True,
        subject=NameIdentifier(value="anna", format=PERSISTENT, sp_provided_id="p"),
        provider_name="Grafana",
    )


def test_a_request_with_little() -> None:
    """What is not said has the specification's default."""
    read = read_authn_request(authn_request())
    assert (read.consumer_index, read.attribute_index, read.subject, read.contexts) == (None, None, None, ())
    assert (read.comparison, read.force_authn, read.passive, read.allow_create) == ("exact", False, False, False)


def test_a_subject_that_is_encrypted() -> None:
    """Handed on as it is: who holds the key reads it."""
    inside = "<saml:Subject><saml:EncryptedID><x/></saml:EncryptedID></saml:Subject>"
    read = read_authn_request(authn_request(inside=inside))
    assert read.subject is None
    assert read.encrypted_subject.startswith(b"<saml:EncryptedID")
    assert read_name_id(NAME_ID.replace(" Format", f' xmlns:saml="{SAML}" Format').encode()).value == "anna"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-12-01T08:00:00Z", AT),
        ("2026-12-01T08:00:00.5Z", AT + 0.5),
        ("2026-12-01T08:00:00.123456789Z", AT + 0.123456),
        ("2026-12-01T10:00:00+02:00", AT),
        ("2026-12-01T08:00:00", None),
        ("2026-12-01", None),
        ("20261201T080000Z", None),
        ("2026-13-01T08:00:00Z", None),
        ("2026-12-01T08:00:60Z", None),
        ("0000-12-01T08:00:00Z", None),
        ("٢٠٢٦-12-01T08:00:00Z", None),
        ("", None),
    ],
)
def test_times(written: str, seconds: float | None) -> None:
    """UTC, with or without fractions; .NET writes seven digits. Without a zone it is no time."""
    data = authn_request().replace(b"2026-12-01T08:00:00Z", written.encode())
    if seconds is None:
        with pytest.raises(SamlError, match="IssueInstant"):
            read_authn_request(data)
    else:
        assert read_authn_request(data).issued == pytest.approx(seconds, abs=1e-6)


def test_a_logout_request() -> None:
    """Who, which sessions, until when."""
    read = read_logout_request(logout_request(inside="").replace(b'Version="2.0"', b'Version="2.0" Reason="urn:r"'))
    name_id = NameIdentifier(value="anna@corp.example.com", format=PERSISTENT, qualifier=IDP, sp_qualifier=ENTITY)
    assert read == LogoutRequest(
        id="_logout1",
        issued=AT,
        issuer=ENTITY,
        destination=f"{IDP}/slo",
        expires=AT + 300,
        reason="urn:r",
        name_id=name_id,
        session_indexes=("_session1",),
    )


def test_a_logout_response() -> None:
    """In full, in part, or not."""
    assert read_logout_response(logout_response()).succeeded
    read = read_logout_response(logout_response(f'<samlp:StatusCode Value="{PARTIAL}"/>'))
    assert read.status == (SUCCESS, PARTIAL)
    assert not read.succeeded
    assert read.in_response_to == "_logout1"
    message = b"</samlp:StatusCode><samlp:StatusMessage>busy</samlp:StatusMessage>"
    assert read_logout_response(logout_response().replace(b"</samlp:StatusCode>", message)).message == "busy"


@pytest.mark.parametrize(
    ("inside", "attributes", "reason"),
    [
        ("<saml:Issuer>https://evil</saml:Issuer>", "", "2 elements Issuer"),
        ("<samlp:NameIDPolicy/><samlp:NameIDPolicy/>", "", "2 elements NameIDPolicy"),
        (context("") + context(""), "", "2 elements RequestedAuthnContext"),
        (context("", "most"), "", "Comparison"),
        (context("<saml:AuthnContextClassRef>a</saml:AuthnContextClassRef>" * (MAX_CONTEXTS + 1)), "", "more than"),
        (context("<saml:AuthnContextClassRef/>"), "", "AuthnContextClassRef is empty"),
        (context("<saml:AuthnContextClassRef>a<b/>c</saml:AuthnContextClassRef>"), "", "more in it than text"),
        ("<saml:Subject/><saml:Subject/>", "", "2 elements Subject"),
        (f"<saml:Subject>{NAME_ID}{NAME_ID}</saml:Subject>", "", "2 elements NameID"),
        (f"<saml:Subject>{NAME_ID}<saml:EncryptedID/></saml:Subject>", "", "several ways"),
        ("<saml:Subject><saml:BaseID/></saml:Subject>", "", "several ways"),
        (f"<saml:Subject>{NAME_ID.replace('anna', 'a' * 1025)}</saml:Subject>", "", "too long"),
        ("", 'AssertionConsumerServiceIndex="-1"', "not a number"),
        ("", 'AssertionConsumerServiceIndex="65536"', "not a number"),
        ("", 'AssertionConsumerServiceIndex="٣"', "not a number"),
        ("", 'ForceAuthn="yes"', "ForceAuthn is neither"),
        ("", 'ProtocolBinding="' + "a" * 1025 + '"', "ProtocolBinding is too long"),
        ("<!-- -->", "", "comments"),
        ("<?a b?>", "", "processing instructions"),
    ],
    ids=lambda value: value[:40] if "element" in value or "Id" in value else "",
)
def test_requests_that_are_none(inside: str, attributes: str, reason: str) -> None:
    """S09, S12: what is there twice, hides text or is no value of its type, is refused and not guessed at."""
    with pytest.raises(SamlError, match=reason):
        read_authn_request(authn_request(inside=inside, attributes=attributes))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data.replace(b'Version="2.0"', b'Version="1.1"'), "version 2.0"),
        (lambda data: data.replace(b'ID="_request1"', b""), "no ID"),
        (lambda data: data.replace(b'ID="_request1"', b'ID="1"'), "ID is not an identifier"),
        (lambda data: data.replace(b'ID="_request1"', b'ID="' + b"a" * 257 + b'"'), "ID is not an identifier"),
        (lambda data: data.replace(b"<saml:Issuer>", b'<saml:Issuer Format="urn:x">'), "not an entity ID"),
        (lambda data: data.replace(ENTITY.encode(), b" "), "Issuer is empty"),
        (lambda data: data.replace(b"saml:Issuer", b"samlp:Issuer"), "no Issuer"),
        (lambda data: data.replace(b"AuthnRequest", b"LogoutRequest"), "root is LogoutRequest"),
        (lambda data: data.replace(b"SAML:2.0:protocol", b"SAML:2.0:protocol2"), "root is AuthnRequest"),
        (lambda data: b"<?a b?>" + data, "processing instructions"),
        (lambda data: data + b"<!-- -->", "comments"),
        (lambda data: data + b" " * MAX_MESSAGE_BYTES, "bytes"),
        (
            lambda data: data.replace(b"</samlp:AuthnRequest>", b"<a/>" * MAX_MESSAGE_NODES + b"</samlp:AuthnRequest>"),
            "elements",
        ),
    ],
    ids=[
        "version",
        "no ID",
        "number",
        "long ID",
        "format",
        "blank",
        "namespace",
        "root",
        "other",
        "before",
        "after",
        "long",
        "S29 elements",
    ],
)
def test_messages_that_are_none(change: Callable[[bytes], bytes], reason: str) -> None:
    """The head of a message, which every reader shares."""
    with pytest.raises(SamlError, match=reason):
        read_authn_request(change(authn_request()))


def test_logout_messages_that_are_none() -> None:
    """S28: nobody meant, everybody meant, or a thousand sessions."""
    nobody = logout_request().replace(b"saml:NameID", b"saml:Name")
    many = logout_request(inside="<samlp:SessionIndex>_s</samlp:SessionIndex>" * MAX_SESSION_INDEXES)
    deep = f'<samlp:StatusCode Value="{PARTIAL}">' * 5 + "</samlp:StatusCode>" * 5
    with pytest.raises(SamlError, match="not who is meant"):
        read_logout_request(nobody)
    with pytest.raises(SamlError, match="more than 100 elements SessionIndex"):
        read_logout_request(many)
    with pytest.raises(SamlError, match="more than 5 status codes"):
        read_logout_response(logout_response(deep))
    with pytest.raises(SamlError, match="no status code"):
        read_logout_response(logout_response().replace(b"Value", b"Other"))
    with pytest.raises(SamlError, match="no InResponseTo"):
        read_logout_response(logout_response().replace(b"InResponseTo", b"Other"))
    with pytest.raises(SamlError, match="no IssueInstant"):
        read_logout_request(logout_request().replace(b"IssueInstant", b"Other"))


def test_a_form_field() -> None:
    """Base64 with line breaks; nothing else."""
    assert read_posted(posted(authn_request())) == authn_request()
    assert read_posted(base64.encodebytes(authn_request()).decode()) == authn_request()
    for value in ("!", "a", "é", "A" * (2 * MAX_MESSAGE_BYTES + 1)):
        with pytest.raises(SamlError, match="form field"):
            read_posted(value)


MESSAGES = [authn_request(), logout_request(), logout_response()]
READERS = [read_authn_request, read_logout_request, read_logout_response, read_name_id]


@given(st.sampled_from(MESSAGES), st.integers(0, 900), st.binary(max_size=6), st.integers(0, 6))
def test_damaged_messages_are_read_or_refused(message: bytes, at: int, put: bytes, cut: int) -> None:
    """No other exception than SamlError."""
    at %= len(message)
    for reader in READERS:
        with suppress(SamlError):
            reader(message[:at] + put + message[at + cut :])
