"""What an AuthnRequest has to be, and what is answered: the decisions alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from foundation.saml import AuthnRequest
from gateway.federation.saml.checks import (
    AHEAD,
    OLDEST,
    CheckedRequest,
    check_request,
    check_subject,
    choose_consumer,
    choose_context,
)
from gateway.federation.saml.errors import PartyRefused, StatusRefused
from gateway.federation.saml.names import (
    BINDING_POST,
    BINDING_REDIRECT,
    ENCRYPTED_FORMAT,
    ENTITY_FORMAT,
    INVALID_NAME_ID_POLICY,
    NO_AUTHN_CONTEXT,
    NO_PASSIVE,
    PASSWORD,
    PASSWORD_PROTECTED,
    REQUEST_UNSUPPORTED,
    REQUESTER,
    RESPONDER,
    UNKNOWN_PRINCIPAL,
    UNSPECIFIED_CONTEXT,
    UNSPECIFIED_FORMAT,
    UNSUPPORTED_BINDING,
)
from gateway.federation.saml.parties import Party
from gateway.federation.trusts import AssertionConsumer
from tests.gateway.federation.trusts.samples import NOW, person, saml

HERE = "https://signin.example.com/saml/sso"
ENTITY = "https://crm.example.com/saml/metadata"
FIRST = AssertionConsumer(url="https://crm.example.com/saml/acs", index=0)
SECOND = AssertionConsumer(url="https://crm.example.com/saml/acs2", index=7, default=True)
PARTY = Party(trust=saml(), entity_id=ENTITY, consumers=(FIRST, SECOND))
REQUEST = AuthnRequest(id="_1", issued=NOW, issuer=ENTITY, destination=HERE)
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
SMARTCARD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard"


def checked(party: Party = PARTY, *, signed: bool = True, **changes: Any) -> CheckedRequest:
    """What is known of a request after all checks."""
    return check_request(replace(REQUEST, **changes), party, destination=HERE, signed=signed, now=NOW)


def refused(party: Party = PARTY, **changes: Any) -> StatusRefused:
    """What the party is told, and the log."""
    with pytest.raises(StatusRefused) as refusal:
        checked(party, **changes)
    return refusal.value


def test_a_request_with_nothing_special_passes() -> None:
    """So that the refusals below are for their own reason."""
    assert checked() == CheckedRequest(consumer=SECOND, name_id_format=PERSISTENT, context=PASSWORD_PROTECTED)


@pytest.mark.parametrize(
    ("demanded", "signed", "passes"), [(False, False, True), (False, True, True), (True, False, False), (True, True, True)]
)
def test_who_demands_signatures_gets_no_request_without(demanded: bool, signed: bool, passes: bool) -> None:
    """By the trust, or by the party's own metadata: both are in `requests_signed`."""
    party = replace(PARTY, requests_signed=demanded)
    if passes:
        checked(party, signed=signed)
        return
    with pytest.raises(PartyRefused, match=r"^the request is not signed, and the trust demands it$"):
        checked(party, signed=signed)


@pytest.mark.parametrize("destination", ["https://other.example.com/saml/sso", HERE + "/", HERE.upper()])
@pytest.mark.parametrize("signed", [True, False])
def test_what_is_meant_for_another_is_not_answered(destination: str, signed: bool) -> None:
    """Else an answer to one identity provider would be asked for at another."""
    with pytest.raises(PartyRefused, match=f"^it is meant for {destination}, not for {HERE}$"):
        checked(destination=destination, signed=signed)


def test_a_signed_request_says_for_whom() -> None:
    """An unsigned one need not."""
    with pytest.raises(PartyRefused, match=r"^it is signed, and does not say for whom \(Destination\)$"):
        checked(destination="")
    checked(destination="", signed=False)


@pytest.mark.parametrize(
    ("url", "index", "chosen"),
    [
        ("", None, SECOND),  # its default
        ("", 0, FIRST),
        ("", 7, SECOND),
        (FIRST.url, None, FIRST),
        (SECOND.url, None, SECOND),
    ],
)
def test_where_the_answer_goes(url: str, index: int | None, chosen: AssertionConsumer) -> None:
    """By address, by index, or to the default."""
    assert choose_consumer(replace(REQUEST, consumer_url=url, consumer_index=index), PARTY) == chosen


