from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from adfs_mgmt.trust import Backups, EntraSettings
from certs import Certificate, read_certificate
from foundation.graph import Graph
from tests.fakes.graph import Application, FakeGraph, make_certificate
from tests.fakes.graph.pki import der

DAY = 86400.0
FEDERATION = "fs.example.com"
EVERYTHING = {"Domain.Read.All", "Domain-InternalFederation.ReadWrite.All", "Domain.ReadWrite.All"}


class Naps:
    """Instead of sleeping: notes for how long it would have been."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


def signing(name: str = "ADFS Signing", *, begins: float = -10 * DAY, ends: float = 300 * DAY) -> Certificate:
    """A token-signing certificate; times in seconds from now."""
    now = time.time()
    return read_certificate(der(make_certificate(name, begins=now + begins, ends=now + ends)))


def base64_of(certificate: Certificate) -> str:
    return base64.b64encode(certificate.der).decode()


def federation(domain: str, current: Certificate, following: Certificate | None = None, **more: Any) -> dict[str, Any]:
    """A configuration as AD FS's wizard makes it."""
    base = f"https://{FEDERATION}/adfs"
    return {
        "displayName": FEDERATION,
        "issuerUri": f"http://{domain}/adfs/services/trust/",
        "metadataExchangeUri": f"{base}/services/trust/mex",
        "passiveSignInUri": f"{base}/ls/",
        "activeSignInUri": f"{base}/services/trust/2005/usernamemixed",
        "signOutUri": f"{base}/ls/",
        "preferredAuthenticationProtocol": "wsFed",
        "signingCertificate": base64_of(current),
        **({"nextSigningCertificate": base64_of(following)} if following else {}),
        **more,
    }


def settings_for(fake: FakeGraph, application: Application, directory: Path, **more: Any) -> EntraSettings:
    """Settings with the application's secret."""
    secret = directory / f"secret-{application.client_id}"
    secret.write_text(application.secret + "\n")
    secret.chmod(0o600)
    given: dict[str, Any] = {
        "tenant": fake.tenant,
        "client_id": application.client_id,
        "secret_file": secret,
        "authority": fake.url,
        "graph": fake.url,
        "tls_ca_file": fake.ca_file,
        "timeout": 5.0,
    }
    return EntraSettings(**{**given, **more})


def slots(fake: FakeGraph, domain: str) -> tuple[Any, Any]:
    """What the fake really holds."""
    held = fake.domains.all[domain].configuration or {}
    return held.get("signingCertificate"), held.get("nextSigningCertificate")


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is not reached by way of a proxy, whatever the machine's environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")


@pytest.fixture
async def fake() -> AsyncIterator[FakeGraph]:
    """A tenant with two domains that are federated with the farm, one with somebody else, and one that is managed."""
    async with FakeGraph() as running:
        yield running


@pytest.fixture
def live() -> Certificate:
    """Signs now."""
    return signing("ADFS Signing - live")


@pytest.fixture
def coming() -> Certificate:
    """Its successor."""
    return signing("ADFS Signing - coming", begins=-DAY, ends=365 * DAY)


@pytest.fixture
def tenant(fake: FakeGraph, live: Certificate) -> FakeGraph:
    """The fake, with domains in it."""
    fake.add_domain("example.com", federation=federation("example.com", live))
    fake.add_domain("example.org", federation=federation("example.org", live))
    stranger = federation("partner.example", signing("Other IdP"), passiveSignInUri="https://idp.other.example/sso")
    fake.add_domain("partner.example", federation=stranger)
    fake.add_domain("managed.example")
    return fake


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def settings(tenant: FakeGraph, tmp_path: Path) -> EntraSettings:
    return settings_for(tenant, tenant.register("Isthmus", roles=EVERYTHING), tmp_path)


@pytest.fixture
async def graph(settings: EntraSettings, naps: Naps) -> AsyncIterator[Graph]:
    async with Graph(settings, sleep=naps) as running:
        yield running


@pytest.fixture
def backups(tenant: FakeGraph, tmp_path: Path) -> Backups:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return Backups(state, tenant.tenant)


@pytest.fixture
def application_certificate() -> x509.Certificate:
    now = time.time()
    return make_certificate("app", begins=now - DAY, ends=now + DAY)
