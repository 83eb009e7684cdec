"""Administrative acts from outside the relay's process: by the running relay, or on its store."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foundation.actors import this_actor
from gateway.administrator import Administrator
from gateway.app import ServerError, ServerSettings, serving
from gateway.relay import SOCKET_NAME, ActUnavailable, Administration, NotPermitted, RelayUnresponsive, bind_control_socket
from gateway.relay.errors import ActRefused, AuditReplaced, UnknownAgent
from gateway.store import AuditBroken, StoreUnavailable
from tests.gateway.federation.trusts.samples import OIDC
from tests.support.relay_and_agent import server_settings


@pytest.fixture
def admin(settings: ServerSettings) -> Administrator:
    return Administrator(settings)


@pytest.fixture
async def running(settings: ServerSettings) -> AsyncIterator[None]:
    async with serving(settings):
        yield


async def test_without_a_relay_an_act_is_done_on_the_store(admin: Administrator) -> None:
    """And is in the trail, under the name of whoever acted."""
    token = await admin.create_token("dc1", any_domain=True)
    assert (token.name, admin.reached_relay) == ("dc1", False)
    (entry,) = await admin.audit(limit=10, before=None, kind="", subject="")
    assert (entry.kind, entry.actor) == ("admin.token_created", f"admin:{this_actor()}")


@pytest.mark.usefixtures("running")
async def test_a_running_relay_does_the_act_itself(admin: Administrator) -> None:
    """It counts immediately there; the store is not opened a second time."""
    await admin.create_token("dc1", ["corp.example.com"])
    assert admin.reached_relay
    (entry,) = await admin.audit(limit=10, before=None, kind="", subject="")
    assert (entry.kind, entry.actor, entry.detail) == (
        "admin.token_created",
        f"admin:{this_actor()}",
        {"detail": "corp.example.com"},
    )


@pytest.mark.parametrize("where", ["relay", "store"])
async def test_a_refused_act_says_why_in_the_same_words(admin: Administrator, settings: ServerSettings, where: str) -> None:
    """Whoever refuses it."""
    if where == "store":
        with pytest.raises(UnknownAgent, match="no agent 'nobody' was enrolled here"):
            await admin.revoke("nobody", "drill")
        with pytest.raises(ValueError, match="machine name 'no such/name'"):
            await admin.create_token("no such/name", any_domain=True)
    else:
        async with serving(settings):
            with pytest.raises(ActRefused, match="no agent 'nobody' was enrolled here"):
                await admin.revoke("nobody", "drill")
            with pytest.raises(ActRefused, match="machine name 'no such/name'"):
                await admin.create_token("no such/name", any_domain=True)


@pytest.mark.usefixtures("running")
async def test_a_running_relay_whose_database_does_not_answer_says_so(
    admin: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apart from a refusal: a script may try again."""

    async def stopped(_self: Administration) -> None:
        raise StoreUnavailable("postgresql://db", "no answer within 4 s", "see whether its server runs")

    monkeypatch.setattr(Administration, "bindings", stopped)
    with pytest.raises(ActUnavailable, match="no answer within 4 s"):
        await admin.bindings()


async def test_what_comes_before_an_act_on_the_store(settings: ServerSettings) -> None:
    """That no relay runs, and then what the store's files need; with a running relay neither."""
    told: list[str] = []
    admin = Administrator(settings, without_relay=lambda: told.append("no relay"), before_store=lambda: told.append("store"))
    await admin.agents()
    assert told == ["no relay", "store"]
    async with serving(settings):
        await admin.agents()
    assert told == ["no relay", "store"]


async def test_a_relay_that_was_never_set_up_is_told_so(tmp_path: Path) -> None:
    """With what to do; nothing is made by an act."""
    settings = server_settings(tmp_path)
    with pytest.raises(ServerError, match="isthmus relay init"):
        await Administrator(settings).agents()
    assert not settings.state_dir.exists()


async def test_a_socket_that_belongs_to_somebody_else(
    admin: Administrator, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is not tried instead: its relay runs."""

    async def refuse(_loop: object, *_args: object, **_kinds: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_unix_connection", refuse, raising=False)
    with pytest.raises(NotPermitted, match="run the command as root") as refused:
        await admin.agents()
    assert refused.value.path == settings.state_dir / SOCKET_NAME


async def test_a_relay_that_breaks_off_leaves_the_act_open(admin: Administrator, settings: ServerSettings) -> None:
    """It may have done it: it is not done a second time on the store."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = bind_control_socket(settings.state_dir / SOCKET_NAME)
    assert listener.family is socket.AF_UNIX
    async with await asyncio.start_unix_server(hang_up, sock=listener):
        with pytest.raises(RelayUnresponsive, match="did not answer"):
            await admin.create_token("dc1", any_domain=True)
    listener.close()
    assert await admin.audit(limit=10, before=None, kind="", subject="") == []


async def test_a_head_that_was_noted_must_still_be_there(admin: Administrator) -> None:
    """Its number and its hash, in either case; another hash means that the trail was put back or replaced."""
    for name in ("dc1", "dc2"):
        await admin.create_token(name, any_domain=True)
    second, first = await admin.audit(limit=10, before=None, kind="", subject="")
    assert (first.id, second.id) == ("1-1", "2-1")
    for chain, entry in ((1, first), (2, second)):
        report = await admin.verify_audit(noted=(chain, 1, entry.hash.upper()))
        assert report.heads == [f"1-1:{first.hash}", f"2-1:{second.hash}"]
    for noted in ((1, 1, second.hash), (2, 2, second.hash), (3, 1, second.hash)):
        with pytest.raises(AuditReplaced, match=f"entry {noted[0]}-{noted[1]} is not the one that was noted"):
            await admin.verify_audit(noted=noted)


async def test_a_trail_that_was_changed_is_told_before_any_head(admin: Administrator, settings: ServerSettings) -> None:
    """The first entry that does not hold is the finding."""
    import sqlite3

    await admin.create_token("dc1", any_domain=True)
    with sqlite3.connect(settings.state_dir / "relay.db") as connection:
        connection.execute("UPDATE audit_events SET subject = 'dc2'")
    connection.close()
    with pytest.raises(AuditBroken, match="entry 1-1"):
        await admin.verify_audit(noted=(7, 1, "00"))


async def test_trusts_are_changed_by_the_running_relay(admin: Administrator, settings: ServerSettings) -> None:
    """In force there when the act is done; a refusal is in the same words; a large document is no too large order."""
    comment = '# "' + "\\" * 200_000 + "\n"
    async with serving(settings) as relay:
        put = await admin.put_trust(OIDC + comment, "wiki.toml", 0)
        assert (admin.reached_relay, put.action) == (True, "add")
        assert relay.trusts.get("wiki") is not None
        assert [view.id for view in await admin.trusts()] == ["wiki"]
        assert (await admin.plan_trust(OIDC, "wiki.toml")).action == "change"
        assert (await admin.trust("wiki")).document == OIDC + comment
        with pytest.raises(ActRefused, match=r"wiki\.toml cannot be used"):
            await admin.put_trust("nothing", "wiki.toml", 1)
        await admin.remove_trust("wiki")
        assert relay.trusts.get("wiki") is None
    (entry, _) = await admin.audit(limit=2)
    assert (entry.kind, entry.actor) == ("trust.removed", f"admin:{this_actor()}")
