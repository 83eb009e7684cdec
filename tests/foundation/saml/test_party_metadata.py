"""What a service provider's metadata says, and that only what its pinned signer signed is read."""

from __future__ import annotations

import base64
import hashlib
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.saml import MAX_METADATA_BYTES, PartyDescription, PartyEndpoint, SamlError, read_party_metadata, sign_element
from foundation.saml.party_metadata import MAX_ENDPOINTS
from tests.foundation.saml.parties import DS, ENTITY, PERSISTENT, Party, party, text, tree

MD = "urn:oasis:names:tc:SAML:2.0:metadata"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
POST, REDIRECT = ("urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect")
CONSUMER = f'<md:AssertionConsumerService Binding="{POST}" Location="https://grafana.example.com/saml/acs" index="0"/>'


def key(who: Party, use: str = "", inside: str = "") -> str:
    der = base64.encodebytes(who.certificate.der).decode()
    certificate = f"<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    attribute = f' use="{use}"' if use else ""
    return f"<md:KeyDescriptor{attribute}>{certificate}{inside}</md:KeyDescriptor>"


def role(inside: str = CONSUMER, attributes: str = "", protocol: str = PROTOCOL) -> str:
    opening = f'<md:SPSSODescriptor protocolSupportEnumeration="{protocol}" {attributes}>'
    return f"{opening}{inside}</md:SPSSODescriptor>"


def entity(inside: str | None = None, entity_id: str = ENTITY, attributes: str = "", number: int = 1) -> str:
    names = f'xmlns:md="{MD}" xmlns:ds="{DS}" xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui"'
    opening = f'<md:EntityDescriptor {names} ID="_entity{number}" entityID="{entity_id}" {attributes}>'
    return f"{opening}{role() if inside is None else inside}</md:EntityDescriptor>"


def aggregate(*entities: str, attributes: str = "") -> bytes:
    return (
        f'<md:EntitiesDescriptor xmlns:md="{MD}" ID="_all" {attributes}>{"".join(entities)}</md:EntitiesDescriptor>'.encode()
    )


def thumbprint(who: Party) -> str:
    return hashlib.sha256(who.certificate.der).hexdigest()


FULL = entity(
    "<!-- ours -->"
    + role(
        "<md:Extensions><mdui:UIInfo>"
        '<mdui:DisplayName xml:lang="de">Grafana (Köln)</mdui:DisplayName>'
        '<mdui:DisplayName xml:lang="en">Grafana</mdui:DisplayName></mdui:UIInfo></md:Extensions>'
        + key(party("signing"), "signing")
        + key(party("next"), "signing")
        + key(party("reading"), "encryption", '<md:EncryptionMethod Algorithm="urn:gcm"/>')
        + f'<md:SingleLogoutService Binding="{REDIRECT}" Location="https://grafana.example.com/slo"'
        + ' ResponseLocation="https://grafana.example.com/slo/done"/>'
        + f"<md:NameIDFormat>{PERSISTENT}</md:NameIDFormat>"
        + CONSUMER
        + f'<md:AssertionConsumerService Binding="{POST}" Location="http://localhost:3000/acs" index="7" isDefault="true"/>',
        'AuthnRequestsSigned="true" WantAssertionsSigned="1" validUntil="2027-06-01T00:00:00Z"',
    ),
    attributes='validUntil="2027-01-01T00:00:00Z" cacheDuration="PT1H30M"',
)


def test_everything_that_is_said() -> None:
    """Every field; the earliest end counts; comments do not matter."""
    assert read_party_metadata(FULL.encode()) == PartyDescription(
        entity_id=ENTITY,
        consumers=(
            PartyEndpoint(binding=POST, url="https://grafana.example.com/saml/acs"),
            PartyEndpoint(binding=POST, url="http://localhost:3000/acs", index=7, default=True),
        ),
        logout=(
            PartyEndpoint(
                binding=REDIRECT,
                url="https://grafana.example.com/slo",
                response_url="https://grafana.example.com/slo/done",
            ),
        ),
        signing=(party("signing").certificate, party("next").certificate),
        encryption=(party("reading").certificate,),
        encryption_methods=("urn:gcm",),
        want_assertions_signed=True,
        requests_signed=True,
        name_id_formats=(PERSISTENT,),
        display_name="Grafana",
        valid_until=1798761600.0,
        cache_duration=5400.0,
    )


