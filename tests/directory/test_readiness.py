"""Whether a directory can serve a sign-in: found out while nobody signs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from structlog.typing import EventDict

from directory import Directories, DirectoryCondition, DirectorySettings
from directory.directories import best_condition
from directory.ldap.watch import pause, watch
from tests.support.ldap_server import DN, PASSWORD, FakeLdapServer
from tests.support.relay_and_agent import eventually


def settings(*servers: str, **fields: Any) -> DirectorySettings:
    """Of a directory in the clear, whose service account is the one person that the fake server knows."""
    made = DirectorySettings(
        name="corp.example.com",
        base_dn="DC=corp",
        servers=servers,
        send_passwords_unencrypted_over_the_network=True,
        connect_timeout=0.2,
        search_timeout=0.1,
        check_seconds=0.01,
        retry_seconds=0.01,
    )
    return replace(made, **fields)


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


class Watched:
    """Async context manager: directories that are watched."""

    def __init__(self, *of: DirectorySettings) -> None:
        self.directories = Directories(of)
        self.changes = 0

    async def __aenter__(self) -> Watched:
        self._task = asyncio.create_task(self.directories.watch(self._note))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.directories.close()

    def _note(self) -> None:
        self.changes += 1

    @property
    def conditions(self) -> list[str]:
        return [found.condition for found in self.directories.readiness()]

    async def become(self, *conditions: str) -> str:
        """Wait until the directories are in these; what stands in the first one's way."""
        await eventually(lambda: self.conditions == list(conditions))
        return self.directories.readiness()[0].detail


@pytest.fixture
def service(tmp_path: Path) -> dict[str, Any]:
    """A service account that the fake server knows, and sign-ins that leave a failed server alone for an hour."""
    secret = tmp_path / "password"
    secret.write_bytes(PASSWORD)
    secret.chmod(0o600)
    return {"service_user": DN.decode(), "service_password_file": secret, "retry_seconds_most": 3600.0}


async def test_nobody_has_looked_before_somebody_looks() -> None:
    """What is not known is not ready."""
    async with FakeLdapServer() as server:
        directories = Directories([settings(server.server)])
        (found,) = directories.readiness()
        assert (found.directory, found.condition) == ("corp.example.com", "not_checked")
        await directories.close()


async def test_an_idle_directory_is_ready_gone_and_back(service: dict[str, Any], logs: list[EventDict]) -> None:
    """Whoever wants to know is told each time; the log tells it once. It is back although sign-ins leave it alone still."""
    async with FakeLdapServer() as server, Watched(settings(server.server, **service)) as watched:
        await watched.become("ready")
        assert watched.changes == 1
        server.at_search = None
        assert "no answer" in await watched.become("no_controller")
        server.at_search = 0
        await watched.become("ready")
        assert watched.changes == 3
    assert [entry["event"] for entry in logs if entry["event"].startswith("dc.")] == ["dc.down", "dc.up"]


@pytest.mark.parametrize(
    ("result", "condition"),
    [(0, "ready"), (32, "base_dn"), (51, "no_controller"), (52, "no_controller"), (50, "ready"), (11, "ready")],
)
async def test_what_a_domain_controller_says_of_the_base_counts(result: int, condition: DirectoryCondition) -> None:
    """noSuchObject: nobody would be found. busy, unavailable: nobody is served. A right that lacks says nothing."""
    async with FakeLdapServer(at_search=result) as server, Watched(settings(server.server, kind="ldap")) as watched:
        await watched.become(condition)


async def test_a_refused_service_account_is_not_ready_although_the_controller_is_up(
    tmp_path: Path, logs: list[EventDict]
) -> None:
    """Its password is not tried again and again; once it is right, users can sign in."""
    secret = tmp_path / "password"
    secret.write_text("wrong")
    secret.chmod(0o600)
    account = {"service_user": DN.decode(), "service_password_file": secret, "retry_seconds_most": 0.0}
    async with FakeLdapServer() as server, Watched(settings(server.server, **account)) as watched:
        detail = await watched.become("service_account")
        assert "refuses the service account" in detail
        assert "wrong" not in detail.replace("wrong password", "")
        assert [health.state for health in watched.directories.health()] == ["up"]
        assert len(server.binds) == 1
        secret.write_text(PASSWORD.decode())
        await watched.become("ready")
    assert [entry["event"] for entry in logs if entry["event"] == "dc.unusable"] == ["dc.unusable"]