def test_the_first_address_is_the_default_where_none_is() -> None:
    """saml-metadata-2.0-os section 2.2.3."""
    assert choose_consumer(REQUEST, replace(PARTY, consumers=(FIRST, replace(SECOND, default=False)))) == FIRST


@pytest.mark.parametrize(
    ("url", "index", "why"),
    [
        ("https://evil.example.com/acs", None, "the address https://evil.example.com/acs"),
        (FIRST.url + "/", None, "the address"),
        (FIRST.url + "?x=1", None, "the address"),
        (FIRST.url.upper(), None, "the address"),
        ("", 1, "the index 1"),
        (FIRST.url, 0, "^it names an address and an index for the answer$"),
        ("https://evil.example.com/acs", 7, "^it names an address and an index for the answer$"),
    ],
)
def test_the_answer_goes_to_none_but_the_trusts_addresses(url: str, index: int | None, why: str) -> None:
    """Compared letter by letter; nothing is answered, not even with an error."""
    with pytest.raises(PartyRefused, match=why):
        checked(consumer_url=url, consumer_index=index)


def test_a_party_without_addresses_gets_no_answer() -> None:
    """There is nothing to compare with."""
    with pytest.raises(PartyRefused, match=r"^it names no address for its answer, and the trust has none$"):
        checked(replace(PARTY, consumers=()))


@pytest.mark.parametrize(
    ("changes", "code", "sub_code", "detail"),
    [
        ({"binding": BINDING_REDIRECT}, RESPONDER, UNSUPPORTED_BINDING, f"it wants its answer by {BINDING_REDIRECT}"),
        (
            {"name_id_format": ENTITY_FORMAT},
            REQUESTER,
            INVALID_NAME_ID_POLICY,
            f"it wants the name format {ENTITY_FORMAT}",
        ),
        (
            {"name_id_format": TRANSIENT.upper()},
            REQUESTER,
            INVALID_NAME_ID_POLICY,
            f"it wants the name format {TRANSIENT.upper()}",
        ),
        ({"name_id_qualifier": "urn:other"}, REQUESTER, INVALID_NAME_ID_POLICY, "it wants a name made for urn:other"),
        (
            {"name_id_qualifier": ENTITY.upper()},
            REQUESTER,
            INVALID_NAME_ID_POLICY,
            f"it wants a name made for {ENTITY.upper()}",
        ),
        (
            {"force_authn": True, "passive": True},
            RESPONDER,
            NO_PASSIVE,
            "it wants a fresh sign-in without asking the person",
        ),
        ({"issued": NOW - OLDEST - 1}, REQUESTER, REQUEST_UNSUPPORTED, "it is 601 s old"),
        ({"issued": NOW + AHEAD + 1}, REQUESTER, REQUEST_UNSUPPORTED, "it is 121 s ahead of this relay's clock"),
        ({"declarations": ("urn:x",)}, RESPONDER, NO_AUTHN_CONTEXT, "it wants context declarations"),
        ({"contexts": (SMARTCARD, "urn:x")}, RESPONDER, NO_AUTHN_CONTEXT, f"it wants one of {SMARTCARD}, urn:x (exact)"),
    ],
)
def test_what_the_party_is_told(changes: dict[str, Any], code: str, sub_code: str, detail: str) -> None:
    """saml-core-2.0-os section 3.2.2.2; the detail is for the log."""
    refusal = refused(**changes)
    assert (refusal.code, refusal.sub_code, refusal.detail) == (code, sub_code, detail)


def test_a_trust_with_transient_names_gives_no_other() -> None:
    """A party that asks for a name that stays would learn who comes back."""
    passing = replace(PARTY, trust=saml(name_id_format=TRANSIENT))
    for wanted in ("", UNSPECIFIED_FORMAT, TRANSIENT):
        assert checked(passing, name_id_format=wanted).name_id_format == TRANSIENT
    refusal = refused(passing, name_id_format=PERSISTENT)
    assert (refusal.code, refusal.sub_code) == (RESPONDER, INVALID_NAME_ID_POLICY)
    assert refusal.detail == "it wants a name that stays, and its trust gives none"


