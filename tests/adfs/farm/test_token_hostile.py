"""Servers that are not what they seem, asked for a token: no password is given away, and none is tried twice."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from adfs_mgmt.farm import ExternalView, FarmSettings, TestAccount, sign_in
from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from foundation.saml import MAX_ANSWER_BYTES, WS_TRUST_13, SignInOutcome, SyntheticSignIn
from tests.adfs.farm import samples
from tests.adfs.farm.samples import NAME, NOW
from tests.adfs.farm.test_token_checks import FARM
from tests.adfs.simulator.ws_trust import wrap
from tests.adfs.simulator.x509 import Authority, Keys
from tests.foundation.saml.test_assertion import ANSWER, PARTY, PASSWORD, same_id

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Stand:
    """Two servers under the federation's name, with what they were told, and the settings to ask them."""

    def __init__(self, settings: FarmSettings) -> None:
        self.settings = settings
        self.requests: list[bytes] = []

    async def ask(self) -> list[SyntheticSignIn]:
        outside = ExternalView(federation_name=NAME, read_at=NOW, served=())
        async with asyncio.timeout(20):
            done = await sign_in(self.settings, TestAccount("probe@example.com", PASSWORD), outside, PARTY, time.time())
        return list(done)


@contextlib.asynccontextmanager
async def serving(tmp_path: Path, handler: Callable[[Stand], Handler], *, trusted: bool = True) -> AsyncIterator[Stand]:
    """On one port: the node's address is 127.0.0.1, the name's 127.0.0.2."""
    keys, now = Keys(), time.time()
    authority, stranger = Authority(keys, now), Authority(keys, now)
    leaf = authority.issue([NAME], now - 60, now + 3600)
    (tmp_path / "ca.pem").write_bytes((authority if trusted else stranger).certificate.pem)
    (tmp_path / "leaf.pem").write_bytes(leaf.pem + leaf.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem")
    stand = Stand(FarmSettings(name="x", federation_name=NAME))
    work = handler(stand)
    running: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await work(reader, writer)
        writer.transport.abort()

    first = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=context)
    port = first.sockets[0].getsockname()[1]
    second = await asyncio.start_server(guarded, "127.0.0.2", port, ssl=context)
    stand.settings = replace(
        stand.settings,
        nodes=("sts1.example.com=127.0.0.1",),
        federation_address="127.0.0.2",
        https_port=port,
        tls_ca_file=str(tmp_path / "ca.pem"),
        outside_timeout=1.0,
    )
    try:
        yield stand
    finally:
        for server in (first, second):
            server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def answering(parts: Iterable[bytes], *, hang: bool = False) -> Callable[[Stand], Handler]:
    """Reads a whole request, then says this."""

    def make(stand: Stand) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            stand.requests.append(head + await reader.readexactly(length))
            for part in parts:
                writer.write(part)
                await writer.drain()
            if hang:
                await asyncio.Event().wait()

        return handle

    return make


def http(status_line: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status_line}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (answering([http("302 Found", b"", "Location: https://127.0.0.2:1/")]), "HTTP 302"),
        (answering([http("307 Temporary Redirect", b"", "Location: https://127.0.0.2:1/")]), "HTTP 307"),
        (answering([http("401 Unauthorized", b"", "WWW-Authenticate: Basic realm=x")]), "HTTP 401"),
        (answering([], hang=True), "no answer within 1 s"),
        (answering([]), "the connection broke"),
        (answering([http("200 OK", b"<html/>")]), "not a SOAP 1.2 envelope"),
        (answering([http("500 No", b"oops")]), "not well-formed XML (HTTP 500)"),
        (answering([b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65536] * 64]), f"longer than {MAX_ANSWER_BYTES} bytes"),
        (answering([b"\0\1\2\3\r\n\r\n"]), "not HTTP"),
    ],
    ids=["302", "307", "401", "silent", "hangs up", "html", "500", "endless", "garbage"],
)
async def test_no_verdict_stops_the_round(tmp_path: Path, handler: Callable[[Stand], Handler], words: str) -> None:
    """The password was sent once; what became of it is not known, so nobody else gets it, nor is a redirect followed."""
    async with serving(tmp_path, handler) as stand:
        first, second = await stand.ask()
        assert (first.outcome, second.outcome) == (SignInOutcome.NO_VERDICT, SignInOutcome.NOT_ASKED)
        assert words in first.reason
        assert len(stand.requests) == 1


