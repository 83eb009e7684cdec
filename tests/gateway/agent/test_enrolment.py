"""Enrolment, against a real relay on loopback and against relays that misbehave."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from certs import Authority, EnrolmentToken, MachineIdentity, Role, TokenRefused, prove
from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from gateway.agent.enrolment import ENROL_PATH, enrol
from gateway.agent.errors import EnrolmentFailed
from gateway.agent.routes import known_relays
from gateway.agent.settings import AgentCoreSettings
from gateway.app import Relay
from tests.support.relay_and_agent import agent_settings, relay

Answer = Callable[[dict[str, str]], web.Response]


async def token_of(running: Relay, name: str = "agent1") -> EnrolmentToken:
    return EnrolmentToken.parse((await running.administration.create_token(name, "test", any_domain=True)).text)


async def redeem(
    home: Path, token: EnrolmentToken, name: str = "agent1", now: float | None = None, **how: Any
) -> MachineIdentity:
    return await enrol(agent_settings(home), home / name, token.text, time.time() if now is None else now, **how)


async def failure(home: Path, token: EnrolmentToken, now: float | None = None, **how: Any) -> str:
    """The message of an enrolment that must fail; it names the relay, and tells no secret."""
    with pytest.raises(EnrolmentFailed) as raised:
        await redeem(home, token, now=now, **how)
    text = str(raised.value)
    assert text.startswith(f"{token.relay_url} did not enrol this agent: ")
    assert token.text not in text
    for secret in (token.secret, token.key):
        assert base64.b64encode(secret).decode() not in text
        assert secret.hex() not in text
    assert not (home / "agent1" / "identity" / "identity.pem").exists()
    assert not (home / "agent1" / "relays.json").exists()
    return text


async def kinds(running: Relay) -> list[str]:
    return [entry.kind for entry in await running.administration.audit(limit=50, before=None, kind="", subject="")]


async def test_a_token_becomes_an_identity(tmp_path: Path) -> None:
    """With the token's name, the agent's role and the relay's address; on record at the relay."""
    async with relay(tmp_path) as running:
        token = await token_of(running)
        identity = await redeem(tmp_path, token)
        assert running.registry.status("agent1", identity.serial) == "enrolled"
        assert "agent.enrolled" in await kinds(running)
    assert (identity.name, identity.role) == ("agent1", Role.AGENT)
    assert known_relays(AgentCoreSettings(), tmp_path / "agent1") == (token.relay_url,)
    assert MachineIdentity.load(tmp_path / "agent1" / "identity").serial == identity.serial
    assert not (tmp_path / "agent1" / "identity" / "pending.key").exists()


async def test_a_used_token_is_refused_and_that_is_on_record(tmp_path: Path) -> None:
    """The second redemption gets no certificate."""
    async with relay(tmp_path) as running:
        token = await token_of(running)
        await redeem(tmp_path, token, "first")
        assert "the token is used. Make a new token on the relay" in await failure(tmp_path, token)
        assert "agent.enrolment_refused" in await kinds(running)


async def test_a_token_that_expired_here_is_not_sent(tmp_path: Path) -> None:
    """By the agent's own clock, with the way to a new one; the relay need not even be there."""
    token = token_for(f"https://127.0.0.1:{free_port()}", "00" * 32)
    with pytest.raises(TokenRefused, match=r"expired 60 s ago.*isthmus relay token"):
        await redeem(tmp_path, token, now=token.expires_at + 60)
    assert not (tmp_path / "agent1").exists()


async def test_a_token_that_expired_at_the_relay_is_refused(tmp_path: Path) -> None:
    """A clock set back on the agent's side helps nobody."""
    async with relay(tmp_path, token_lifetime=1e-6) as running:
        token = await token_of(running)
        assert "the token is expired" in await failure(tmp_path, token, now=token.expires_at - 1)


async def test_a_damaged_token_is_told_from_a_foreign_string(tmp_path: Path) -> None:
    """Copied by halves, changed by a letter, or something else altogether."""
    text = token_for("https://127.0.0.1:1", "00" * 32).text
    flipped = text[:40] + ("A" if text[40] != "A" else "B") + text[41:]
    for wrong, words in (
        (text[:-7], "copy the whole string"),
        (flipped, "damaged"),
        ("password", "does not begin with isth1."),
    ):
        with pytest.raises(TokenRefused, match=words):
            await enrol(agent_settings(tmp_path), tmp_path / "agent1", wrong, time.time())


async def test_a_token_with_another_secret_is_unknown(tmp_path: Path) -> None:
    """Guessing gets nobody in."""
    async with relay(tmp_path) as running:
        token = replace(await token_of(running), secret=os.urandom(32))
        assert "the token is unknown" in await failure(tmp_path, token)


