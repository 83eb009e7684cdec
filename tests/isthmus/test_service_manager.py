"""What the service manager hears, on a socket of the test's own."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from isthmus.service_manager import ServiceManager
from tests.support.notify import NotifySocket, abstract_name


@pytest.fixture(params=["path", "abstract"])
def notify(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    """Both kinds of address that systemd uses."""
    with NotifySocket(str(tmp_path / "notify") if request.param == "path" else abstract_name()) as made:
        yield made


def test_each_state_is_told(notify: NotifySocket) -> None:
    """One datagram each, with what sd_notify(3) wants in it."""
    manager = ServiceManager(notify.address)
    manager.ready("Serving https://signin.example.com")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.reloading()
    manager.stopping()
    manager.alive()
    ready, reloading, stopping, alive = notify.waiting()
    assert ready == {"READY": "1", "STATUS": "Serving https://signin.example.com"}
    assert reloading["RELOADING"] == "1"
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert stopping["STOPPING"] == "1"
    assert alive == {"WATCHDOG": "1"}


def test_a_status_is_one_line(notify: NotifySocket) -> None:
    """What stands in the settings cannot say that the process stops."""
    ServiceManager(notify.address).ready("a\nSTOPPING=1\n" + "b" * 1000)
    (message,) = notify.waiting()
    assert set(message) == {"READY", "STATUS"}
    assert len(message["STATUS"]) == 200


@pytest.mark.parametrize(
    ("environment", "address", "watchdog"),
    [
        ({}, "", 0.0),
        ({"NOTIFY_SOCKET": "/run/systemd/notify"}, "/run/systemd/notify", 0.0),
        ({"NOTIFY_SOCKET": "@notify", "WATCHDOG_USEC": "60000000"}, "@notify", 60.0),
        ({"NOTIFY_SOCKET": "@notify", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, "@notify", 60.0),
        ({"NOTIFY_SOCKET": "@notify", "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, "@notify", 0.0),
        ({"NOTIFY_SOCKET": "@notify", "WATCHDOG_USEC": "soon"}, "@notify", 0.0),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "", 0.0),
        ({"NOTIFY_SOCKET": "relative"}, "", 0.0),
    ],
)
def test_it_is_found_in_the_environment(environment: dict[str, str], address: str, watchdog: float) -> None:
    """And taken out of it: no child may speak in this process's name. A watchdog of another process is not ours."""
    environment["PATH"] = "/bin"
    manager = ServiceManager.from_environment(environment)
    assert (manager._address, manager.watchdog) == (address, watchdog)
    assert environment == {"PATH": "/bin"}


def test_nobody_listens() -> None:
    """Nothing is sent, nothing is logged: most processes are not started by systemd."""
    with structlog.testing.capture_logs() as logs:
        ServiceManager().ready("Serving")
    assert logs == []


def test_a_socket_that_is_gone_is_told_of_once(tmp_path: Path) -> None:
    """And again after it was there meanwhile; the process goes on."""
    manager = ServiceManager(str(tmp_path / "notify"))
    with structlog.testing.capture_logs() as logs:
        manager.ready("Serving")
        manager.alive()
        with NotifySocket(str(tmp_path / "notify")) as notify:
            manager.alive()
            assert notify.waiting() == [{"WATCHDOG": "1"}]
        manager.alive()
    assert [(entry["event"], entry["told"]) for entry in logs] == [
        ("service_manager.not_told", "READY"),
        ("service_manager.not_told", "WATCHDOG"),
    ]
