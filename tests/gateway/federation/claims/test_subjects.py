"""Under which name an application knows a person."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.federation.claims import (
    ClaimsPolicy,
    NameId,
    NameUnavailable,
    account_of,
    name_id,
    pairwise_subject,
    public_subject,
    source_anchor,
    subject_of,
    trust_subject,
)
from gateway.federation.claims.subjects import EMAIL_ADDRESS, PERSISTENT, TRANSIENT, UNSPECIFIED
from gateway.protocol import AccountId, Identity
from tests.gateway.federation.claims.people import ANNA, GUID, SECRET, issued, person

ACCOUNT = account_of(ANNA)
TEXT = st.text(max_size=12)


def test_a_subject_of_our_own_is_short_ascii_and_says_nothing() -> None:
    """43 characters of base64url: OpenID Connect Core section 2 takes 255, SAML 256."""
    for subject in (
        public_subject(ACCOUNT, SECRET),
        pairwise_subject("app.example.com", ACCOUNT, SECRET),
        trust_subject("wiki", ACCOUNT, SECRET),
    ):
        assert len(subject) == 43
        assert subject.isascii()
        assert GUID.replace("-", "") not in subject


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=2, max_size=6, unique=True))
def test_no_two_accounts_or_sectors_share_a_subject(triples: list[tuple[str, str, str]]) -> None:
    """Pairwise subjects collide where parts are joined without their lengths."""
    made = {pairwise_subject(sector, AccountId(*account), SECRET) for sector, *account in triples}
    assert len(made) == len(triples)


def test_parts_cannot_be_moved_into_each_other() -> None:
    """`ab` and `c` is not `a` and `bc`, with any separator, nor one kind of subject another."""
    texts = ["", "a", "ab", "abc", "a\0b", "a|b", "\0\0\0\0\0\0\0\1a"]
    made = [
        pairwise_subject(sector, AccountId(directory, guid), SECRET)
        for sector, directory, guid in itertools.product(texts, repeat=3)
    ]
    made += [public_subject(AccountId(directory, guid), SECRET) for directory, guid in itertools.product(texts, repeat=2)]
    made += [trust_subject(sector, AccountId("a", "b"), SECRET) for sector in texts]
    assert len(set(made)) == len(made)


def test_subjects_stay_what_they_are() -> None:
    """What an application has kept must be found again after every release: HMAC-SHA256 by another's hand."""
    account = AccountId("d", "äö")

    def expected(*parts: bytes) -> str:
        message = b"".join(struct.pack(">Q", len(part)) + part for part in parts)
        return base64.urlsafe_b64encode(hmac.new(SECRET, message, hashlib.sha256).digest()).decode().rstrip("=")

    assert public_subject(account, SECRET) == expected(b"public", b"d", "äö".encode())
    assert pairwise_subject("s", account, SECRET) == expected(b"pairwise", b"s", b"d", "äö".encode())
    assert trust_subject("t", account, SECRET) == expected(b"trust", b"t", b"d", "äö".encode())
    assert len(public_subject(AccountId("\ud800", "x"), SECRET)) == 43


def test_another_secret_makes_other_subjects() -> None:
    """Whoever has the identifiers of accounts cannot compute their subjects."""
    assert public_subject(ACCOUNT, SECRET) != public_subject(ACCOUNT, SECRET[::-1])


def test_a_subject_follows_the_account_and_no_name() -> None:
    """Renamed, it stays; the same name of another account is another, so is the same identifier in another directory."""
    name = issued(ClaimsPolicy()).subject
    assert issued(ClaimsPolicy(), person(user_name="new@corp.example.com", mail="", account_name="new")).subject == name
    assert issued(ClaimsPolicy(), person(object_guid=str(uuid.UUID(int=7)))).subject != name
    assert issued(ClaimsPolicy(), person(directory="another")).subject != name


