"""SAML service providers of other makes: Lasso (C), and python3-saml (libxml2 and xmlsec)."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from foundation.saml import read_party_metadata, read_redirect
from tests.interop.foreign import ForeignParty, ForeignProvider, keep_metadata
from tests.interop.site import ANNA, PASSWORD, FederatedSite, federated
from tests.interop.visitor import Page, Visitor

pytestmark = pytest.mark.interop

LASSO = ForeignProvider("lasso", Path("/usr/bin/python3"))
_LOCK = Path(__file__).parents[2] / "requirements" / "interop.txt"
_FORMS = "urn:oasis:names:tc:SAML:2.0:nameid-format"
PERSISTENT, TRANSIENT = f"{_FORMS}:persistent", f"{_FORMS}:transient"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
DEEP = "https://party.example.com/deep?a=1&b=ü"


@pytest.fixture(scope="session")
def onelogin(tmp_path_factory: pytest.TempPathFactory) -> ForeignProvider:
    """python3-saml in an environment of its own, installed as its lock says."""
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    home = tmp_path_factory.getbasetemp().parent / f"onelogin-{digest}"
    if not home.exists():
        made = home.with_suffix(f".{os.getpid()}")
        run(sys.executable, "-m", "venv", "--without-pip", str(made))
        pip = (
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--python",
            str(made / "bin" / "python"),
        )
        run(*pip, "install", "--require-hashes", "--requirement", str(_LOCK))
        try:
            made.rename(home)
        except OSError:  # another worker was quicker
            shutil.rmtree(made)
    return ForeignProvider("onelogin", home / "bin" / "python")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[FederatedSite]:
    async with federated(tmp_path) as made:
        yield made


@asynccontextmanager
async def started(site: FederatedSite, provider: ForeignProvider, **fields: Any) -> AsyncIterator[ForeignParty]:
    """It has read our metadata, and we have read its own."""
    trust = provider.trust(**fields)
    await site.trust(trust)
    async with Visitor(site.ca_file) as visitor:
        ours = (await visitor.open(f"{site.url}/saml/metadata")).text
    async with ForeignParty(provider, ours, f"{site.url}/saml/metadata") as running:
        security = {"encrypted": trust.saml.encrypt, "name_encrypted": trust.saml.encrypt_name_id}
        theirs = await running.ask("metadata", **security)
        await keep_metadata(site, trust, theirs["metadata"])
        yield running


def visitor_of(site: FederatedSite, provider: ForeignProvider) -> Visitor:
    return Visitor(site.ca_file, stop_at=provider.origin)


async def signed_in(visitor: Visitor, asked: dict[str, Any], provider: ForeignProvider) -> dict[str, str]:
    """What the browser brings back to a party that sent it here."""
    page = await visitor.open(asked["url"], asked.get("fields"))
    page = await visitor.sign_in(page, ANNA, PASSWORD)
    return response_in(page, provider)


def response_in(page: Page, provider: ForeignProvider) -> dict[str, str]:
    assert page.url == provider.acs, page.text
    return dict(page.posted)


def check_anna(told: dict[str, Any], name_id_format: str = PERSISTENT) -> None:
    assert "error" not in told, told
    assert told["attributes"]["mail"] == told["attributes"]["uid"] == [ANNA]
    assert told["attributes"]["displayName"] == ["Anna Berg"]
    assert told["name_id"]
    assert told["name_id_format"] == name_id_format
    assert told["session_index"]


_HOW: dict[str, dict[str, Any]] = {
    "assertion signed": {},
    "both signed": {"sign": "both"},
    "encrypted, GCM": {"encrypt": True},
    "encrypted, CBC, response signed": {"encrypt": True, "encryption_cipher": "aes256-cbc", "sign": "both"},
}


@pytest.mark.parametrize("binding", ["redirect", "post"])
@pytest.mark.parametrize("fields", [*_HOW.values(), {"sign": "response"}], ids=[*_HOW, "response signed"])
async def test_lasso_signs_in(site: FederatedSite, fields: dict[str, Any], binding: str) -> None:
    """A signed request by each binding, and every form of answer; the deep link comes back."""
    async with started(site, LASSO, **fields) as lasso, visitor_of(site, LASSO) as visitor:
        asked = await lasso.ask("request", binding=binding, relay_state=DEEP)
        answer = await signed_in(visitor, asked, LASSO)
        assert (b"EncryptedAssertion" in base64.b64decode(answer["SAMLResponse"])) == fields.get("encrypt", False)
        told = await lasso.ask("response", fields=answer)
        check_anna(told)
        assert told["relay_state"] == DEEP


@pytest.mark.parametrize("fields", _HOW.values(), ids=_HOW)
async def test_python3_saml_signs_in(site: FederatedSite, onelogin: ForeignProvider, fields: dict[str, Any]) -> None:
    """In its strict mode: it wants assertions signed, and encrypted where it says so."""
    async with started(site, onelogin, **fields) as running, visitor_of(site, onelogin) as visitor:
        answer = await signed_in(visitor, await running.ask("request", relay_state=DEEP), onelogin)
        told = await running.ask("response", fields=answer)
        check_anna(told)
        assert told["relay_state"] == DEEP


async def test_each_party_takes_the_name_of_its_kind(site: FederatedSite) -> None:
    """The policy of a request asks for a format: another name for each, and a new one each time where it is transient."""
    async with started(site, LASSO) as lasso, visitor_of(site, LASSO) as visitor:
        names = []
        answer = await signed_in(visitor, await lasso.ask("request", name_id_format=EMAIL), LASSO)
        told = await lasso.ask("response", fields=answer)
        check_anna(told, EMAIL)
        assert told["name_id"] == ANNA
        for form in (PERSISTENT, PERSISTENT, TRANSIENT, TRANSIENT):
            asked = await lasso.ask("request", name_id_format=form)
            told = await lasso.ask("response", fields=response_in(await visitor.open(asked["url"]), LASSO))
            check_anna(told, form)
            names.append(told["name_id"])
        assert names[0] == names[1]
        assert len(set(names)) == 3


async def test_a_party_wants_a_new_sign_in(site: FederatedSite) -> None:
    """ForceAuthn: the page is shown although the person is signed in."""
    async with started(site, LASSO) as lasso, visitor_of(site, LASSO) as visitor:
        await signed_in(visitor, await lasso.ask("request"), LASSO)
        forced = await signed_in(visitor, await lasso.ask("request", force=True), LASSO)
        check_anna(await lasso.ask("response", fields=forced))


@pytest.mark.parametrize("make", ["lasso", "onelogin"])
async def test_a_sign_in_begins_here(site: FederatedSite, onelogin: ForeignProvider, make: str) -> None:
    """IdP-initiated: nobody asked, and the party takes the answer with the place in it that the person wants to go to."""
    provider = {"lasso": LASSO, "onelogin": onelogin}[make]
    async with (
        started(site, provider, idp_initiated=True, encrypt=True) as running,
        visitor_of(site, provider) as visitor,
    ):
        begin = {"url": f"{site.url}/saml/start/{provider.name}?RelayState=%2Fdeep"}
        told = await running.ask("response", fields=await signed_in(visitor, begin, provider))
        check_anna(told)
        assert told["relay_state"] == "/deep"


@pytest.mark.parametrize("make", ["lasso", "onelogin"])
async def test_what_was_changed_on_the_way_is_no_sign_in(site: FederatedSite, onelogin: ForeignProvider, make: str) -> None:
    """The parties verify what they are given: it is the signature that made the tests before this one pass."""
    provider = {"lasso": LASSO, "onelogin": onelogin}[make]
    async with started(site, provider) as running, visitor_of(site, provider) as visitor:
        answer = await signed_in(visitor, await running.ask("request"), provider)
        document = base64.b64decode(answer["SAMLResponse"])
        assert b"Anna Berg" in document
        changed = document.replace(b"Anna Berg", b"Hans Berg")
        told = await running.ask("response", fields={**answer, "SAMLResponse": base64.b64encode(changed).decode()})
        assert told["error"]


async def test_two_parties_know_one_person_by_two_names(site: FederatedSite, onelogin: ForeignProvider) -> None:
    """One session here, a name for each; and what is for one party is refused by the other."""
    async with started(site, LASSO) as lasso, started(site, onelogin) as other:
        async with visitor_of(site, LASSO) as visitor:
            answer = await signed_in(visitor, await lasso.ask("request"), LASSO)
        async with visitor_of(site, onelogin) as visitor:
            answer_too = await signed_in(visitor, await other.ask("request"), onelogin)
        refused = await other.ask("response", fields=answer, asked=False)
        assert refused["error"]
        told, told_too = await lasso.ask("response", fields=answer), await other.ask("response", fields=answer_too)
        assert told["name_id"] != told_too["name_id"]


async def test_metadata_of_python3_saml_is_read(site: FederatedSite, onelogin: ForeignProvider) -> None:
    """What it writes of itself: addresses, and keys for each use."""
    async with started(site, onelogin, encrypt=True) as running:
        described = read_party_metadata((await running.ask("metadata", encrypted=True))["metadata"].encode())
        assert described.entity_id == f"{onelogin.origin}/saml"
        assert described.requests_signed
        assert [consumer.url for consumer in described.consumers] == [onelogin.acs]
        assert described.signing
        assert described.encryption


@pytest.mark.parametrize("make", ["lasso", "onelogin"])
async def test_names_are_encrypted_both_ways(site: FederatedSite, onelogin: ForeignProvider, make: str) -> None:
    """The party reads the name that it is given, and leaves with it encrypted for us: as CBC, for both know nothing else."""
    provider = {"lasso": LASSO, "onelogin": onelogin}[make]
    fields = {"encrypt_name_id": True, "accept_cbc": True, "encryption_cipher": "aes128-cbc"}
    async with started(site, provider, **fields) as running, visitor_of(site, provider) as visitor:
        answer = await signed_in(visitor, await running.ask("request"), provider)
        document = base64.b64decode(answer["SAMLResponse"])
        assert (b"EncryptedID" in document, b":NameID" in document) == (True, False)
        check_anna(await running.ask("response", fields=answer))
        asked = await running.ask("leave", **({"encrypted": "aes-256"} if make == "lasso" else {}))
        sent = read_redirect(asked["url"].partition("?")[2]).document
        assert (b"EncryptedID" in sent, b":NameID" in sent) == (True, False)
        page = await visitor.open(asked["url"])
        assert await running.ask("left", query=page.url.partition("?")[2]) == {}
        assert (await visitor.open(f"{site.url}/account")).url.startswith(f"{site.url}/signin")


@pytest.mark.parametrize("make", ["lasso", "onelogin"])
async def test_a_party_reads_an_encrypted_name_in_our_logout_request(
    site: FederatedSite, onelogin: ForeignProvider, make: str
) -> None:
    """By AES-GCM, which both decrypt."""
    provider = {"lasso": LASSO, "onelogin": onelogin}[make]
    async with started(site, provider, encrypt_name_id=True) as running, visitor_of(site, provider) as visitor:
        await running.ask("response", fields=await signed_in(visitor, await running.ask("request"), provider))
        _, fields = (await visitor.open(f"{site.url}/account")).form("csrf")
        page = await visitor.open(f"{site.url}/signout", fields)
        assert page.url.startswith(f"{provider.origin}/slo?"), page.text
        query = page.url.partition("?")[2]
        assert b"EncryptedID" in read_redirect(query).document
        answer = await running.ask("asked", query=query)
        page = await visitor.open(answer["url"])
        assert "signed out" in page.text, page.text


@pytest.mark.parametrize("first", ["lasso", "onelogin"])
async def test_two_parties_leave_one_session(site: FederatedSite, onelogin: ForeignProvider, first: str) -> None:
    """One asks, the other is told by the browser and answers, the first is answered: each takes the other's signatures."""
    async with (
        started(site, LASSO) as lasso,
        started(site, onelogin) as other,
        Visitor(site.ca_file, stop_at=(LASSO.origin, onelogin.origin)) as visitor,
    ):
        parties = {"lasso": lasso, "onelogin": other}
        await lasso.ask("response", fields=await signed_in(visitor, await lasso.ask("request"), LASSO))
        page = await visitor.open((await other.ask("request"))["url"])
        await other.ask("response", fields=response_in(page, onelogin))
        asks, told = parties.pop(first), parties.popitem()[1]
        page = await visitor.open((await asks.ask("leave"))["url"])
        assert page.url.startswith(f"{told.provider.origin}/slo?SAMLRequest="), page.text
        answer = await told.ask("asked", query=page.url.partition("?")[2])
        page = await visitor.open(answer["url"])
        assert page.url.startswith(f"{asks.provider.origin}/slo?SAMLResponse="), page.text
        assert await asks.ask("left", query=page.url.partition("?")[2]) == {}
        assert (await visitor.open(f"{site.url}/account")).url.startswith(f"{site.url}/signin")
