"""Domain controllers in the tests' own event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from demo.throwaway_tls import write_certificates
from directory import TlsSettings
from sync.source import AdDomainSettings, AdSource, AdSourceSettings
from tests.support.fake_directory import ROOT, FakeDirectory

OpenAd = Callable[..., AdSource]
NAMES = ("cn", "mail", "member", "manager")


@pytest.fixture(scope="session")
def small_ca(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One authority: all those of the system would take longer to read than a test takes."""
    directory = tmp_path_factory.mktemp("authority")
    write_certificates(directory, dns_name="localhost", address="127.0.0.1")
    return directory / "ca.pem"


@pytest.fixture
async def fake() -> AsyncIterator[FakeDirectory]:
    async with FakeDirectory() as server:
        yield server


@pytest.fixture
async def other() -> AsyncIterator[FakeDirectory]:
    """Of another domain."""
    async with FakeDirectory(invocation_id=b"invocation-id-02") as server:
        yield server


@pytest.fixture
async def source_of(small_ca: Path) -> AsyncIterator[OpenAd]:
    """A source of these domains."""
    async with AsyncExitStack() as opened:

        def build(*domains: FakeDirectory, **more: Any) -> AdSource:
            settings = AdSourceSettings(
                domains=tuple(
                    AdDomainSettings(
                        name=f"domain{number}.example.com",
                        servers=(domain.server,),
                        base_dn=ROOT,
                        tls=TlsSettings(ca_file=small_ca),
                        send_passwords_unencrypted_over_the_network=True,
                        search_timeout=0.5,
                        silence_seconds=0.5,
                    )
                    for number, domain in enumerate(domains)
                ),
                **more,
            )
            source = AdSource("corp", settings, NAMES, clock=lambda: 1_800_000_000.0)
            opened.push_async_callback(source.close)
            return source

        yield build
