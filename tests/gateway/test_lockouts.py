"""Smart lockout of a whole relay: what survives its restart, and what an administrator sees and does, running or not."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.administrator import Administrator
from gateway.app import Relay, ServerSettings, serving
from gateway.protocol import AccountId, Outcome
from gateway.relay.credentials.accounts import AccountKey
from gateway.relay.credentials.admission import AdmissionRequest, Admitted
from gateway.store import StoreUnavailable
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt
from tests.support.visitors import Clock

ANNA, BEN = "anna@corp.example.com", "ben@corp.example.com"
GUID = "3f1c" + ANNA.encode().hex()
"""As the fake directory has it: no GUID in form."""


_numbers = itertools.count()


async def knock(running: Relay, user: str, password: str = "right") -> Outcome | None:
    asked = attempt(user, password, correlation_id=f"c{next(_numbers)}")
    return (await running.authenticator.authenticate(asked)).outcome


async def fail(running: Relay, user: str, count: int = 4) -> list[Outcome | None]:
    return [await knock(running, user, f"wrong{number}") for number in range(count)]


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right", BEN: "right"})


@pytest.fixture
async def locked(settings: ServerSettings, tmp_path: Path, people: FakeDirectories) -> AsyncIterator[Relay]:
    """A relay in which Anna signed in once and is locked now."""
    async with serving(settings) as running, agent(tmp_path, running, people):
        assert await knock(running, ANNA) is Outcome.SUCCESS
        assert await fail(running, ANNA) == [Outcome.WRONG_CREDENTIAL] * 4
        assert await knock(running, ANNA) is None
        yield running


async def test_a_restart_forgets_no_lock_and_no_failure(
    settings: ServerSettings, tmp_path: Path, people: FakeDirectories
) -> None:
    """Nor that somebody was unlocked."""
    async with serving(settings) as running, agent(tmp_path, running, people):
        await fail(running, ANNA)
        await fail(running, BEN, 3)
    asked = len(people.binds)
    async with serving(settings) as running:
        assert await knock(running, ANNA) is None
        assert len(people.binds) == asked
        assert await running.administration.unlock(ANNA, "test")
    clock = Clock()
    async with serving(settings, clock=clock) as running, agent(tmp_path, running, people, name="second"):
        assert await knock(running, BEN, "the fourth") is Outcome.WRONG_CREDENTIAL
        assert await knock(running, BEN) is None
        assert await knock(running, ANNA) is Outcome.SUCCESS


async def test_what_the_store_did_not_take_is_written_within_a_minute(
    settings: ServerSettings, tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another failure, and so it is there after a restart."""

    async def refuse(*_rows: object) -> None:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    async with serving(settings) as running, agent(tmp_path, running, people):
        with monkeypatch.context() as patch:
            patch.setattr(running.store.admission, "save", refuse)
            await fail(running, ANNA)
        assert await running.store.admission.all() == []
        await running.housekeeping.tidy()
    async with serving(settings) as running:
        assert await knock(running, ANNA) is None


async def test_who_is_locked_is_listed_with_name_and_account(locked: Relay, settings: ServerSettings) -> None:
    """By the trail: admission itself remembers neither."""
    admin = Administrator(settings)
    (view,) = await admin.locks()
    assert admin.reached_relay
    assert (view.user, view.directory, view.account, view.familiar) == (ANNA, "9d1c", GUID, False)
    assert (view.failures, view.locks, view.address) == (4, 1, "192.0.2.7")
    assert view.time is not None
    assert 55 < view.until - view.time <= 61
    await fail(locked, "nobody@corp.example.com")
    views = await admin.locks()
    assert [(view.user, view.account) for view in views] == [("nobody@corp.example.com", ""), (ANNA, GUID)]


@pytest.mark.parametrize("user", [ANNA, "ANNA @ corp.example.com", "CORP\\anna"])
async def test_a_running_relay_unlocks_any_spelling(locked: Relay, settings: ServerSettings, user: str) -> None:
    """Whatever the administrator types."""
    assert await Administrator(settings).unlock(user)
    assert await knock(locked, ANNA) is Outcome.SUCCESS


async def test_a_guid_unlocks_too(settings: ServerSettings, tmp_path: Path) -> None:
    """In the directories that people signed in from; in any form of a GUID."""
    guid = "6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21"
    people = FakeDirectories({BEN: "right"}, about={"object_guid": guid})
    async with serving(settings) as running, agent(tmp_path, running, people):
        admin = Administrator(settings)
        assert await knock(running, BEN) is Outcome.SUCCESS
        key = running.store.keyring.current("account")
        account = AccountKey(key.id, key.secret).digest(AccountId("9d1c", guid))
        for user in (guid, guid.upper(), "{" + guid + "}"):
            for number in range(4):
                request = AdmissionRequest(user_name=BEN, password=f"p{number}", address="192.0.2.1", throttled=False)
                ticket = await running.admission.check(request, time.time())
                assert isinstance(ticket, Admitted)
                await running.admission.settle(
                    ticket, Outcome.WRONG_CREDENTIAL, time.time(), account=account, account_key=key.id
                )
            assert await knock(running, BEN) is None
            assert not await admin.unlock("6f0c2a3e-9d1b-4f0a-8a57-000000000000")
            assert await admin.unlock(user)
            assert await knock(running, BEN) is Outcome.SUCCESS


async def test_without_a_relay_locks_are_listed_and_lifted_in_the_store(
    settings: ServerSettings, tmp_path: Path, people: FakeDirectories
) -> None:
    """The next start finds them lifted."""
    async with serving(settings) as running, agent(tmp_path, running, people):
        await fail(running, ANNA)
    admin = Administrator(settings)
    (view,) = await admin.locks()
    assert (view.user, admin.reached_relay) == (ANNA, False)
    assert await admin.unlock(ANNA)
    assert not await admin.unlock(ANNA)
    assert await admin.locks() == []
    async with serving(settings) as running, agent(tmp_path, running, people, name="second"):
        assert await knock(running, ANNA) is Outcome.SUCCESS
