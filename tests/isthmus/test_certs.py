"""`isthmus certs`: the keys that sign tokens and SAML messages, where no relay runs."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.app import load_keys, open_relay_store, serving
from gateway.federation import key_context
from gateway.federation.keys import SigningKeys
from gateway.federation.trusts import ClientSecret, KeyNotice, OidcClient, Trust, write_trust
from gateway.settings import ServerSettings
from gateway.store import TrustRecord
from isthmus.relay_settings import RelaySettings
from settings import load_settings
from tests.isthmus.conftest import Run

TRUST = Trust(
    id="payroll",
    name="Payroll",
    protocol="oidc",
    keys=KeyNotice(learns="by hand"),
    contact="ann@example.com",
    oidc=OidcClient(redirect_uris=("https://payroll.example.com/callback",), secrets=(ClientSecret(digest="ab" * 32),)),
)


def settings_of(config: Path) -> ServerSettings:
    return load_settings(config, RelaySettings).server


@pytest.fixture
def keyed(ready: Path) -> Path:
    """A relay with an application that installs keys by hand, and the first keys."""

    async def prepare() -> None:
        settings = settings_of(ready)
        store = open_relay_store(settings, load_keys(settings, time.time()))
        unit = store.unit()
        document = write_trust(TRUST)
        unit.put_trust(
            TrustRecord(id=TRUST.id, version=1, document=document, changed_at=time.time(), changed_by="admin:ann")
        )
        await unit.commit()
        context = key_context(settings.federation, store, settings.public_url, time.time)
        await SigningKeys(store, context.settings, host=context.host, clock=time.time).begin()
        await store.close()

    asyncio.run(prepare())
    return ready


def change_trust(config: Path, trust: Trust, version: int) -> None:
    async def put() -> None:
        settings = settings_of(config)
        store = open_relay_store(settings, load_keys(settings, time.time()))
        unit = store.unit()
        document = write_trust(trust)
        unit.put_trust(
            TrustRecord(id=trust.id, version=version, document=document, changed_at=time.time(), changed_by="admin:ann")
        )
        await unit.commit()
        await store.close()

    asyncio.run(put())


def ring(text: str) -> Any:
    """What a command says of a ring to programs."""
    return json.loads(text)


def test_without_an_application_there_are_no_keys(run: Run, ready: Path) -> None:
    """It says when they come."""
    code, out, _ = run("certs", "list", "--config", ready)
    assert code == 0
    assert "created with the first application" in out


def test_keys_are_listed(run: Run, keyed: Path) -> None:
    """Each with its ring, state and end; for programs everything but the secret."""
    code, out, _ = run("certs", "list", "--config", keyed)
    assert code == 0
    assert out.count("active") == 5
    views = json.loads(run("certs", "list", "--config", keyed, "--json")[1])
    assert [view["ring"] for view in views] == ["oidc", "saml", "decrypting"]
    assert set(views[0]["keys"][0]) == {"id", "algorithm", "state", "since", "not_after", "waiting_for", "certificate"}
    assert views[0]["keys"][0]["certificate"] == ""


def test_the_certificate_is_printed_for_whoever_installs_it(run: Run, keyed: Path) -> None:
    """The one in use, and during a replacement the new one; its thumbprint is the key's id in the list."""
    where = ("--config", keyed)
    code, _, err = run("certs", "certificate", "saml", "--next", *where)
    assert (code, "isthmus certs rollover saml" in err) == (1, True)
    run("certs", "rollover", "saml", *where, "--yes")
    used, new = (
        x509.load_pem_x509_certificate(run("certs", "certificate", "saml", *more, *where)[1].encode())
        for more in ((), ("--next",))
    )
    keys = json.loads(run("certs", "list", *where, "--json")[1])[1]["keys"]
    assert {key["state"]: key["id"] for key in keys} == {
        "active": used.fingerprint(SHA256()).hex(),
        "published": new.fingerprint(SHA256()).hex(),
    }


def test_a_ring_is_replaced_acknowledged_and_rolled_back(run: Run, keyed: Path) -> None:
    """The plan first, then the word of whoever looks after the application, then back."""
    where = ("--config", keyed)
    assert "publish the new keys" in run("certs", "plan", "oidc", *where)[1]
    code, out, _ = run("certs", "rollover", "oidc", *where, "--yes")
    assert code == 0
    assert "payroll has not acknowledged the new keys (contact: ann@example.com)" in out
    code, _, err = run("certs", "rollover", "oidc", *where, "--yes")
    assert (code, "is in progress" in err) == (1, True)
    code, _, err = run("certs", "acknowledge", "oidc", "--trust", "other", *where)
    assert (code, "keys wait for payroll" in err) == (1, True)
    view = ring(run("certs", "acknowledge", "oidc", "--trust", "payroll", *where, "--json")[1])
    assert {tuple(key["waiting_for"]) for key in view["keys"]} == {()}
    view = ring(run("certs", "rollback", "oidc", "--to", "start", *where, "--json")[1])
    assert {key["state"] for key in view["keys"]} == {"active"}
    assert view["rollover"]["outcome"] == "rolled back"


