"""Fixtures that several rooms share, and rules that hold for every test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

from demo.samba import ServiceAccount, ThrowawayDomain
from directory import DirectorySettings, TlsSettings

hypothesis.settings.register_profile("isthmus", deadline=None)  # machines are noisy, coverage is slow
hypothesis.settings.load_profile("isthmus")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test says in one sentence what it is for."""
    silent = [item.nodeid for item in items if not getattr(getattr(item, "function", None), "__doc__", None)]
    if silent:
        raise pytest.UsageError("tests without a docstring: " + ", ".join(silent[:5]))


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """For tests of commands, which set up logging: that is global."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


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
