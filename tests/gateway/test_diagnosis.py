"""What an administrator has the running relay tell of itself, and a sign-in from end to end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from structlog.typing import EventDict

from foundation.actors import this_actor
from gateway.administrator import Administrator
from gateway.app import Relay, ServerSettings, serving
from gateway.relay import RelayAbsent
from gateway.relay.administration.control import SignIn
from gateway.relay.errors import ActRefused
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, eventually

ANNA = "anna@corp.example.com"


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right"})


@pytest.fixture
def admin(settings: ServerSettings) -> Administrator:
    return Administrator(settings)


@pytest.fixture
async def relay(settings: ServerSettings, tmp_path: Path, people: FakeDirectories) -> AsyncIterator[Relay]:
    """With an agent, and two wrong passwords until a lock."""
    strict = replace(settings, admission=replace(settings.admission, threshold=2))
    async with serving(strict) as running, agent(tmp_path, running, people, "agent1"):
        yield running


async def test_a_running_relay_tells_how_it_is(relay: Relay, admin: Administrator, people: FakeDirectories) -> None:
    """What its healthz and readyz say, over the control socket: metrics may not be served."""
    await eventually(lambda: relay.dispatcher.conditions().get("corp") == "ready")
    health = await admin.health()
    assert (health.node, health.software, health.defect) == ("relay1", version("isthmus"), "")
    assert health.domains == {"corp": "ready", "corp.example.com": "ready"}
    assert health.clock_skew is None  # SQLite has no clock of its own
    people.become("no_controller")
    await eventually(lambda: relay.dispatcher.conditions()["corp"] == "no_controller")
    assert (await admin.health()).domains["corp"] == "no_controller"
    await relay.endpoint.drain(0.0)
    assert (await admin.health()).defect == "draining"


async def test_a_sign_in_of_an_administrators_is_one_like_any_other(
    relay: Relay, admin: Administrator, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """Through agent and directory; in the trail under who made it, from no address; the password is nowhere."""
    found = await admin.sign_in(f" {ANNA} ", "right")
    assert (found.outcome, found.agent, found.user_name, found.groups) == ("success", "agent1", ANNA, 1)
    assert people.binds == [ANNA]
    (entry,) = await admin.audit(kind="signin")
    assert (entry.actor, entry.via, entry.address) == (f"admin:{this_actor()}", f"admin:{this_actor()}", "")
    assert (entry.outcome, entry.correlation_id) == ("success", found.reference)
    wrong = await admin.sign_in(ANNA, "a-wrong-one")
    assert (wrong.outcome, wrong.detail, wrong.user_name) == ("wrong_credential", "data 52e", "")
    assert "a-wrong-one" not in str(logs) + repr(await admin.audit())


async def test_it_counts_as_any_sign_in(relay: Relay, admin: Administrator, people: FakeDirectories) -> None:
    """Smart lockout refuses the next one, whoever makes it; nobody is asked then."""
    for password in ("wrong-1", "wrong-2"):
        assert (await admin.sign_in(ANNA, password)).outcome == "wrong_credential"
    refused = await admin.sign_in(ANNA, "right")
    assert (refused.outcome, refused.agent) == ("refused_by_admission", "")
    assert refused.retry_after > 0
    assert len(people.binds) == 2


async def test_what_can_be_no_credential_is_refused(relay: Relay, admin: Administrator) -> None:
    """As the page and the API do; no entry is made of it."""
    for user, password in (("", "x"), ("  ", "x"), ("a\nb", "x"), ("a" * 257, "x"), ("anna", ""), ("anna", "x" * 1025)):
        with pytest.raises(ActRefused, match="characters"):
            await admin.sign_in(user, password)
    assert await admin.audit(kind="signin") == []
    assert relay.dispatcher.outstanding == 0


async def test_without_a_relay_there_is_neither(admin: Administrator) -> None:
    """Nothing of it can be done on the store."""
    with pytest.raises(RelayAbsent):
        await admin.health()
    with pytest.raises(RelayAbsent):
        await admin.sign_in(ANNA, "right")


def test_an_order_to_sign_in_does_not_show_the_password() -> None:
    """In whatever is made of it."""
    assert repr(SignIn(user=ANNA, password="s3cret")) == f"SignIn({ANNA!r}, …)"