def hanging_at(address: str) -> Callable[[Stand], Handler]:
    """Silent there; a token elsewhere."""

    def make(stand: Stand) -> Handler:
        silent, good = answering([], hang=True)(stand), answering([http("200 OK", ANSWER)])(stand)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await (silent if writer.get_extra_info("sockname")[0] == address else good)(reader, writer)

        return handle

    return make


async def test_one_that_looks_well_decides(tmp_path: Path) -> None:
    """A node that hangs comes after the name, whose metadata was read: both are told from each other."""
    seen = replace(samples.outside(FARM).served[-1], host=NAME)
    async with serving(tmp_path, hanging_at("127.0.0.1")) as stand:
        outside = ExternalView(federation_name=NAME, read_at=NOW, served=(seen,))
        node, name = await sign_in(stand.settings, TestAccount("probe@example.com", PASSWORD), outside, PARTY, time.time())
    assert (node.outcome, name.outcome) == (SignInOutcome.NO_VERDICT, SignInOutcome.ISSUED)


async def test_an_untrusted_server_gets_nothing(tmp_path: Path) -> None:
    """Not one byte of HTTP, whatever certificate authority signed for the name."""
    async with serving(tmp_path, answering([http("200 OK", ANSWER)]), trusted=False) as stand:
        done = await stand.ask()
    assert {each.outcome for each in done} == {SignInOutcome.UNTRUSTED}
    assert stand.requests == []


async def test_what_is_sent_is_for_the_federation_name(tmp_path: Path) -> None:
    """By its name, to the endpoint; the password is in the body and nowhere else. Answers of strangers are looked into."""
    async with serving(tmp_path, answering([http("200 OK", ANSWER)])) as stand:
        first, second = await stand.ask()
    assert (first.outcome, second.outcome) == (SignInOutcome.ISSUED, SignInOutcome.ISSUED)
    head, _, body = stand.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /adfs/services/trust/13/usernamemixed HTTP/1.1")
    assert f"Host: {NAME}:{stand.settings.https_port}".encode() in head
    assert PASSWORD.encode() not in head
    assert PASSWORD.encode() in body
    assert PASSWORD not in repr((first, second))


async def test_a_forged_token_is_a_failure_and_says_why(tmp_path: Path) -> None:
    """The account was accepted, so the other address is asked, too."""
    async with serving(tmp_path, answering([http("200 OK", wrap(WS_TRUST_13.path, same_id()))])) as stand:
        done = await stand.ask()
    assert [each.outcome for each in done] == [SignInOutcome.BAD_TOKEN, SignInOutcome.BAD_TOKEN]
    assert "signature" in done[0].reason
    checks = check_farm(FARM, None, Thresholds(), NOW, (), done)
    assert {each.status for each in checks if each.name == "synthetic-token"} == {"fail"}


async def test_a_handshake_that_hangs_was_not_sent_anything(tmp_path: Path) -> None:
    """It is not reached, and the others are asked."""
    accepted: list[asyncio.StreamWriter] = []
    async with serving(tmp_path, answering([http("200 OK", ANSWER)])) as stand:
        silent = await asyncio.start_server(
            lambda _, writer: accepted.append(writer), "127.0.0.3", stand.settings.https_port
        )
        stand.settings = replace(stand.settings, nodes=("sts1.example.com=127.0.0.3",))
        first, second = await stand.ask()
        silent.close()
        for writer in accepted:
            writer.transport.abort()
    assert (first.outcome, second.outcome) == (SignInOutcome.UNREACHED, SignInOutcome.ISSUED)
    assert "no answer within 0.5 s" in first.reason


async def test_a_certificate_file_that_is_not_there(tmp_path: Path) -> None:
    """No exception, and nothing is sent."""
    async with serving(tmp_path, answering([http("200 OK", ANSWER)])) as stand:
        stand.settings = replace(stand.settings, tls_ca_file=str(tmp_path / "none.pem"))
        done = await stand.ask()
    assert all(each.reason and not each.token for each in done)
    assert stand.requests == []