@pytest.mark.parametrize(
    "changes",
    [
        {"binding": BINDING_POST},
        {"name_id_qualifier": ENTITY},
        {"force_authn": True},
        {"passive": True},
        {"issued": NOW - OLDEST},
        {"issued": NOW + AHEAD},
    ],
)
def test_what_is_just_allowed(changes: dict[str, Any]) -> None:
    """The other side of each boundary above."""
    checked(**changes)


@pytest.mark.parametrize(("wanted", "encrypted"), [(ENCRYPTED_FORMAT, True), (PERSISTENT, False), ("", False)])
def test_a_name_is_encrypted_for_whoever_asks_for_that(wanted: str, encrypted: bool) -> None:
    """saml-core-2.0-os section 8.3.9 and erratum E6: the format says nothing of the name itself."""
    request = checked(name_id_format=wanted)
    assert (request.encrypt_name_id, request.name_id_format) == (encrypted, PERSISTENT)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [("", PERSISTENT), (UNSPECIFIED_FORMAT, PERSISTENT), (TRANSIENT, TRANSIENT), (PERSISTENT, PERSISTENT)],
)
def test_the_format_of_the_name(wanted: str, given: str) -> None:
    """The request's, else the trust's."""
    assert checked(name_id_format=wanted).name_id_format == given
    mail = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    party = replace(PARTY, trust=saml(name_id_format=mail))
    assert checked(party, name_id_format=wanted).name_id_format == (mail if wanted in {"", UNSPECIFIED_FORMAT} else given)


@pytest.mark.parametrize(
    ("comparison", "contexts", "stated"),
    [
        ("exact", (PASSWORD,), PASSWORD),
        ("exact", (UNSPECIFIED_CONTEXT,), UNSPECIFIED_CONTEXT),
        ("exact", (SMARTCARD, PASSWORD), PASSWORD),
        ("exact", (PASSWORD_PROTECTED, PASSWORD), PASSWORD_PROTECTED),
        ("minimum", (PASSWORD,), PASSWORD_PROTECTED),
        ("minimum", (PASSWORD_PROTECTED,), PASSWORD_PROTECTED),
        ("maximum", (PASSWORD_PROTECTED,), PASSWORD_PROTECTED),
        ("better", (PASSWORD,), PASSWORD_PROTECTED),
    ],
)
def test_the_context_that_is_stated(comparison: str, contexts: tuple[str, ...], stated: str) -> None:
    """saml-core-2.0-os section 3.3.2.2.1: of the wanted ones that there is, else the strongest."""
    assert choose_context(replace(REQUEST, comparison=comparison, contexts=contexts)) == stated


@pytest.mark.parametrize(
    ("comparison", "contexts"),
    [
        ("better", (PASSWORD_PROTECTED,)),
        ("better", (SMARTCARD,)),
        ("maximum", (PASSWORD,)),
        ("minimum", (SMARTCARD,)),
        ("exact", (SMARTCARD, "urn:x")),
    ],
)
def test_a_context_that_a_password_does_not_reach(comparison: str, contexts: tuple[str, ...]) -> None:
    """The party is told, instead of a weaker one being stated."""
    assert refused(comparison=comparison, contexts=contexts).sub_code == NO_AUTHN_CONTEXT


@pytest.mark.parametrize("asked", ["", "the name", "ada@corp.example.com", "ada@mail.example.com"])
def test_whoever_was_asked_for(asked: str) -> None:
    """By the name that the party knows, the user name, or the mail address."""
    check_subject(asked, person(mail="ada@mail.example.com"), "the name")


@pytest.mark.parametrize("asked", ["The name", "ada", "CORP\\ada", "bob@corp.example.com"])
def test_somebody_else_than_was_asked_for(asked: str) -> None:
    """Nothing is said of whoever is signed in."""
    with pytest.raises(StatusRefused) as refusal:
        check_subject(asked, person(mail="ada@mail.example.com"), "the name")
    assert (refusal.value.code, refusal.value.sub_code) == (RESPONDER, UNKNOWN_PRINCIPAL)
    assert refusal.value.detail == "somebody else is signed in than it asks for"
