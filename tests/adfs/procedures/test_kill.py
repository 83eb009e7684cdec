"""Killed anywhere: before, in and after every journal line, before and after the effect of every command."""

from __future__ import annotations

import contextlib
import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.procedures.request import RolloverRequest
from adfs_mgmt.procedures.rollover import STATES
from adfs_mgmt.remoting import make_command
from foundation.procedures import ActBegun, ActId, End, read
from tests.adfs.procedures.driving import Fuse, begin, drive, end_state, move_on, once, opened, turn
from tests.adfs.procedures.world import NEW_SSL, TOKEN, World, certificate, thumb
from tests.foundation.procedures.lamps import Killed

SUPPLIED = thumb("supplied")


def _token() -> tuple[World, RolloverRequest]:
    return World(nodes=("n1", "n2")), RolloverRequest(kind="token", uses=TOKEN)


def _supplied() -> tuple[World, RolloverRequest]:
    world = World(nodes=("n1", "n2"), vault={SUPPLIED})
    return world, RolloverRequest(kind="token", uses=TOKEN, certificate=certificate(SUPPLIED), material=True)


def _ssl() -> tuple[World, RolloverRequest]:
    world = World(nodes=("n1", "n2"), proxies=("p1",), vault={NEW_SSL})
    return world, RolloverRequest(kind="ssl", certificate=certificate(NEW_SSL), material=True)


def _emergency() -> tuple[World, RolloverRequest]:
    return World(nodes=("n1", "n2")), RolloverRequest(kind="emergency", uses=TOKEN)


STORIES: dict[str, Callable[[], tuple[World, RolloverRequest]]] = {
    "token made by AD FS": _token,
    "token supplied": _supplied,
    "ssl": _ssl,
    "emergency": _emergency,
}


@pytest.mark.parametrize("story", STORIES)
async def test_killed_anywhere_it_resumes_to_the_same_end(story: str, tmp_path: Path) -> None:
    """Whatever was the last thing that happened, coming back leads to the end state of a run that nothing disturbed."""
    clean, request = STORIES[story]()
    counting = Fuse()
    outcome = await drive(tmp_path / "clean.jsonl", clean, request=request, fuse=counting)
    assert outcome.end is End.DONE, outcome
    assert counting.count > 60
    for at in range(counting.count):
        world, request = STORIES[story]()
        fuse = Fuse(at)
        outcome = await drive(tmp_path / f"{at}.jsonl", world, request=request, fuse=fuse)
        assert outcome.end is End.DONE, (at, fuse.where, outcome)
        assert without_names(end_state(world)) == without_names(end_state(clean)), (at, fuse.where)
        assert once_each(world), (at, fuse.where, world.log)


@pytest.mark.parametrize("story", ["token made by AD FS", "token supplied", "ssl"])
async def test_killed_anywhere_on_the_way_back(story: str, tmp_path: Path) -> None:
    """A rollback that is killed anywhere, after the new certificate came into use, ends where the farm began."""

    there, request = STORIES[story]()
    begun = end_state(there)
    await _until(tmp_path / "there.jsonl", there, request)
    there.event = print

    async def back(path: Path, fuse: Fuse) -> World:
        world = copy.deepcopy(there)
        shutil.copy(tmp_path / "there.jsonl", path)
        record = read(path, STATES)
        assert record is not None
        turn(path, world, record, "start")
        outcome = await drive(path, world, request=request, fuse=fuse)
        assert outcome.end is End.DONE, (fuse.at, fuse.where, outcome)
        assert outcome.record.outcome == "rolled back"
        state = end_state(world)
        assert {**state, "domains": 0} == {**begun, "domains": 0}, (fuse.at, fuse.where)
        assert all(begun["token"]["Token-Signing"][0] in slots for slots in world.domains.values())
        return world

    counting = Fuse()
    await back(tmp_path / "clean.jsonl", counting)
    assert counting.count > 20
    for at in range(counting.count):
        await back(tmp_path / f"{at}.jsonl", Fuse(at))


async def test_an_answer_that_is_lost_is_looked_after(tmp_path: Path) -> None:
    """Where the connection breaks after a command took effect, the effect is found and the command is not sent again."""
    world, request = _token()
    world.interrupt = {"Update-AdfsCertificate", "Set-AdfsCertificate", "Remove-AdfsCertificate", "publish", "withdraw"}
    outcome = await drive(tmp_path / "j.jsonl", world, request=request)
    assert outcome.end is End.DONE, outcome
    assert not world.interrupt
    assert sum("Update-AdfsCertificate" in line for line in world.log) == 2


async def test_an_act_in_doubt_is_given_time(tmp_path: Path) -> None:
    """A command whose connection broke may still run on the host: nobody looks, or sends it again, before it has settled."""
    world, request = _token()
    await begin(tmp_path / "j.jsonl", world, request)
    with opened(tmp_path / "j.jsonl", world) as journal:
        command = make_command("Update-AdfsCertificate", CertificateType="Token-Signing")
        journal.append(ActBegun(act=ActId("create", "n1", str(command))), world.time)
    began = world.time
    seen: list[float] = []
    world.event = lambda what: seen.append(world.time) if what.startswith("before Update") else None
    await once(tmp_path / "j.jsonl", world)
    assert seen
    assert seen[0] >= began + 180


async def test_every_act_is_on_disk_before_it_is_done(tmp_path: Path) -> None:
    """When a command arrives at a host, the journal on disk already says that it was begun."""
    world, request = _token()
    path = tmp_path / "j.jsonl"

    def look(what: str) -> None:
        if what.startswith("before ") and "journal" not in what:
            last = json.loads(path.read_text().splitlines()[-1])
            assert last["kind"] == "begun"
            assert (
                what.removeprefix("before ").split("-")[0].lower() in last["data"]["act"][2].lower()
                or "domain" in last["data"]["act"][2]
            )

    world.event = look
    assert (await drive(path, world, request=request)).end is End.DONE


def once_each(world: World) -> bool:
    """Nothing that is not harmless twice was done twice: that would make a third certificate."""
    return sum("Add-AdfsCertificate" in line for line in world.log) <= 2 and world.made <= 4


def without_names(state: dict[str, Any]) -> dict[str, Any]:
    """AD FS's own certificates are numbered as they are made; their order may differ, their number may not."""
    text = json.dumps(state)
    for number in range(1, 9):
        text = text.replace(thumb(f"made-{number}"), "made")
    found: dict[str, Any] = json.loads(text)
    return found


async def _until(path: Path, world: World, request: RolloverRequest) -> None:
    """Drive it until the new certificate is in use: to the soak, or until the first proxy would get it."""
    world.event = _kill_before_proxies
    with contextlib.suppress(Killed):
        await begin(path, world, request)
        await _to_the_soak(path, world, request)
    world.event = lambda what: None


async def _to_the_soak(path: Path, world: World, request: RolloverRequest) -> None:
    """To the soak of a token rollover; a kill comes through."""
    outcome = await once(path, world)
    while outcome.step.stage != "soak":
        await move_on(path, world, outcome)
        outcome = await once(path, world)


def _kill_before_proxies(what: str) -> None:
    if what == "before Set-WebApplicationProxySslCertificate":
        raise Killed(what)