def test_a_saved_plan_is_applied_to_what_it_was_made_on(run: Run, keyed: Path, tmp_path: Path) -> None:
    """Not to another ring, not by another command, not after an edit, and not once an application has changed."""
    where, file = ("--config", keyed), tmp_path / "plan.json"
    code, out, _ = run("certs", "plan", "oidc", *where, "--save", file)
    assert (code, f"saved in {file}" in out) == (0, True)
    assert json.loads(run("certs", "plan", "oidc", *where, "--json")[1])["ring"] == "oidc"
    code, _, err = run("certs", "rollover", "saml", *where, "--plan", file, "--yes")
    assert (code, "is for ring oidc, not saml" in err) == (1, True)
    code, _, err = run("certs", "emergency", "oidc", *where, "--plan", file, "--yes")
    assert (code, "the plan is for `isthmus certs rollover`" in err) == (1, True)
    text = file.read_text()
    file.write_text(text.replace("publish the new keys", "publish nothing", 1))
    code, _, err = run("certs", "rollover", "oidc", *where, "--plan", file, "--yes")
    assert (code, "was changed after it was made" in err) == (1, True)
    file.write_text(text)
    change_trust(keyed, replace(TRUST, keys=KeyNotice(learns="automatic")), 2)
    code, _, err = run("certs", "rollover", "oidc", *where, "--plan", file, "--yes")
    assert (code, "applications has changed" in err) == (1, True)
    assert {key["state"] for key in json.loads(run("certs", "list", *where, "--json")[1])[0]["keys"]} == {"active"}
    change_trust(keyed, TRUST, 3)
    code, out, _ = run("certs", "rollover", "oidc", *where, "--plan", file, "--yes")
    assert (code, "payroll has not acknowledged" in out) == (0, True)
    code, _, err = run("certs", "rollover", "oidc", *where, "--plan", file, "--yes")
    assert (code, "keys has changed" in err) == (1, True)


def test_a_key_is_tried_by_whoever_opens_the_address(run: Run, keyed: Path) -> None:
    """The address alone on standard output; a key that cannot be tried is refused with those that can."""
    where = ("--config", keyed)
    assert run("certs", "rollover", "oidc", *where, "--yes")[0] == 0
    view = json.loads(run("certs", "list", *where, "--json")[1])[0]
    new = {key["algorithm"]: key["id"] for key in view["keys"] if key["state"] == "published"}
    code, out, err = run("certs", "try", new["RS256"], "--trust", "payroll", *where)
    assert (code, "It works once" in err) == (0, True)
    assert re.fullmatch(r"https://[^/]+/key-trial/[A-Za-z0-9_-]+\n", out)
    code, _, err = run("certs", "try", new["ES256"], "--trust", "payroll", *where)
    assert (code, f"can be tried with it: {new['RS256']}" in err) == (1, True)


def test_an_emergency_shows_who_breaks_and_asks(run: Run, keyed: Path) -> None:
    """Nobody is there to be asked: nothing happens without --yes."""
    where = ("--config", keyed)
    code, out, err = run("certs", "emergency", "oidc", *where)
    assert (code, "nobody could be asked" in err) == (1, True)
    assert "payroll signs nobody in until" in out
    code, out, _ = run("certs", "emergency", "oidc", *where, "--yes")
    assert code == 0
    assert "every node knows the new keys" in out
    code, _, err = run("certs", "rollback", "oidc", *where)
    assert (code, "cannot" in err or "known to somebody else" in err) == (1, True)


async def test_a_relay_makes_its_first_keys_with_its_first_application(ready: Path) -> None:
    """Not before; and without a restart."""
    async with serving(settings_of(ready)) as relay:
        assert list(relay.federation.keys.published("oidc")) == []
        unit = relay.store.unit()
        document = write_trust(TRUST)
        unit.put_trust(TrustRecord(id=TRUST.id, version=1, document=document, changed_at=1.0, changed_by="admin:ann"))
        await unit.commit()
        await relay.store.generations.look()
        assert len(relay.federation.keys.jwks()["keys"]) == 3
