"""An ACME server that was taken over: it speaks the protocol, and says in it what it likes."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certs.acme import AcmeError, AcmeRefused, AcmeSettings, obtain

NAME = "signin.example.com"
AUTHORITY = ec.generate_private_key(ec.SECP256R1())


class HostileServer:
    """Enough of RFC 8555 to be believed. Every answer can be another one."""

    def __init__(self) -> None:
        self.url = ""
        self.name = NAME
        self.state = "pending"
        self.chain: Callable[[bytes], bytes] = issued
        self._request = b""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/dir", self._directory)
        app.router.add_route("*", "/{what}", self._answer)
        return app

    async def _directory(self, _request: web.Request) -> web.Response:
        names = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
        return web.json_response({name: f"{self.url}/{name}" for name in names})

    async def _answer(self, request: web.Request) -> web.Response:
        what, text = request.match_info["what"], await request.text()
        sent: dict[str, Any] = json.loads(_decoded(json.loads(text)["payload"]) or b"{}") if text else {}
        headers = {"Replay-Nonce": "bm9uY2U"}
        if what == "cert":
            body = self.chain(self._request)
            return web.Response(body=body, headers=headers, content_type="application/pem-certificate-chain")
        if what == "finalize":
            self._request = _decoded(sent["csr"])
        shown = {"newAccount": self._account, "authz": self._authorization, "challenge": self._challenge}.get(
            what, self._order
        )
        if what.startswith("new"):
            headers["Location"] = f"{self.url}/{'account' if what == 'newAccount' else 'order'}"
        headers["Link"] = f'<{self.url}/authz>;rel="up"'
        return web.json_response(shown(what), status=201 if what.startswith("new") else 200, headers=headers)

    def _account(self, _what: str) -> dict[str, Any]:
        return {"status": "valid"}

    def _order(self, what: str) -> dict[str, Any]:
        done = {"status": "valid", "certificate": f"{self.url}/cert"} if self._request else {"status": "pending"}
        return done | {
            "identifiers": [{"type": "dns", "value": NAME}],
            "authorizations": [f"{self.url}/authz"],
            "finalize": f"{self.url}/finalize",
        }

    def _authorization(self, _what: str) -> dict[str, Any]:
        shown = self.state
        self.state = "valid" if self.state == "challenged" else self.state
        return {
            "status": "pending" if shown == "challenged" else shown,
            "identifier": {"type": "dns", "value": self.name},
            "challenges": [self._challenge("")],
        }

    def _challenge(self, what: str) -> dict[str, Any]:
        self.state = "challenged" if what else self.state
        return {"type": "dns-01", "url": f"{self.url}/challenge", "status": "pending", "token": "dG9rZW4" * 6}


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def issued(request: bytes, *, names: bool = True) -> bytes:
    """For the key that was sent, as a good server would."""
    asked = x509.load_der_x509_csr(request)
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, asked.public_key(), 1).not_valid_before(now - timedelta(1))
    builder = builder.not_valid_after(now + timedelta(30))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    return builder.sign(AUTHORITY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    hostile = HostileServer()
    runner = web.AppRunner(hostile.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hostile.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hostile
    await runner.cleanup()


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    """Notes what it was called with."""
    path = tmp_path / "hook"
    path.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n')
    path.chmod(0o700)
    return path


@pytest.fixture
def settings(server: HostileServer, hook: Path) -> AcmeSettings:
    return AcmeSettings(
        directory=f"{server.url}/dir", challenge="dns-01", hook=hook, agree_terms=True, timeout=20.0, key_bits=2048
    )


async def test_one_that_is_honest(settings: AcmeSettings, tmp_path: Path) -> None:
    """So that the refusals below are about what they say."""
    _key, chain = await obtain([NAME], settings, tmp_path / "state")
    assert b"BEGIN CERTIFICATE" in chain
    assert f"present {NAME} _acme-challenge.{NAME}" in (tmp_path / "called").read_text()


@pytest.mark.parametrize("name", ["www.example.org", "--help", "$(id)", "x\n", NAME.upper() + "."])
async def test_a_name_that_was_not_asked_for_reaches_no_hook(
    server: HostileServer, settings: AcmeSettings, tmp_path: Path, name: str
) -> None:
    """It is a program's argument, and may change any record of the organisation's domains."""
    server.name = name
    with pytest.raises(AcmeRefused, match="was not asked for"):
        await obtain([NAME], settings, tmp_path / "state")
    assert not (tmp_path / "called").exists()


CHAINS: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda _request: b"",
    "text": lambda _request: b"hello",
    "no PEM inside": lambda _request: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "without names": lambda request: issued(request, names=False),
    "and then no PEM": lambda request: issued(request) + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("preferred", ["", "Some CA"])
@pytest.mark.parametrize("chain", CHAINS)
async def test_a_chain_that_is_none(
    server: HostileServer, settings: AcmeSettings, tmp_path: Path, chain: str, preferred: str
) -> None:
    """An error like any other: the relay asks again in an hour, and serves what it has."""
    server.chain = CHAINS[chain]
    with pytest.raises(AcmeError):
        await obtain([NAME], dataclasses.replace(settings, preferred_chain=preferred), tmp_path / "state")