async def test_a_token_cannot_be_changed_to_another_name(tmp_path: Path) -> None:
    """The relay issues for the name that the administrator chose, and the agent takes no other."""
    async with relay(tmp_path) as running:
        token = replace(await token_of(running), name="domain-controller")
        text = await failure(tmp_path, token)
    assert "cannot be trusted" in text
    assert "it names agent1, not domain-controller" in text


async def test_another_authority_than_the_tokens_is_not_taken(tmp_path: Path) -> None:
    """What a proxy in between would have to show."""
    async with relay(tmp_path) as running:
        token = replace(await token_of(running), authority_fingerprint="ab" * 32)
        assert "the relay showed another authority than the one that the token names" in await failure(tmp_path, token)


async def test_an_https_certificate_of_another_ca_is_not_taken(tmp_path: Path) -> None:
    """Nothing is sent; the token can still be redeemed."""
    async with relay(tmp_path) as running:
        token = await token_of(running)
        assert "certificate is not trusted" in await failure_with(tmp_path, token, tls_ca_file=None)
        write_certificates(tmp_path / "other", dns_name="localhost", address="127.0.0.1")
        text = await failure_with(tmp_path, token, tls_ca_file=tmp_path / "other" / "ca.pem")
        assert "certificate is not trusted" in text
        assert (await redeem(tmp_path, token)).name == "agent1"


async def failure_with(home: Path, token: EnrolmentToken, **core: Any) -> str:
    with pytest.raises(EnrolmentFailed) as raised:
        await enrol(agent_settings(home, **core), home / "agent1", token.text, time.time())
    return str(raised.value)


async def test_a_relay_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Address and reason."""
    write_certificates(tmp_path / "tls", dns_name="localhost", address="127.0.0.1")
    port = free_port()
    assert f"127.0.0.1:{port}" in await failure(tmp_path, token_for(f"https://127.0.0.1:{port}", "00" * 32))


async def test_a_proxy_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    """The credentials of the proxy are in no message."""
    write_certificates(tmp_path / "tls", dns_name="localhost", address="127.0.0.1")
    password, port = tmp_path / "password", free_port()
    password.write_text("Sesam-1")
    password.chmod(0o600)
    proxy = {"proxy": f"http://127.0.0.1:{port}", "proxy_user": "svc", "proxy_password_file": password}
    text = await failure_with(tmp_path, token_for("https://127.0.0.1:1", "00" * 32), **proxy)
    assert f"127.0.0.1:{port}" in text
    assert "Sesam-1" not in text


async def test_a_silent_relay_is_given_up(tmp_path: Path) -> None:
    """After a time that is told."""

    async def silent(_request: web.Request) -> web.Response:
        await gone.wait()
        return web.Response()

    gone = asyncio.Event()
    async with https(tmp_path, silent) as url:
        assert "no answer within 0.2 s" in await failure(tmp_path, token_for(url, "00" * 32), timeout=0.2)
        gone.set()


async def test_a_failed_enrolment_leaves_the_old_identity_in_place(tmp_path: Path) -> None:
    """An agent that works goes on working."""
    async with relay(tmp_path) as running:
        identity = await redeem(tmp_path, await token_of(running))
        with pytest.raises(EnrolmentFailed):
            await redeem(tmp_path, replace(await token_of(running), authority_fingerprint="ab" * 32))
    assert MachineIdentity.load(tmp_path / "agent1" / "identity").serial == identity.serial
    assert len(known_relays(AgentCoreSettings(), tmp_path / "agent1")) == 1


# -- relays that misbehave


def token_for(url: str, authority: str, secret: bytes = b"s" * 32) -> EnrolmentToken:
    return EnrolmentToken(
        name="agent1", relay_url=url, authority_fingerprint=authority, expires_at=time.time() + 900, secret=secret
    )


@asynccontextmanager
async def https(home: Path, handler: Any) -> AsyncIterator[str]:
    """A server with the HTTPS certificate that agents of `home` trust; its address."""
    write_certificates(home / "tls", dns_name="localhost", address="127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(home / "tls" / "cert.pem", home / "tls" / "key.pem")
    app = web.Application()
    app.router.add_post(ENROL_PATH, handler)
    runner, port = web.AppRunner(app, access_log=None, shutdown_timeout=0.1), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        yield f"https://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(home: Path, answer: Answer) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        return answer(await request.json())

    async with https(home, handle) as url:
        yield url


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "cannot be trusted"),
        ([], "not a relay's response"),
        ({"certificate": "", "authority": "", "proof": ""}, "another authority"),
        ({"certificate": 1, "authority": 2, "proof": 3}, "cannot be trusted"),
        ({"certificate": "AAA", "authority": "A", "proof": "="}, "cannot be trusted"),
    ],
)
async def test_an_answer_that_is_none_is_not_trusted(tmp_path: Path, answer: Any, words: str) -> None:
    """Parts that are missing, of the wrong kind, or not base64."""
    async with answering(tmp_path, lambda _order: web.json_response(answer)) as url:
        assert words in await failure(tmp_path, token_for(url, "00" * 32))


@pytest.mark.parametrize(("status", "body"), [(200, "<html>"), (502, "<html>bad gateway</html>"), (200, "nul")])
async def test_an_answer_that_is_no_json_fails(tmp_path: Path, status: int, body: str) -> None:
    """As an error of ours: a captive portal or a balancer answered."""
    async with answering(tmp_path, lambda _order: web.Response(status=status, text=body)) as url:
        await failure(tmp_path, token_for(url, "00" * 32))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, {}, "agent: HTTP 500"),
        (
            403,
            {"detail": "the token is used"},
            "the token is used. Make a new token on the relay: isthmus relay token --name NAME --domain DOMAIN",
        ),
    ],
)
async def test_the_relays_reason_is_passed_on(tmp_path: Path, status: int, body: Any, words: str) -> None:
    """Or its HTTP status where it gave none."""
    async with answering(tmp_path, lambda _order: web.json_response(body, status=status)) as url:
        assert (await failure(tmp_path, token_for(url, "00" * 32))).endswith(words)


@pytest.mark.parametrize("body", ["", "[]", '"no"', "null"])
async def test_an_error_answer_that_is_no_object_fails_too(tmp_path: Path, body: str) -> None:
    """A balancer's 502 has an empty body."""
    async with answering(tmp_path, lambda _order: web.Response(status=502, text=body)) as url:
        assert "HTTP 502" in await failure(tmp_path, token_for(url, "00" * 32))