async def test_one_controller_is_enough_and_each_directory_counts() -> None:
    """Users of the others sign in meanwhile."""
    async with FakeLdapServer() as server:
        east = settings("ldap://127.0.0.1:9", server.server)
        west = replace(east, name="west.example.com", netbios_name="WEST", servers=("ldap://127.0.0.1:9",))
        async with Watched(east, west) as watched:
            await watched.become("ready", "no_controller")
            domains = [found.domains for found in watched.directories.readiness()]
            assert domains == [("corp.example.com",), ("west.example.com", "west")]
    alone = Directories([settings("ldap://127.0.0.1:9")])
    assert alone.readiness()[0].domains == alone.domains == ("corp.example.com", "*")
    await alone.close()


async def test_a_server_that_accepts_and_stays_silent_is_given_up(silent: str) -> None:
    """TLS, the bind and the search together may not take longer than a connection and a search."""
    async with Watched(settings(silent, service_user="cn=x")) as watched:
        assert "no answer within" in await watched.become("no_controller")


@pytest.fixture
async def silent() -> Any:
    async with FakeLdapServer(at_bind="silent") as server:
        yield server.server


@pytest.mark.parametrize(
    ("conditions", "best"),
    [
        (("no_controller", "ready"), "ready"),
        (("no_controller", "service_account"), "service_account"),
        (("no_controller", "not_checked"), "not_checked"),
        (("no_controller", "no_controller"), "no_controller"),
    ],
)
def test_the_best_controller_speaks_for_its_directory(conditions: tuple[str, ...], best: str) -> None:
    """And says what is in its way."""
    controllers = [SimpleNamespace(condition=condition, obstacle=f"of {condition}") for condition in conditions]
    assert best_condition(cast(Any, controllers)) == (best, f"of {best}")


# -- when it is looked


class Looked:
    """A controller that counts looks; the clock is the test's."""

    def __init__(self, *, is_up: bool, error: Exception | None = None) -> None:
        self.is_up, self.error, self.looks, self.quiet_for = is_up, error, 0, 0.0

    async def look(self) -> None:
        self.looks += 1
        self.quiet_for = 0.0
        if self.error is not None:
            raise self.error


async def run(controller: Looked, until: int, meanwhile: Callable[[float], None] = lambda _: None) -> list[float]:
    """Watch it until it was looked at so often; for how long it was waited each time."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        controller.quiet_for += seconds
        meanwhile(seconds)
        if controller.looks >= until:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await watch(cast(Any, controller), settings("x", check_seconds=5.0, retry_seconds=2.0), sleep)
    return waits


async def test_one_that_is_down_is_looked_at_more_often() -> None:
    """Its return is noticed soon; nobody but this waits for it."""
    assert await run(Looked(is_up=True), 3) == [5.0, 5.0, 5.0]
    assert await run(Looked(is_up=False), 3) == [2.0, 2.0, 2.0]
    assert pause(cast(Any, Looked(is_up=False)), settings("x", check_seconds=1.0, retry_seconds=2.0)) == 1.0


async def test_one_that_answers_sign_ins_needs_no_look() -> None:
    """The next one is due when it has been quiet for long enough."""
    controller, waits = Looked(is_up=True), []

    def answered(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            controller.quiet_for = 2.0

    assert await run(controller, 2, answered) == [5.0, 3.0, 5.0]


async def test_a_defect_costs_a_look_not_the_agent(logs: list[EventDict]) -> None:
    """It goes on, and the log has it."""
    assert await run(Looked(is_up=False, error=RuntimeError("defect")), 2) == [2.0, 2.0]
    assert [entry["event"] for entry in logs] == ["dc.look_failed", "dc.look_failed"]
