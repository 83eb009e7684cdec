"""What a file that turned up is, and whether the trail knows it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.federation.inspection.errors import NotEvidence
from gateway.federation.inspection.evidence import LARGEST, read_evidence
from gateway.federation.inspection.issued import IssuedSearch
from gateway.protocol import AccountId
from gateway.store import AuditEvent, Store
from tests.gateway.federation.inspection.samples import ASSERTION_ID, ISSUER, NOW, RESPONSE, jwt

TOKEN = jwt(jti="t-1", iss=ISSUER, aud=["app", "api"], iat=NOW)


def test_a_token_is_found_in_whatever_it_comes_in() -> None:
    """By itself, in a header, in the answer of a token endpoint; with what it says of itself."""
    (alone,) = read_evidence(f"{TOKEN}\n".encode())
    assert (alone.form, alone.id, alone.issuer, alone.audience, alone.key) == ("JWT", "t-1", ISSUER, "app api", "k-1")
    assert (alone.issued_at, alone.sha256) == (NOW, hashlib.sha256(TOKEN.encode()).hexdigest())
    assert read_evidence(f"Authorization: Bearer {TOKEN}".encode()) == [alone]
    answer = json.dumps({"access_token": TOKEN, "refresh_token": "r" * 43, "expires_in": 600})
    found = read_evidence(answer.encode())
    assert [evidence.form for evidence in found] == ["JWT", "opaque token"]


def test_a_response_is_found_in_whatever_it_comes_in() -> None:
    """XML, base64, the body of a form, a copied address."""
    (plain,) = read_evidence(RESPONSE)
    assert (plain.form, plain.id, plain.issuer) == ("SAML response", ASSERTION_ID, ISSUER + "/saml/metadata")
    encoded = base64.b64encode(RESPONSE).decode()
    assert read_evidence(encoded.encode()) == [plain]
    assert read_evidence(urlencode({"SAMLResponse": encoded, "RelayState": "x"}).encode()) == [plain]
    assertion = RESPONSE[RESPONSE.index(b"<a:Assertion") : RESPONSE.index(b"</p:Response>")]
    (lone,) = read_evidence(
        assertion.replace(b"<a:Assertion", b'<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion"')
    )
    assert (lone.form, lone.id) == ("SAML assertion", ASSERTION_ID)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "neither a token"),
        (b"\xff\xfe", "no text"),
        (b"hello world, this is a note", "neither a token"),
        (b"<html><body/></html>", "its root is html"),
        (b"<!DOCTYPE x [<!ENTITY e 'x'>]><x>&e;</x>", "document type"),
        (b"{}", "none of access_token"),
        (b'{"access_token": 5}', "none of access_token"),
        (b"{", "begins as JSON"),
        (b"a" * (LARGEST + 1), "more than 512 kB"),
    ],
)
def test_what_is_no_evidence_is_told(data: bytes, problem: str) -> None:
    """With what would be."""
    with pytest.raises(NotEvidence) as refused:
        read_evidence(data)
    assert problem in str(refused.value)
    assert "give a file with a token" in str(refused.value)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.just(RESPONSE[:-9])))
def test_no_file_is_too_odd(data: bytes) -> None:
    """It is evidence, or it is said why not."""
    with contextlib.suppress(NotEvidence):
        assert read_evidence(data)


async def issue(store: Store, time: float, **detail: str) -> None:
    await store.audit.append(
        AuditEvent(
            time=time,
            kind="federation.issued",
            actor="trust:wiki",
            subject="anna@corp.example.com",
            account=AccountId("9d1c", "3f1c"),
            address="192.0.2.7",
            correlation_id="0a202933cc1a983d",
            via="oidc",
            detail=detail,
        )
    )


async def test_a_token_that_was_issued_is_known_by_its_hash(store: Store) -> None:
    """By whom, to whom, when; and whose token it is not is not told apart by its identifier alone."""
    search = IssuedSearch(store, issuer=ISSUER)
    await issue(store, NOW + 2, jti="t-1", access_token=hashlib.sha256(TOKEN.encode()).hexdigest(), scope="openid")
    await issue(store, NOW + 3, jti="t-2", access_token="0" * 64)
    (view,) = await search.find(TOKEN.encode())
    (found,) = view.issued
    assert (found.what, found.matched, found.trust, found.user) == ("access_token", "hash", "wiki", "anna@corp.example.com")
    assert (found.time, found.reference, found.protocol, view.own_issuer) == (NOW + 2, "0a202933cc1a983d", "oidc", True)
    altered = jwt(jti="t-1", iss=ISSUER, aud="app", iat=NOW, admin=True)
    (view,) = await search.find(altered.encode())
    assert [issue.matched for issue in view.issued] == ["id"]
    (view,) = await search.find(jwt(jti="t-9", iss=ISSUER, iat=NOW).encode())
    assert (view.issued, view.own_issuer, view.own_key) == ([], True, False)


async def test_a_response_and_its_assertion_are_known(store: Store) -> None:
    """The response by its bytes, the assertion by its ID."""
    await issue(store, NOW, assertion_id=ASSERTION_ID, response=hashlib.sha256(RESPONSE).hexdigest())
    search = IssuedSearch(store, issuer=ISSUER)
    (view,) = await search.find(RESPONSE)
    assert [(found.what, found.matched) for found in view.issued] == [("response", "hash")]
    (view,) = await search.find(RESPONSE.replace(b"Anna", b"Eve"))
    assert [(found.what, found.matched) for found in view.issued] == [("assertion", "id")]


async def test_an_opaque_token_is_looked_for_in_the_whole_trail(store: Store) -> None:
    """It says nothing of itself; however many entries there are, and only in the time that is asked for."""
    secret = "r" * 43
    await issue(store, NOW - 9e6, refresh_token=hashlib.sha256(secret.encode()).hexdigest())
    for number in range(3):
        await issue(store, NOW + number, jti=str(number))
    search = IssuedSearch(store, issuer=ISSUER)
    assert len((await search.find(secret.encode()))[0].issued) == 1
    assert (await search.find(secret.encode(), since=NOW))[0].issued == []
