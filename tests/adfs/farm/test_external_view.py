"""Looking from outside: what each address serves, and that no answer of a hostile one does harm."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adfs_mgmt.farm import ExternalView, FarmSettings, Served, find_inconsistencies, read_external_view, unread_farm
from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from findings import worst
from foundation.saml import MAX_METADATA_BYTES
from tests.adfs.farm import samples
from tests.adfs.farm.served import settings_of
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import Simulator
from tests.adfs.simulator.state import SslBinding

ADFS2 = "adfs2.corp.example.com"


async def look(simulator: Simulator, network: Network) -> ExternalView:
    return await read_external_view(settings_of(simulator, network), simulator.world.clock())


def of(outside: ExternalView, host: str) -> Served:
    return next(each for each in outside.served if each.host.startswith(host))


async def test_a_healthy_farm(simulator: Simulator, network: Network) -> None:
    """Every host and the name: TLS, signed metadata, probe, clock. All is well by judgement, too."""
    outside = await look(simulator, network)
    assert len(outside.served) == 6
    for served in outside.served:
        assert served.error == ""
        assert served.tls is not None
        assert served.tls_problem == ""
        assert served.signed_by == served.signing[0]
        assert len(served.encryption) == 1
        assert served.probe_ok
        assert served.milliseconds > 0
        assert served.clock_skew is not None
        assert abs(served.clock_skew) < 3
        assert served.signed_by in outside.certificates
    farm = unread_farm(settings_of(simulator, network), simulator.world.clock())
    assert worst(check_farm(farm, outside, Thresholds(), simulator.world.clock())) == "pass"


async def test_a_host_that_is_off(simulator: Simulator, network: Network) -> None:
    """Three errors; the others are seen."""
    simulator.offline(ADFS2)
    outside = await look(simulator, network)
    served = of(outside, ADFS2)
    assert [each.partition(":")[0] for each in served.error.split("; ")] == ["TLS", "metadata", "probe"]
    assert served.tls is None
    assert of(outside, "adfs1").error == ""


async def test_a_service_that_is_stopped(simulator: Simulator, network: Network) -> None:
    """TLS is Windows's own; the rest answers 503."""
    simulator.stop_service(ADFS2)
    served = of(await look(simulator, network), ADFS2)
    assert served.tls is not None
    assert served.error == "metadata: HTTP 503; probe: HTTP 503"


async def test_an_untrusted_certificate_is_seen(simulator: Simulator, network: Network) -> None:
    """With the reason why nobody trusts it."""
    ended = simulator.issue("fs.example.com", days=-1, starts_in_days=-30)
    simulator.put(ADFS2, ended)
    simulator[ADFS2].bindings = [SslBinding("fs.example.com", 443, ended.thumbprint)]
    outside = await look(simulator, network)
    served = of(outside, ADFS2)
    assert served.tls is not None
    assert served.tls.thumbprint == ended.thumbprint
    assert "expired" in served.tls_problem
    assert len(served.signing) == 1
    found = find_inconsistencies(unread_farm(settings_of(simulator, network), 0.0), outside)
    assert [each.kind for each in found] == ["served-tls-differs"]


async def test_a_certificate_for_other_names(simulator: Simulator, network: Network) -> None:
    """A client says so."""
    other = simulator.issue("other.example.com")
    simulator.put(ADFS2, other)
    simulator[ADFS2].bindings = [SslBinding("fs.example.com", 443, other.thumbprint)]
    assert "fs.example.com" in of(await look(simulator, network), ADFS2).tls_problem


async def test_progress(simulator: Simulator, network: Network) -> None:
    """Each host once, and the name."""
    seen: list[str] = []
    settings = settings_of(simulator, network)
    await read_external_view(settings, simulator.world.clock(), on_host=seen.append)
    assert sorted(seen) == sorted((*settings.nodes, *settings.proxies, settings.federation_name))


