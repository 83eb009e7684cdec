"""A server added as a program does it: no command line, nothing printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from adfs_mgmt.operations import NotPossible, Operation, OperationContext, Secrets, ServerOperation, server_operation
from adfs_mgmt.remoting import RemotingSettings, Secret, Shell
from foundation.procedures import End, Refused, save
from tests.adfs.deploy.support import ADMIN, NEW, PASSWORD, Scene, VirtualClock, Watched
from tests.adfs.operations.settings import Settings
from tests.adfs.simulator.shell import SimulatedShell


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A farm with a new node and proxy."""
    return Scene(tmp_path)


@pytest.fixture
def context(scene: Scene, tmp_path: Path) -> OperationContext:
    """Of the farm in that scene."""

    def connect(_settings: RemotingSettings) -> Shell:
        return Watched(SimulatedShell(scene.simulator), lambda when, what: scene.on(when, what))

    return OperationContext(
        settings=Settings(tmp_path, (scene.settings,)),
        connect=connect,
        external=scene.external,
        clock=VirtualClock(scene.clock),
    )


def add(context: OperationContext, host: str = NEW, **more: object) -> ServerOperation:
    """A node, with the credential for the second hop."""
    secrets = Secrets(admin=Secret(PASSWORD))
    return server_operation(context, "", Operation.NODE_ADD, host, secrets, admin=ADMIN, **more)


async def test_planned_and_applied(
    context: OperationContext, scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan is shown to whoever asks, and applied as it was reviewed."""
    work = add(context)
    plan = await work.plan()
    assert plan.failed == ()
    assert scene.new.features == set()
    save(plan, tmp_path / "plan.json")
    result = await work.apply(work.load(tmp_path / "plan.json"))
    assert (result.end, result.record.outcome) == (End.DONE, "done")
    assert scene.new.node is not None
    assert capsys.readouterr() == ("", "")


async def test_what_was_interrupted_continues_or_is_cleaned_up(context: OperationContext, scene: Scene) -> None:
    """By the operation that was begun, not by another one."""
    work = add(context)
    scene.on = lambda when, what: scene.simulator.offline(NEW) if (when, what) == ("before", "Add-AdfsFarmNode") else None
    stopped = await work.apply(await work.plan())
    assert stopped.end is End.STOPPED
    scene.on = lambda _when, _what: None
    scene.simulator.online(NEW)
    other = server_operation(context, "", Operation.NODE_REMOVE, NEW, Secrets())
    with pytest.raises(NotPossible, match="has operation node add, not node remove"):
        other.check_resumable()
    work.check_resumable()
    assert (await work.resume(undo=True)).record.outcome == "cleaned up"
    with pytest.raises(Refused, match="nothing is in progress"):
        await work.resume()


async def test_a_plan_of_something_else_is_refused(context: OperationContext, tmp_path: Path) -> None:
    """Options that say something else than the plan would mislead."""
    path = tmp_path / "plan.json"
    save(await add(context).plan(), path)
    with pytest.raises(NotPossible, match=r"has service account none, not CORP\\x\$"):
        add(context, service_account="CORP\\x$").load(path)
    assert add(context).load(path).state.spec.name == NEW


def test_a_host_of_the_settings_needs_no_address(context: OperationContext, scene: Scene) -> None:
    """Others are taken as they are."""
    known = scene.settings.nodes[0]
    assert add(context, known.partition("=")[0].upper()).spec.host == known
    assert add(context, "elsewhere").spec.host == "elsewhere"
