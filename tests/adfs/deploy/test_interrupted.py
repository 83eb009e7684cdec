"""Deployments that are interrupted at every point, and go on: killed, cut off, refused, undone."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from adfs_mgmt.procedures.deployment import SERVER_STATES, server_journal
from adfs_mgmt.procedures.server import Operation
from adfs_mgmt.remoting import CommandFailed
from findings import explain
from foundation.procedures import End, FileJournal, JournalLocked, Refused
from tests.adfs.deploy.support import NEW, PRIMARY, PROXY, SECRETS, Killed, Scene, VirtualClock, done
from tests.adfs.simulator.state import FarmNode

ADDING = (Operation.NODE_ADD, Operation.PROXY_ADD, Operation.FARM_NEW)
FARM = {"federation_name": "login.example.com", "service_account": "CORP\\adfs-svc$"}


async def prepared(tmp_path: Path, operation: Operation) -> tuple[Scene, dict[str, object]]:
    """A scene in which the operation can be done, and what its spec needs besides."""
    scene = Scene(tmp_path)
    if operation is Operation.FARM_NEW:
        own = scene.simulator.issue("login.example.com", "certauth.login.example.com")
        scene.simulator.put(NEW, own)
        return scene, {**FARM, "thumbprint": own.thumbprint}
    if operation in {Operation.NODE_REMOVE, Operation.PROXY_REMOVE}:
        await scene.apply(Operation.NODE_ADD if operation is Operation.NODE_REMOVE else Operation.PROXY_ADD)
    return scene, {}


def host_of(operation: Operation) -> str:
    """The server that it is about."""
    return PROXY if operation in {Operation.PROXY_ADD, Operation.PROXY_REMOVE} else NEW


def explode_at(number: int) -> Callable[..., None]:
    """Kills at the `number`-th call."""
    left = iter(range(number, -1, -1))

    def maybe(*_: object) -> None:
        if next(left, -1) == 0:
            raise Killed

    return maybe


def is_there(scene: Scene, operation: Operation) -> bool:
    """Whether the host serves."""
    return (scene.proxy.proxy if host_of(operation) == PROXY else scene.new.node) is not None


async def finish(scene: Scene, operation: Operation, more: dict[str, object]) -> str:
    """What the administrator does after a crash: go on, or begin if nothing was begun."""
    record = scene.deployment().record(host_of(operation))
    if record is None or not record.open:
        over = record is not None and record.kind == operation.value
        return record.outcome if record is not None and over else (await scene.apply(operation, **more)).outcome
    return done(await scene.deployment().resume(host_of(operation), SECRETS)).outcome


@pytest.mark.parametrize("operation", list(Operation))
async def test_killed_around_every_command_it_goes_on(operation: Operation, tmp_path: Path) -> None:
    """Right before each command, and right after it took effect, before anything could be written down."""
    for number in count():
        directory = tmp_path / str(number)
        directory.mkdir()
        scene, more = await prepared(directory, operation)
        plan = await scene.plan(operation, **more)
        scene.on = explode_at(number)
        try:
            await scene.deployment().apply(plan, SECRETS)
        except Killed:
            scene.on = lambda _when, _what: None
            assert await finish(scene, operation, more) == "done"
            assert is_there(scene, operation) is operation.adds
        else:
            assert number >= 2
            return


@pytest.mark.parametrize("operation", list(Operation))
async def test_killed_after_every_line_of_the_journal_it_goes_on(
    operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is on disk is enough."""
    sync = os.fsync
    for number in count():
        directory = tmp_path / str(number)
        directory.mkdir()
        scene, more = await prepared(directory, operation)
        plan = await scene.plan(operation, **more)
        explode = explode_at(number)

        def sync_and_die(descriptor: int, explode: Callable[..., None] = explode) -> None:
            sync(descriptor)
            explode()

        monkeypatch.setattr(os, "fsync", sync_and_die)
        try:
            await scene.deployment().apply(plan, SECRETS)
        except Killed:
            monkeypatch.setattr(os, "fsync", sync)
            assert await finish(scene, operation, more) == "done"
            assert is_there(scene, operation) is operation.adds
        else:
            monkeypatch.setattr(os, "fsync", sync)
            assert number >= 5
            return


@pytest.mark.parametrize("operation", ADDING)
async def test_undone_from_every_point_nothing_stays(operation: Operation, tmp_path: Path) -> None:
    """Role, entry in the farm's table, trust: as before."""
    for number in count():
        directory = tmp_path / str(number)
        directory.mkdir()
        scene, more = await prepared(directory, operation)
        plan = await scene.plan(operation, **more)
        scene.on = explode_at(number)
        try:
            await scene.deployment().apply(plan, SECRETS)
        except Killed:
            scene.on = lambda _when, _what: None
            record = done(await scene.deployment().resume(host_of(operation), SECRETS, undo=True))
            assert record.outcome == "cleaned up"
            assert not is_there(scene, operation)
            assert scene.new.features == scene.proxy.features == set()
            table = scene.simulator[PRIMARY].node
            assert table is not None
            assert NEW not in table.configuration.nodes
            assert (await scene.apply(operation, **more)).outcome == "done"
        else:
            return