def test_little_is_enough() -> None:
    """As applications write it: one consumer, one key for both uses."""
    read = read_party_metadata(entity(role(key(party("both")) + CONSUMER)).encode())
    assert read.signing == read.encryption == (party("both").certificate,)
    assert (read.valid_until, read.cache_duration, read.display_name, read.logout) == (0.0, 0.0, "", ())
    assert [endpoint.encrypted for endpoint in read_party_metadata(FULL.encode()).consumers] == [True, False]


def test_one_of_several() -> None:
    """A federation's list: by its entity ID; the list's own limits hold, too."""
    other = entity(entity_id="https://other.example", number=2)
    data = aggregate(entity(), other, attributes='validUntil="2026-12-31T00:00:00Z" cacheDuration="P1DT1S"')
    read = read_party_metadata(data, entity_id="https://other.example")
    assert (read.entity_id, read.valid_until, read.cache_duration) == ("https://other.example", 1798675200.0, 86401.0)
    with pytest.raises(SamlError, match="2 entities; say which"):
        read_party_metadata(data)
    with pytest.raises(SamlError, match="0 entities of the expected ID"):
        read_party_metadata(data, entity_id="https://third.example")


def test_another_entity_than_was_expected() -> None:
    """S27: the entity ID of another trust."""
    with pytest.raises(SamlError, match="0 entities of the expected ID"):
        read_party_metadata(entity(entity_id="https://other.example").encode(), entity_id=ENTITY)


def test_two_entities_of_one_id() -> None:
    """S27: neither is taken."""
    with pytest.raises(SamlError, match="2 entities of the expected ID"):
        read_party_metadata(aggregate(entity(), entity(number=2)), entity_id=ENTITY)


# -- the pinned signer


def signed(data: bytes = FULL.encode(), element: str = "_entity1", by: str = "federation") -> bytes:
    return sign_element(data, element, party(by).key, party(by).certificate)


@pytest.mark.parametrize("written", [str, str.upper, lambda text: ":".join(text[at : at + 2] for at in range(0, 64, 2))])
def test_signed_by_the_pinned_key(written: object) -> None:
    """In whatever way the thumbprint was pasted; comments in it do not matter."""
    assert callable(written)
    read = read_party_metadata(signed(), signer=written(thumbprint(party("federation"))))
    assert read.signed_by is not None
    assert read.signed_by.thumbprint == party("federation").certificate.thumbprint
    assert read.consumers == read_party_metadata(FULL.encode()).consumers
    whole = signed(aggregate(entity()), "_all")
    assert read_party_metadata(whole, signer=thumbprint(party("federation"))).signed_by is not None


def forged_certificate() -> bytes:
    """Signed by another key; the certificate beside it is the pinned one."""
    data = signed(by="mallory")
    old, new = (base64.b64encode(party(name).certificate.der) for name in ("mallory", "federation"))
    assert old in data
    return data.replace(old, new)


def inner_signature() -> bytes:
    """The entity is signed, the list around it is not."""
    return aggregate(signed(entity().encode()).decode())


def wrapped() -> bytes:
    """S01, S07: the signed entity in the extensions of an evil one that borrows its signature."""
    genuine = tree(signed())
    evil = tree(entity(role(CONSUMER.replace("grafana", "evil")), attributes='x="1"', number=2).encode())
    signature = genuine.find(f"{{{DS}}}Signature")
    genuine.remove(signature)
    evil.insert(0, signature)
    extensions = tree(f'<md:Extensions xmlns:md="{MD}"/>'.encode())
    extensions.append(genuine)
    evil.insert(1, extensions)
    return text(evil)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(FULL.encode(), id="not signed"),
        pytest.param(signed(by="mallory"), id="another signer"),
        pytest.param(forged_certificate(), id="the pinned certificate beside another key's signature"),
        pytest.param(signed().replace(b"grafana.example.com/saml/acs", b"evil.example/acs"), id="changed"),
        pytest.param(inner_signature(), id="only a part signed"),
        pytest.param(wrapped(), id="wrapped"),
        pytest.param(sign_element(FULL.encode(), "_entity1", party("federation").key, None), id="no certificate"),
        pytest.param(
            sign_element(FULL.encode(), "_entity1", party("federation").key, party("federation").certificate, sha1=True),
            id="SHA-1",
        ),
    ],
)
def test_what_the_pinned_key_has_not_signed_is_refused(data: bytes) -> None:
    """S27: with a pin, nothing else of the document counts."""
    with pytest.raises(SamlError, match="party's metadata: "):
        read_party_metadata(data, signer=thumbprint(party("federation")))