def test_subjects_are_public_pairwise_or_for_a_trust() -> None:
    """By protocol and sector."""
    assert issued(ClaimsPolicy()).subject == public_subject(ACCOUNT, SECRET)
    assert issued(ClaimsPolicy(), sector="a.example").subject == pairwise_subject("a.example", ACCOUNT, SECRET)
    assert issued(ClaimsPolicy(), protocol="saml").subject == trust_subject("wiki", ACCOUNT, SECRET)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("user_name", "anna@corp.example.com"),
        ("account_name", "anna"),
        ("mail", "anna.berg@example.com"),
        ("object_guid", GUID),
        ("source_anchor", source_anchor(GUID, None)),
        ("attribute:department", "Research"),
        ("attribute:DEPARTMENT", "Research"),
    ],
)
def test_a_subject_can_come_from_the_directory(source: str, name: str) -> None:
    """As the trust says."""
    assert issued(ClaimsPolicy(subject=source)).subject == name
    assert issued(ClaimsPolicy(subject=source), protocol="saml").subject == name


@pytest.mark.parametrize(
    ("source", "changes", "why"),
    [
        ("mail", {"mail": ""}, "is empty"),
        ("attribute:employeeID", {}, "is empty"),
        ("attribute:proxyAddresses", {}, "has 2 values"),
        ("source_anchor", {"attributes": {"mS-DS-ConsistencyGuid": ("AAAA",)}}, "has 3 bytes"),
        ("source_anchor", {"attributes": {"mS-DS-ConsistencyGuid": ("!",)}}, "is not base64"),
        ("source_anchor", {"object_guid": "none"}, "badly formed"),
        ("", {"object_guid": ""}, "no identifier"),
        ("mail", {"mail": "a\x00@example.com"}, "control characters"),
        ("mail", {"mail": "a@example.com\n"}, "blanks at an end"),
        ("mail", {"mail": "\ta@example.com"}, "blanks at an end"),
        ("mail", {"mail": "a@example.com "}, "blanks at an end"),
        ("mail", {"mail": "a@\rexample.com"}, "control characters"),
    ],
)
@pytest.mark.parametrize("protocol", ["oidc", "saml"])
def test_whoever_has_no_one_subject_is_not_signed_in(
    source: str, changes: dict[str, object], why: str, protocol: str
) -> None:
    """Neither an empty subject nor the first of several: it could be somebody else's."""
    found = issued(ClaimsPolicy(subject=source), person(**changes), "saml" if protocol == "saml" else "oidc")
    assert why in found.refused
    assert found.subject == ""
    assert found.values == {}
    assert found.steps[0].outcome == "refused"


@pytest.mark.parametrize("name", ["jürgen@example.com", "a" * 256])
def test_a_sub_is_255_characters_of_ascii(name: str) -> None:
    """OpenID Connect Core section 2. SAML takes both."""
    assert "ASCII" in issued(ClaimsPolicy(subject="user_name"), person(user_name=name)).refused
    assert issued(ClaimsPolicy(subject="user_name"), person(user_name=name), "saml").subject == name
    assert issued(ClaimsPolicy(subject="user_name"), person(user_name="a" * 255)).subject == "a" * 255


@pytest.mark.parametrize("name", ["a\x85b", "a\u2028b", "a\ufffeb", "\u00a0a", "a\u3000"])
def test_a_subject_is_read_in_one_way_only(name: str) -> None:
    """A parser that changes or drops a character makes another person's name of it."""
    assert "control characters" in issued(ClaimsPolicy(subject="user_name"), person(user_name=name), "saml").refused


def test_the_source_anchor_is_what_entra_connect_writes() -> None:
    """Base64 of the 16 bytes as Active Directory keeps them: the first three parts of a GUID are little endian."""
    anchor = source_anchor("03020100-0504-0706-0809-0a0b0c0d0e0f", None)
    assert base64.b64decode(anchor) == bytes(range(16))
    assert source_anchor(GUID, anchor) == anchor
    assert issued(
        ClaimsPolicy(subject="source_anchor"), person(attributes={"ms-ds-consistencyguid": (anchor,)}), "saml"
    ).subject == (anchor)