async def test_an_undo_that_is_killed_goes_on_as_an_undo(tmp_path: Path) -> None:
    """It does not turn round again."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    scene.on = explode_at(3)  # after Add-AdfsFarmNode
    with pytest.raises(Killed):
        await scene.deployment().apply(plan, SECRETS)
    scene.on = explode_at(1)  # after Uninstall-WindowsFeature
    with pytest.raises(Killed):
        await scene.deployment().resume(NEW, SECRETS, undo=True)
    scene.on = lambda _when, _what: None
    assert done(await scene.deployment().resume(NEW, SECRETS)).outcome == "cleaned up"
    assert scene.new.node is None


async def test_an_undo_leaves_what_was_there_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that somebody installed beforehand, while nothing was joined; and an entry in the table that is not ours."""
    scene = Scene(tmp_path)
    scene.new.features.add("ADFS-Federation")
    table = scene.simulator[PRIMARY].node
    assert table is not None
    table.configuration.nodes[NEW] = FarmNode(fqdn=NEW, level=4, heartbeat=scene.clock())
    plan = await scene.plan()
    assert "the entry will be reused" in " ".join(map(explain, plan.findings))
    scene.on = explode_at(0)  # before Add-AdfsFarmNode: the role is there
    with pytest.raises(Killed):
        await scene.deployment().apply(plan, SECRETS)
    scene.on = lambda _when, _what: None
    # the journal says that the join was begun: so it is cleaned up, role and all
    assert done(await scene.deployment().resume(NEW, SECRETS, undo=True)).outcome == "cleaned up"
    assert scene.new.features == set()
    scene.new.features.add("ADFS-Federation")
    table.configuration.nodes[NEW] = FarmNode(fqdn=NEW, level=4, heartbeat=scene.clock())
    plan = await scene.plan()
    sync, explode = os.fsync, explode_at(1)  # after the preflight's line

    def sync_and_die(descriptor: int) -> None:
        sync(descriptor)
        explode()

    monkeypatch.setattr(os, "fsync", sync_and_die)
    with pytest.raises(Killed):
        await scene.deployment().apply(plan, SECRETS)
    monkeypatch.setattr(os, "fsync", sync)
    assert done(await scene.deployment().resume(NEW, SECRETS, undo=True)).outcome == "cleaned up"
    assert "ADFS-Federation" in scene.new.features
    assert NEW in table.configuration.nodes


@pytest.mark.parametrize("when", ["before_effect", "after_effect"])
@pytest.mark.parametrize("operation", list(Operation))
async def test_a_connection_that_breaks_heals_by_itself(operation: Operation, when: str, tmp_path: Path) -> None:
    """Each command is cut off once; the effect is looked for before it is tried again."""
    scene, more = await prepared(tmp_path, operation)
    plan = await scene.plan(operation, **more)
    for command in ("Install-WindowsFeature", "Add-AdfsFarmNode", "Install-AdfsFarm", "Install-WebApplicationProxy"):
        scene.simulator.drop_during(command, when=when)  # type: ignore[arg-type]
    for command in ("Uninstall-WindowsFeature", "Set-AdfsFarmInformation"):
        scene.simulator.drop_during(command, when=when)  # type: ignore[arg-type]
    assert done(await scene.deployment().apply(plan, SECRETS)).outcome == "done"
    sent = [entry.command for entry in scene.simulator.log if entry.command == "Add-AdfsFarmNode"]
    if operation is Operation.NODE_ADD:
        assert len(sent) == (2 if when == "before_effect" else 1)


async def test_a_command_that_never_comes_back_is_not_tried_for_ever(tmp_path: Path) -> None:
    """Three times; then a person looks."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    scene.simulator.drop_during("Add-AdfsFarmNode", 99)
    assert (await scene.deployment().apply(plan, SECRETS)).end is End.STOPPED
    result = await scene.deployment().resume(NEW, SECRETS)
    assert result.end is End.REFUSED
    assert "tried 3 times without effect" in str(result.step.reasons)
    assert [entry.command for entry in scene.simulator.log].count("Add-AdfsFarmNode") == 3
    assert done(await scene.deployment().resume(NEW, SECRETS, undo=True)).outcome == "cleaned up"


@pytest.mark.parametrize("host", [NEW, PRIMARY])
@pytest.mark.parametrize("command", ["Install-WindowsFeature", "Test-AdfsFarmJoin", "Add-AdfsFarmNode"])
async def test_a_server_that_goes_offline_at_a_step(host: str, command: str, tmp_path: Path) -> None:
    """The work stops with the server's name, and goes on when it is back."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    seen: list[str] = []

    def switch_off(when: str, what: str) -> None:
        if (when, what) == ("after", "Install-WindowsFeature") and command == "Install-WindowsFeature":
            scene.simulator.offline(host)
        if (when, what) == ("before", command) and command != "Install-WindowsFeature" and not seen:
            seen.append(what)
            scene.simulator.offline(host)

    scene.on = switch_off
    if command == "Test-AdfsFarmJoin":  # it changes nothing, so the watch does not tell of it
        scene.on = lambda when, what: scene.simulator.offline(host) if when == "after" else None
    stopped = await scene.deployment().apply(plan, SECRETS)
    assert stopped.end is End.STOPPED
    assert host.split(".")[0] in stopped.problem or isinstance(stopped.error and stopped.error.__cause__, CommandFailed)
    record = scene.deployment().record(NEW)
    assert record is not None
    assert record.open
    assert record.problem
    scene.on = lambda _when, _what: None
    scene.simulator.online(host)
    assert done(await scene.deployment().resume(NEW, SECRETS)).outcome == "done"