def test_a_comment_in_a_signed_text_hides_nothing() -> None:
    """S09: what is read comes from the verified bytes, in which there is none."""
    data = signed().replace(b":persistent<", b":<!-- -->persistent<")
    assert b"<!-- -->" in data
    assert read_party_metadata(data, signer=thumbprint(party("federation"))).name_id_formats == (PERSISTENT,)


# -- what is refused


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/acs",
        "/acs",
        "",
        "ftp://grafana.example.com/",
        "https://",
        "https:///acs",
        "https://user@grafana.example.com/",
        "https://user:secret@grafana.example.com/",
        "https://grafana.example.com/#fragment",
        "https://grafana.example.com:99999/",
        "https://grafana.example.com\\@evil.example/",
        "https://grafana.example.com/a b",
        "https://grafana.example.com/&#10;x",
        "https://[::1/",
        "https://grafana.example.com/&lt;script&gt;",
        "https://grafana.example.com/" + "a" * 1024,
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    """S22, S27: a page's form would be sent there."""
    for before in ("", f'<md:SingleLogoutService Binding="{POST}" Location="https://a.example/" ResponseLocation="{url}"/>'):
        written = CONSUMER if before else CONSUMER.replace("https://grafana.example.com/saml/acs", url)
        if before and not url:
            continue
        with pytest.raises(SamlError):
            read_party_metadata(entity(role(before + written)).encode())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed"),
        (b"<a/>", "its root is a"),
        (entity("").encode(), "0 service providers"),
        (entity(role(protocol="urn:oasis:names:tc:SAML:1.1:protocol")).encode(), "0 service providers"),
        (entity(role() + role()).encode(), "2 service providers"),
        (entity(role("")).encode(), "no assertion consumer service"),
        (entity(entity_id="").encode(), "no entity ID"),
        (entity(entity_id="a" * 1025).encode(), "entityID is too long"),
        (entity(role(CONSUMER * (MAX_ENDPOINTS + 1))).encode(), "more than 100 elements AssertionConsumerService"),
        (entity(role(CONSUMER.replace('index="0"', 'index="x"'))).encode(), "index is not a number"),
        (entity(attributes='cacheDuration="P"').encode(), "not a duration"),
        (entity(attributes='cacheDuration="-P1D"').encode(), "not a duration"),
        (entity(attributes='cacheDuration="3600"').encode(), "not a duration"),
        (entity(attributes='validUntil="2027-01-01"').encode(), "validUntil is not a time"),
        (entity(role(f"<md:NameIDFormat>a<!-- -->b</md:NameIDFormat>{CONSUMER}")).encode(), "more in it than text"),
        (b"<!DOCTYPE a>" + entity().encode(), "document type"),
        (b" " * (MAX_METADATA_BYTES + 1), "more than"),
        (entity(role(key(party()) * 201 + CONSUMER)).encode(), "more than 200 certificates"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_documents_that_are_none(data: bytes, reason: str) -> None:
    """S10, S27, S29: said in one way, in bounded time."""
    begun = time.process_time()
    with pytest.raises(SamlError, match=reason):
        read_party_metadata(data)
    assert time.process_time() - begun < 1


def test_a_certificate_that_cannot_be_read_is_told() -> None:
    """The rest of the document counts all the same."""
    broken = key(party("broken"), "signing").replace("MII", "!!!", 1)
    read = read_party_metadata(entity(role(broken + key(party()) + CONSUMER)).encode())
    assert read.signing == (party().certificate,)
    assert read.unreadable == ("signing certificate 1: a certificate is not base64",)


SIGNED = signed()


@given(st.integers(0, len(SIGNED) - 1), st.binary(min_size=1, max_size=6), st.integers(0, 6))
def test_damage_is_refused_or_means_the_same(at: int, put: bytes, cut: int) -> None:
    """Damage anywhere: what the pin lets through says what was signed."""
    pinned = thumbprint(party("federation"))
    with suppress(SamlError):
        read = read_party_metadata(SIGNED[:at] + put + SIGNED[at + cut :], signer=pinned)
        assert read == read_party_metadata(SIGNED, signer=pinned)


@given(st.integers(0, len(FULL) - 1), st.binary(max_size=6), st.integers(0, 6))
def test_any_document_is_read_or_refused(at: int, put: bytes, cut: int) -> None:
    """No other exception."""
    data = FULL.encode()
    with suppress(SamlError):
        read_party_metadata(data[:at] + put + data[at + cut :])