async def test_a_name_that_does_not_resolve() -> None:
    """An error, no exception, whatever the name looks like."""
    for name in ("fs.invalid", "x" * 300, "a..b", "fs.invalid\x00"):
        settings = FarmSettings(name="x", federation_name=name, outside_timeout=2.0)
        outside = await read_external_view(settings, time.time())
        assert outside.served[0].error
        assert outside.canonical_name == ""


# -- hostile hosts

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def hostile(tmp_path: Path, handler: Handler, *, tls: bool = True) -> AsyncIterator[FarmSettings]:
    """A server on both ports that does as it likes, and the settings to look at it."""
    pem = tmp_path / "hostile.pem"
    made = samples.tls()
    key = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(made.parsed.public_bytes(Encoding.PEM) + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    running: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await handler(reader, writer)
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    secure = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=context if tls else None)
    plain = await asyncio.start_server(guarded, "127.0.0.1", 0)
    try:
        yield FarmSettings(
            name="x",
            federation_name=samples.NAME,
            federation_address="127.0.0.1",
            https_port=secure.sockets[0].getsockname()[1],
            http_port=plain.sockets[0].getsockname()[1],
            outside_timeout=2.0,
        )
    finally:
        secure.close()
        plain.close()
        await asyncio.wait_for(asyncio.gather(*running), 5)


def saying(*parts: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return handler


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything, answers nothing."""
    while await reader.read(1000):
        pass


async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not writer.is_closing():
        writer.write(b"a" * 10_000)
        await writer.drain()
        await asyncio.sleep(0)


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"a" * 100_000)
        await writer.drain()
        await asyncio.sleep(0)


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for as long as somebody listens."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.02)


_OK = b"HTTP/1.1 200 OK\r\nContent-Length: "


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (silent, "no answer within 2 s"),
        (endless_header, "not HTTP"),
        (endless_body, f"longer than {MAX_METADATA_BYTES} bytes"),
        (dripping, "no answer within 2 s"),
        (saying(b"\x00\xff\x00\xff\r\n\r\n"), "not HTTP"),
        (saying(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), "HTTP 302"),
        (saying(_OK + b"4\r\nContent-Encoding: gzip\r\n\r\nabcd"), "not well-formed XML"),
        (saying(_OK + b"10\r\n\r\nabc"), "not HTTP"),
        (saying(_OK + b"40\r\n\r\n" + b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), "document type"),
        (saying(_OK + b"4\r\nDate: Thu, 99 Nov 99999 99:99:99 GMT\r\n\r\n<a/>"), "not an EntityDescriptor"),
    ],
    ids=["silent", "header", "body", "drip", "garbage", "redirect", "gzip", "short", "doctype", "date"],
)
async def test_hostile_answers_are_errors(tmp_path: Path, handler: Handler, reason: str) -> None:
    """Soon, in bounded memory, and with TLS seen all the same."""
    async with hostile(tmp_path, handler) as settings, asyncio.timeout(10):
        (served,) = (await read_external_view(settings, samples.NOW)).served
    metadata = next(each for each in served.error.split("; ") if each.startswith("metadata: "))
    assert reason in metadata
    assert served.tls is not None
    assert served.tls_problem


async def test_a_port_without_tls(tmp_path: Path) -> None:
    """Said, not raised."""
    async with hostile(tmp_path, saying(b"SSH-2.0-OpenSSH_9\r\n"), tls=False) as settings, asyncio.timeout(10):
        (served,) = (await read_external_view(settings, samples.NOW)).served
    assert served.tls is None
    assert served.error.startswith("TLS: ")


async def test_one_hostile_host_does_not_hold_up_the_others(simulator: Simulator, network: Network, tmp_path: Path) -> None:
    """Each address has its own time."""
    async with hostile(tmp_path, silent) as bad:
        settings = settings_of(simulator, network)
        ports = replace(settings, federation_address="127.0.0.1", outside_timeout=3.0)
        assert bad.https_port != settings.https_port
        begun = time.monotonic()
        outside = await read_external_view(ports, simulator.world.clock())
        assert of(outside, "adfs1").error == ""
        assert of(outside, "fs.").error
        assert time.monotonic() - begun < 10
