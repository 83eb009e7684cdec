"""Clients for Node that share no code: openid-client 5 and oauth4webapi 3 for OpenID Connect, node-saml 5 for SAML."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.federation.trusts import ClientSecret, OidcClient, Trust
from tests.interop.foreign import ForeignProvider
from tests.interop.site import ANNA, PASSWORD, FederatedSite, federated
from tests.interop.test_saml_parties import DEEP, EMAIL, check_anna, signed_in, started, visitor_of
from tests.interop.visitor import Visitor

pytestmark = pytest.mark.interop

_HERE = Path(__file__).with_name("node")
CALLBACK = "https://application.example.com/callback"
SECRET = "a secret that the client was given"


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients, installed as the lock file says."""
    home = tmp_path_factory.getbasetemp().parent / f"node-{hashlib.sha256(_lock()).hexdigest()[:12]}"
    if not (home / "node_modules").exists():
        copied = shutil.copytree(_HERE, home.with_suffix(f".{os.getpid()}"), ignore=shutil.ignore_patterns("node_modules"))
        installed = subprocess.run(["npm", "ci"], cwd=copied, capture_output=True, text=True, check=False)
        assert installed.returncode == 0, installed.stderr
        try:
            copied.rename(home)
        except OSError:  # another worker was quicker
            shutil.rmtree(copied)
    return home


def _lock() -> bytes:
    return (_HERE / "package-lock.json").read_bytes()


class NodeClient:
    """One process; says a line for each step."""

    def __init__(self, node: Path, script: str, site: FederatedSite, **config: Any) -> None:
        self._command = ["node", str(_HERE / script), json.dumps({"issuer": site.url, **config})]
        self._environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(site.ca_file)}
        self._home = node
        shutil.copy(_HERE / script, node / script)
        self._command[1] = str(node / script)

    async def __aenter__(self) -> NodeClient:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, env=self._environment, cwd=self._home
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def said(self, step: str) -> dict[str, Any]:
        """The next line, which has to be of that step."""
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            line = json.loads(await self._process.stdout.readline() or b"{}")
        assert line.get("step") == step, line
        return dict(line)

    async def tell(self, url: str) -> None:
        """Where the browser was sent to."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{url}\n".encode())
        await self._process.stdin.drain()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[FederatedSite]:
    async with federated(tmp_path) as made:
        await made.trust(
            Trust(
                id="application",
                name="Application",
                protocol="oidc",
                oidc=OidcClient(
                    redirect_uris=(CALLBACK,),
                    secrets=(ClientSecret(digest=hashlib.sha256(SECRET.encode()).hexdigest()),),
                    post_logout_redirect_uris=("https://application.example.com/bye",),
                ),
            )
        )
        yield made


@pytest.mark.parametrize("script", ["openid-client.mjs", "oauth4webapi.mjs"])
async def test_a_node_client_signs_in_and_refreshes(node: Path, site: FederatedSite, script: str) -> None:
    """Code with PKCE, state and nonce, ID token, userinfo, refresh with rotation: all validated by the client."""
    async with (
        NodeClient(node, script, site, client_id="application", client_secret=SECRET, redirect_uri=CALLBACK) as client,
        Visitor(site.ca_file, stop_at=CALLBACK) as visitor,
    ):
        page = await visitor.open((await client.said("authorize"))["url"])
        page = await visitor.sign_in(page, ANNA, PASSWORD)
        await client.tell(page.url)
        told = await client.said("tokens")
        assert told["userinfo"]["email"] == ANNA
        assert told["claims"]["sub"] == told["userinfo"]["sub"]
        refreshed = await client.said("refreshed")
        assert refreshed["rotated"]
        await client.said("end")


async def test_a_node_client_pushes_its_request_revokes_and_leaves(node: Path, site: FederatedSite) -> None:
    """openid-client: PAR, revocation of a refresh token, logout with an ID token and state."""
    bye = "https://application.example.com/bye"
    config = {"client_id": "application", "client_secret": SECRET, "redirect_uri": CALLBACK}
    async with (
        NodeClient(node, "openid-client.mjs", site, **config, par=True, revoke=True, post_logout_redirect_uri=bye) as client,
        Visitor(site.ca_file, stop_at="https://application.example.com/") as visitor,
    ):
        url = (await client.said("authorize"))["url"]
        assert "request_uri=urn%3A" in url
        page = await visitor.sign_in(await visitor.open(url), ANNA, PASSWORD)
        await client.tell(page.url)
        await client.said("tokens")
        await client.said("refreshed")
        assert (await client.said("revoked"))["refused"] == "invalid_grant"
        page = await visitor.open((await client.said("logout"))["url"])
        assert page.url == f"{bye}?state=bye"
        await client.said("end")


def node_saml(node: Path) -> ForeignProvider:
    """node-saml where its packages are."""
    interpreter = shutil.which("node")
    assert interpreter is not None
    script = Path(shutil.copy(_HERE / "node-saml.mjs", node))
    return ForeignProvider("node-saml", Path(interpreter), script)


@pytest.mark.parametrize(("binding", "encrypt"), [("redirect", False), ("post", True)])
async def test_node_saml_signs_in(node: Path, site: FederatedSite, binding: str, encrypt: bool) -> None:
    """It wants response and assertion signed; the first NameID that it asks for is the mail address."""
    provider = node_saml(node)
    async with (
        started(site, provider, sign="both", encrypt=encrypt) as running,
        visitor_of(site, provider) as visitor,
    ):
        asked = await running.ask("request", binding=binding, relay_state=DEEP)
        told = await running.ask("response", fields=await signed_in(visitor, asked, provider))
        check_anna(told, EMAIL)
        assert told["relay_state"] == DEEP


@pytest.mark.parametrize("first", ["application", "relay"])
async def test_node_saml_signs_out(node: Path, site: FederatedSite, first: str) -> None:
    """Either side asks, the other one answers, and the session is over."""
    provider = node_saml(node)
    async with (
        started(site, provider, sign="both", logout_url=f"{provider.origin}/slo") as running,
        visitor_of(site, provider) as visitor,
    ):
        await running.ask("response", fields=await signed_in(visitor, await running.ask("request"), provider))
        if first == "application":
            page = await visitor.open((await running.ask("leave"))["url"])
            assert await running.ask("left", query=page.url.partition("?")[2]) == {}
        else:
            _, fields = (await visitor.open(f"{site.url}/account")).form("csrf")
            page = await visitor.open(f"{site.url}/signout", fields)
            page = await visitor.open((await running.ask("asked", query=page.url.partition("?")[2]))["url"])
            assert "signed out" in page.text, page.text
        assert (await visitor.open(f"{site.url}/account")).url.startswith(f"{site.url}/signin")
