"""Fixtures that tests of several packages share, and rules that hold for every test."""

from __future__ import annotations

import functools
import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import coverage
import hypothesis
import pytest
import structlog
from cryptography.hazmat.primitives.serialization import load_der_private_key

from demo.postgres import ThrowawayPostgres
from demo.samba import ServiceAccount, ThrowawayDomain
from directory import DirectorySettings, TlsSettings
from gateway.federation.keys import first_keys, material
from gateway.relay.refusals import delay
from tests.support.examples import LONG_EXAMPLES
from tests.support.keys import first_key

hypothesis.settings.register_profile("isthmus", deadline=None)  # machines are noisy, coverage is slow
hypothesis.settings.register_profile("long", deadline=None, max_examples=LONG_EXAMPLES)
hypothesis.settings.load_profile("isthmus")

_FIRST = ("test_kill_nine.py", "test_processes.py", "test_looks.py", "test_flows.py", "test_long.py", "test_two_commands.py")
"""Modules that take longest. They begin first where two run at a time: what begins last is waited for alone."""
_ROOM = 1 << 30
"""Bytes that must be free in memory before temporary files go there."""


def pytest_configure(config: pytest.Config) -> None:
    """Temporary files are kept in memory where that is possible: journals and databases are synced thousands of times."""
    memory = Path("/dev/shm")  # noqa: S108 - pytest and tempfile make directories of their own in it
    if "TMPDIR" not in os.environ and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(memory)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every test says in one sentence what it is for. Long ones run where their marker is named."""
    silent = [item.nodeid for item in items if not getattr(getattr(item, "function", None), "__doc__", None)]
    if silent:
        raise pytest.UsageError("tests without a docstring: " + ", ".join(silent[:5]))
    if "long" not in config.option.markexpr:
        items[:] = [item for item in items if item.get_closest_marker("long") is None]
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_rank)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What collecting has made stays to the end: the garbage collector need not look at half a million objects again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """What a worker has measured is written before it says that it is done: it is killed ten seconds later."""
    running = coverage.Coverage.current()
    if running is not None and "PYTEST_XDIST_WORKER" in os.environ:
        running.stop()
        running.save()


def _rank(item: pytest.Item) -> int:
    """The longest modules, then those that start processes, then the others."""
    if item.path.name in _FIRST:
        return _FIRST.index(item.path.name)
    return len(_FIRST) + (item.get_closest_marker("system") is None and item.get_closest_marker("samba") is None)


@pytest.fixture(scope="session", autouse=True)
def short_delay() -> Iterator[None]:
    """Relays in this process answer refusals after milliseconds: no operator can set that, and no test waits for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delay, "STEP", 0.002)
        yield


@pytest.fixture(scope="session", autouse=True)
def loggers_are_bound_anew() -> Iterator[None]:
    """A command that a test runs in this process sets logging up for itself alone.

    Bound on first use, as outside of tests, a logger would stay at that level and output, and nothing of it be captured.
    """
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", lambda **how: configure(**{**how, "cache_logger_on_first_use": False}))
        yield


@pytest.fixture(autouse=True)
def default_logging() -> Iterator[None]:
    """Its standard error ends with the test, too."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def same_first_keys() -> Iterator[None]:
    """Relays in this process begin with the same signing keys: four of RSA, made and checked, would cost each 0.7 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_keys, "make_key", first_key)
        patch.setattr(material, "load_der_private_key", functools.cache(load_der_private_key))
        yield


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """For tests of commands, which set up logging: that is global."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[ThrowawayPostgres]:
    """A real PostgreSQL; each test makes databases of its own there."""
    with ThrowawayPostgres() as running:
        yield running


@pytest.fixture(scope="session")
def domain() -> Iterator[ThrowawayDomain]:
    """A real Active Directory with people in every account state."""
    with ThrowawayDomain() as running:
        running.create_people()
        yield running


@pytest.fixture(scope="session")
def service(domain: ThrowawayDomain) -> ServiceAccount:
    """The account that the agent reads the directory with."""
    return domain.create_service_account(may_reset=True)


@pytest.fixture
def ad_settings(domain: ThrowawayDomain, service: ServiceAccount) -> DirectorySettings:
    """Settings for the throwaway domain."""
    return DirectorySettings(
        name=domain.dns_domain,
        netbios_name=domain.netbios_name,
        servers=(f"{domain.address}:636",),
        base_dn=domain.base_dn,
        service_user=service.upn,
        service_password_file=service.password_file,
        tls=TlsSettings(ca_file=domain.ca_file),
    )