async def test_a_server_that_restarts_is_waited_for(tmp_path: Path) -> None:
    """It comes back within minutes; nobody has to do anything."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    scene.on = lambda when, what: (
        scene.simulator.offline(NEW) if what == "Install-WindowsFeature" and when == "after" else None
    )

    class BackAfterAWhile(VirtualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if scene.clock() > plan.made_at + 120:
                scene.simulator.online(NEW)

    deployment = scene.deployment()
    deployment.clock = BackAfterAWhile(scene.clock)
    assert done(await deployment.apply(plan, SECRETS)).outcome == "done"


async def test_a_missing_token_key_leaves_a_half_made_node_that_is_cleaned_up(tmp_path: Path) -> None:
    """The preflight finds it; if the key vanishes afterwards the service does not start, and the undo takes all away."""
    scene = Scene(tmp_path, managed=False)
    plan = await scene.plan()
    assert {finding.name for finding in plan.failed} == {"Token-Signing certificate", "Token-Decrypting certificate"}
    own = [entry.certificate for entry in scene.simulator[PRIMARY].store.values()]
    for certificate in own:
        scene.simulator.put(NEW, certificate)
    plan = await scene.plan()
    assert not plan.failed
    scene.on = lambda when, what: vanish() if what == "Install-WindowsFeature" and when == "after" else None

    def vanish() -> None:
        for certificate in own:
            if certificate.thumbprint != scene.ssl.thumbprint:
                scene.new.store.pop(certificate.thumbprint, None)

    stopped = await scene.deployment().apply(plan, SECRETS)
    assert isinstance(stopped.error and stopped.error.__cause__, CommandFailed)
    assert "could not be started" in stopped.problem
    assert scene.new.node is not None
    scene.on = lambda _when, _what: None
    assert done(await scene.deployment().resume(NEW, SECRETS, undo=True)).outcome == "cleaned up"
    assert scene.new.node is None
    table = scene.simulator[PRIMARY].node
    assert table is not None
    assert NEW not in table.configuration.nodes


async def test_two_administrators_at_once(tmp_path: Path) -> None:
    """The second is told who is at it; and unfinished work is not begun anew."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    path = server_journal(tmp_path, "prod", NEW)
    with FileJournal(path, SERVER_STATES, now=scene.clock(), who="bob@ws2"), pytest.raises(JournalLocked, match="bob@ws2"):
        await scene.deployment().apply(plan, SECRETS)
    scene.simulator.drop_during("Install-WindowsFeature", 99)
    assert (await scene.deployment().apply(plan, SECRETS)).end is End.STOPPED
    with pytest.raises(Refused, match="node add is in progress on this server"):
        await scene.deployment().apply(await scene.plan(), SECRETS)


async def test_what_is_not_under_way_is_not_resumed(tmp_path: Path) -> None:
    """Nor is a removal undone."""
    scene = Scene(tmp_path)
    with pytest.raises(Refused, match="nothing is in progress"):
        await scene.deployment().resume(NEW, SECRETS)
    await scene.apply()
    plan = await scene.plan(Operation.NODE_REMOVE)
    scene.simulator.offline(NEW)
    with pytest.raises(Refused, match="does not answer over WinRM"):
        await scene.deployment().apply(plan, SECRETS)
    scene.simulator.online(NEW)
    scene.simulator.drop_during("Uninstall-WindowsFeature", 99)
    plan = await scene.plan(Operation.NODE_REMOVE)
    assert (await scene.deployment().apply(plan, SECRETS)).end is End.STOPPED
    with pytest.raises(Refused, match="a removal cannot be undone"):
        await scene.deployment().resume(NEW, SECRETS, undo=True)


async def test_a_node_that_never_synchronises_is_told(tmp_path: Path) -> None:
    """After three polls, with what is missing; the work stays open."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    scene.on = lambda when, what: (
        scene.simulator.stop_service(NEW) if what == "Add-AdfsFarmNode" and when == "after" else None
    )
    stopped = await scene.deployment().apply(plan, SECRETS)
    assert stopped.end is End.STOPPED
    assert NEW in stopped.problem
    assert stopped.record.open
