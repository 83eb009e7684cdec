"""A renewed HTTPS certificate is served without a restart, and one that cannot be used is not."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from structlog.typing import EventDict

from demo.throwaway_tls import write_certificates
from gateway.app import Relay, ServerSettings, serving
from gateway.certificate import ServedCertificate
from settings import split_address
from tests.support.visitors import Clock

ALARM = "https_certificate.unusable"

Alarms = list[tuple[str, dict[str, str]]]


def renew(settings: ServerSettings, *, key: bool = True, certificate: bool = True) -> bytes:
    """Replace one file or both by rename, as ACME clients do; DER of the new certificate."""
    assert settings.tls_certificate is not None
    assert settings.tls_key is not None
    fresh = settings.tls_certificate.parent / "fresh"
    write_certificates(fresh, dns_name="localhost", address="127.0.0.1")
    der = ssl.PEM_cert_to_DER_cert((fresh / "cert.pem").read_text())
    if certificate:
        (fresh / "cert.pem").replace(settings.tls_certificate)
    if key:
        (fresh / "key.pem").replace(settings.tls_key)
    return der


async def served(settings: ServerSettings) -> bytes:
    """DER of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = split_address(settings.listen)
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return der


@pytest.fixture
async def relay(settings: ServerSettings) -> AsyncIterator[Relay]:
    async with serving(settings) as running:
        yield running


async def test_a_renewed_certificate_is_served_to_new_connections(relay: Relay, settings: ServerSettings) -> None:
    """After a round of housekeeping, by a handshake; a connection that was there goes on."""
    context = ssl.create_default_context(cafile=str((settings.tls_certificate or Path()).with_name("ca.pem")))
    host, port = split_address(settings.listen)
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    before = await served(settings)
    new = renew(settings)
    assert await served(settings) == before != new
    await relay.housekeeping.tidy()
    assert await served(settings) == new
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def test_a_certificate_that_has_expired_is_told_to_load_balancers(settings: ServerSettings) -> None:
    """What counts is what is served: a renewed one that does not fit its key helps nobody."""
    clock = Clock()
    async with serving(settings, clock=clock) as running:
        assert running.certificate is not None
        assert running.certificate.ends is not None

        async def healthz() -> tuple[int, str]:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            url = settings.public_url + "/healthz"
            async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as response:
                return response.status, (await response.json())["status"]

        clock.ahead = running.certificate.ends - time.time() - 60
        assert await healthz() == (200, "ok")
        clock.ahead += 120
        assert await healthz() == (503, "the HTTPS certificate has expired")
        renew(settings, key=False)
        await running.certificate.look()
        assert await healthz() == (503, "the HTTPS certificate has expired")
        assert settings.tls_certificate is not None
        write_certificates(settings.tls_certificate.parent, dns_name="localhost", address="127.0.0.1", days=9999)
        await running.certificate.look()
        assert await healthz() == (200, "ok")


async def test_what_does_not_fit_is_not_served_and_raises_one_alarm(
    relay: Relay, settings: ServerSettings, logs: list[EventDict]
) -> None:
    """A certificate whose key has not come: the one before stays, and is told of once, a minute later."""
    before = await served(settings)
    renew(settings, key=False)
    await relay.housekeeping.tidy()
    assert alarms(logs) == []
    for _ in range(3):
        await relay.housekeeping.tidy()
        assert await served(settings) == before
    (alarm,) = alarms(logs)
    assert alarm["setting"] == "server.tls_key"
    assert "is not the key of" in alarm["problem"]
    assert alarm["remedy"].endswith("the previous certificate stays in use")


def alarms(logs: list[EventDict]) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == ALARM]


class Watch:
    """A ServedCertificate, what it has served, and its alarms."""

    def __init__(self, settings: ServerSettings) -> None:
        self.contexts: list[ssl.SSLContext] = []
        self.alarms: Alarms = []
        self.watched = ServedCertificate(settings, self.contexts.append, lambda *alarm: self.alarms.append(alarm))

    async def look(self, times: int = 1) -> tuple[int, int]:
        """How often something new was served so far, and how many alarms there were."""
        for _ in range(times):
            await self.watched.look()
        return len(self.contexts), len(self.alarms)


@pytest.fixture
def watch(settings: ServerSettings) -> Watch:
    return Watch(settings)


async def test_files_that_do_not_change_are_not_loaded(watch: Watch) -> None:
    """Looking costs two calls of the system."""
    assert await watch.look(3) == (0, 0)


async def test_the_second_file_comes_a_moment_later(watch: Watch, settings: ServerSettings) -> None:
    """In between is no alarm; then both are served."""
    assert settings.tls_key is not None
    renew(settings, key=False)
    assert await watch.look() == (0, 0)
    (settings.tls_key.parent / "fresh" / "key.pem").replace(settings.tls_key)
    assert await watch.look(2) == (1, 0)


@pytest.mark.parametrize("damage", ["gone", "open to others"])
async def test_a_key_that_cannot_be_used_is_told_of_once(watch: Watch, settings: ServerSettings, damage: str) -> None:
    """And again where something else is wrong afterwards."""
    assert settings.tls_key is not None
    renew(settings)
    if damage == "gone":
        settings.tls_key.unlink()
    else:
        settings.tls_key.chmod(0o644)
    assert await watch.look(4) == (0, 1)
    settings.tls_key.write_bytes(b"half")
    settings.tls_key.chmod(0o600)
    assert await watch.look(3) == (0, 2)
    assert [alarm[0] for alarm in watch.alarms] == [ALARM, ALARM]
    renew(settings)
    assert await watch.look(2) == (1, 2)


async def test_the_old_files_are_put_back(watch: Watch, settings: ServerSettings) -> None:
    """There is nothing to load, and what is wrong next time is told of again."""
    assert settings.tls_key is not None
    kept = settings.tls_key.with_name("kept")
    settings.tls_key.rename(kept)
    assert await watch.look(3) == (0, 1)
    kept.rename(settings.tls_key)
    assert await watch.look(3) == (0, 1)
    settings.tls_key.rename(kept)
    assert await watch.look(3) == (0, 2)


async def test_a_link_to_a_new_file_counts(settings: ServerSettings) -> None:
    """As certbot makes them: the link's own time does not matter."""
    assert settings.tls_certificate is not None
    assert settings.tls_key is not None
    for path in (settings.tls_certificate, settings.tls_key):
        path.rename(path.with_suffix(".1"))
        path.symlink_to(path.with_suffix(".1"))
    watch = Watch(settings)
    fresh = settings.tls_certificate.parent / "fresh"
    write_certificates(fresh, dns_name="localhost", address="127.0.0.1")
    for path in (settings.tls_certificate, settings.tls_key):
        path.unlink()
        path.symlink_to(fresh / path.name)
    assert await watch.look(2) == (1, 0)