async def test_the_status_of_an_answer_without_json_is_told(tmp_path: Path) -> None:
    """`Expecting value: line 1 column 1` tells an operator nothing."""
    async with answering(tmp_path, lambda _order: web.Response(status=502, text="<html>")) as url:
        assert "502" in await failure(tmp_path, token_for(url, "00" * 32))


class Impostor:
    """A relay with an authority of its own; it knows the token's key, or not."""

    def __init__(self, home: Path, key: bytes) -> None:
        self.authority = Authority.create(home / "impostor", name="impostor", now=time.time())
        self.other = MachineIdentity.begin(home / "other-key", name="agent1")
        self.key = key

    def answer(self, order: dict[str, str], *, csr: bytes | None = None, role: Role = Role.AGENT) -> web.Response:
        asked = base64.b64decode(order["csr"])
        certificate = self.authority.issue(csr or asked, name="agent1", role=role, now=time.time())
        authority = self.authority.certificate_der
        proof = prove(self.key, "enrolled", asked, certificate, authority)
        parts = {"certificate": certificate, "authority": authority, "proof": proof}
        return web.json_response({name: base64.b64encode(part).decode() for name, part in parts.items()})


async def test_an_answer_without_the_tokens_key_is_not_trusted(tmp_path: Path) -> None:
    """Showing the right authority is not enough: the answer must be proven."""
    impostor = Impostor(tmp_path, key=os.urandom(32))
    async with answering(tmp_path, impostor.answer) as url:
        assert "the proof does not fit" in await failure(tmp_path, token_for(url, impostor.authority.fingerprint))


async def test_a_certificate_for_another_key_is_not_installed(tmp_path: Path) -> None:
    """Even from a holder of the token."""
    token = token_for("", "")
    impostor = Impostor(tmp_path, key=token.key)
    async with answering(tmp_path, lambda order: impostor.answer(order, csr=impostor.other)) as url:
        token = replace(token, relay_url=url, authority_fingerprint=impostor.authority.fingerprint)
        assert "it was issued for another key" in await failure(tmp_path, token)


async def test_a_relays_certificate_is_none_for_an_agent(tmp_path: Path) -> None:
    """The role is the authority's word, and it must be ours."""
    token = token_for("", "")
    impostor = Impostor(tmp_path, key=token.key)
    async with answering(tmp_path, lambda order: impostor.answer(order, role=Role.RELAY)) as url:
        token = replace(token, relay_url=url, authority_fingerprint=impostor.authority.fingerprint)
        assert "wrong role" in await failure(tmp_path, token)


async def test_neither_the_secret_nor_the_private_key_is_sent(tmp_path: Path) -> None:
    """The token's public name, the certificate request and a proof; that is all."""
    seen: list[dict[str, str]] = []

    def keep(order: dict[str, str]) -> web.Response:
        seen.append(order)
        return web.json_response({}, status=403)

    async with answering(tmp_path, keep) as url:
        token = token_for(url, "00" * 32)
        await failure(tmp_path, token)
    assert set(seen[0]) == {"token", "csr", "proof"}
    assert seen[0]["token"] == token.id
    sent = "".join(seen[0].values())
    assert base64.b64encode(token.secret).decode() not in sent
    assert base64.b64encode(token.key).decode() not in sent
    assert token.key.hex() not in sent