@pytest.mark.parametrize("kept", ["", "AAAA", "=", "A" * 24 + "!", base64.b64encode(bytes(17)).decode()])
def test_a_consistency_guid_that_is_none_is_an_error(kept: str) -> None:
    """To fall back to objectGUID would make another person of this one in the cloud."""
    with pytest.raises(ValueError, match=r"^mS-DS-ConsistencyGuid (is not base64|has \d+ bytes)"):
        source_anchor(GUID, kept)


def test_an_identity_becomes_a_subject_whole() -> None:
    """Each field under its own name."""
    identity = Identity(
        object_guid=ANNA.object_guid,
        user_name=ANNA.user_name,
        domain=ANNA.domain,
        sid=ANNA.sid,
        account_name=ANNA.account_name,
        mail=ANNA.mail,
        display_name=ANNA.display_name,
        given_name=ANNA.given_name,
        surname=ANNA.surname,
        dn=ANNA.dn,
        groups=ANNA.groups,
        attributes=ANNA.attributes,
        directory=ANNA.directory,
    )
    assert subject_of(identity, ANNA.address) == ANNA
    assert account_of(ANNA) == identity.account


DEFAULT = ClaimsPolicy()
ISSUER, PARTY = "https://idp.example.com/saml/metadata", "https://sp.example.com"


def named(issued_subject: str, kind: str, policy: ClaimsPolicy = DEFAULT, *, escape_plus: bool = False) -> NameId:
    return name_id(
        policy, ANNA, issued_subject, format=kind, issuer=ISSUER, party=PARTY, fresh="_fresh", escape_plus=escape_plus
    )


@pytest.mark.parametrize(
    ("kind", "value", "qualified"),
    [
        (PERSISTENT, "a+b", True),
        (TRANSIENT, "_fresh", True),
        (EMAIL_ADDRESS, "anna.berg@example.com", False),
        (UNSPECIFIED, "a+b", False),
    ],
)
def test_a_name_identifier_has_the_value_and_the_qualifiers_of_its_format(kind: str, value: str, qualified: bool) -> None:
    """SAML Core section 8.3."""
    found = named("a+b", kind)
    assert (found.format, found.value) == (kind, value)
    assert (found.name_qualifier, found.sp_name_qualifier) == ((ISSUER, PARTY) if qualified else ("", ""))


def test_entra_id_gets_its_plus_escaped() -> None:
    """Only where its preset says so; nowhere else does a subject change."""
    assert named("a+b+", PERSISTENT, escape_plus=True).value == "a.2Bb.2B"


def test_a_mail_address_as_name_is_the_subject_where_the_trust_says_what_that_is() -> None:
    """And else the person's address."""
    policy = ClaimsPolicy(subject="user_name")
    assert named(ANNA.user_name, EMAIL_ADDRESS, policy).value == ANNA.user_name


@pytest.mark.parametrize(
    ("kind", "subject", "why"),
    [
        (EMAIL_ADDRESS, "", ": the person has no mail address$"),
        (EMAIL_ADDRESS, "anna", ": the subject is no mail address$"),
        (EMAIL_ADDRESS, "a@b@c", "is no mail address"),
        (EMAIL_ADDRESS, "a(x)@b", "is no mail address"),
        (EMAIL_ADDRESS, "a@b\n", "is no mail address"),
        (EMAIL_ADDRESS, "a@b,c@d", "is no mail address"),
        (PERSISTENT, "a" * 257, "257 characters"),
        ("urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos", "a", ": it is not known here$"),
        ("", "a", ": it is not known here$"),
    ],
)
def test_a_name_that_does_not_fit_its_format_is_refused(kind: str, subject: str, why: str) -> None:
    """An address that applications read in two ways names two people."""
    with pytest.raises(NameUnavailable, match=why) as caught:
        named(subject, kind, ClaimsPolicy(subject="attribute:x"))
    assert caught.value.format == kind
    assert caught.value.args == (kind, caught.value.reason)


def test_the_longest_persistent_name_has_256_characters() -> None:
    """SAML Core section 8.3.7; and nothing is escaped unless it is asked for."""
    longest = name_id(ClaimsPolicy(), ANNA, "+" * 256, format=PERSISTENT, issuer=ISSUER, party=PARTY, fresh="")
    assert longest.value == "+" * 256
