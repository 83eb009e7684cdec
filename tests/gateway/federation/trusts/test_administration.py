"""Acts on trusts over the control socket of a relay that follows a folder, and reads metadata of a real HTTPS server."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from demo.throwaway_tls import write_certificates
from gateway.administrator import Administrator
from gateway.app import Relay, init, serving
from gateway.federation import FederationSettings
from gateway.federation.trusts import SamlParty, Trust, write_trust
from gateway.relay import ActRefused, RelayAbsent
from tests.foundation.saml.test_party_metadata import entity
from tests.gateway.federation.trusts.samples import OIDC
from tests.support.relay_and_agent import LOOPBACK, server_settings


@dataclass
class Stand:
    """A relay, and what an application publishes."""

    relay: Relay
    files: Path
    url: str = ""
    document: bytes = b""

    @property
    def admin(self) -> Administrator:
        return Administrator(self.relay.settings)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    files, publisher = tmp_path / "trusts", tmp_path / "publisher"
    files.mkdir()
    write_certificates(publisher, dns_name="localhost", address="127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(publisher / "cert.pem", publisher / "key.pem")
    federation = FederationSettings(trusts_dir=files, ca_file=publisher / "ca.pem", application_networks=LOOPBACK)
    settings = replace(server_settings(tmp_path), federation=federation)
    init(settings, name="relay1", now=time.time())

    async def publish(_request: web.Request) -> web.Response:
        return web.Response(body=made.document, content_type="application/samlmetadata+xml")

    app = web.Application()
    app.router.add_get("/metadata", publish)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    async with serving(settings) as relay:
        made = Stand(relay, files, f"https://127.0.0.1:{runner.addresses[0][1]}/metadata")
        yield made
    await runner.cleanup()


async def test_metadata_is_fetched_when_an_administrator_says_so(stand: Stand) -> None:
    """By the running relay; the answer says what came of it, and the party is served with it."""
    wiki = Trust(id="wiki", name="Wiki", protocol="saml", saml=SamlParty(metadata_url=stand.url))
    await stand.admin.put_trust(write_trust(wiki).decode(), "wiki.toml", 0)
    stand.document = b"<html/>"
    refused = await stand.admin.refresh_trust("wiki")
    assert (refused.fetched_at, refused.changed, "root is html" in refused.problem) == (0.0, False, True), refused
    stand.document = entity().encode()
    good = await stand.admin.refresh_trust("wiki")
    assert (good.problem, good.changed, time.time() - good.fetched_at < 60) == ("", True, True)
    assert not (await stand.admin.refresh_trust("wiki")).changed
    await stand.relay.federation.load()
    party = stand.relay.federation.parties.of("wiki")
    assert party is not None
    assert party.entity_id == "https://grafana.example.com/saml/metadata"
    trail = await stand.relay.store.audit.entries(kind="trust.metadata_changed", limit=9)
    assert [(entry.event.subject, entry.event.actor.startswith("admin:")) for entry in trail] == [("wiki", True)]
    for trust in ("nobody", "grafana"):
        with pytest.raises(ActRefused, match=r"no saml\.metadata_url"):
            await stand.admin.refresh_trust(trust)
    with pytest.raises(RelayAbsent):
        await Administrator(replace(stand.relay.settings, state_dir=stand.files)).refresh_trust("wiki")


async def test_mistakes_in_files_are_told(stand: Stand) -> None:
    """By the running relay, as of its last look, and as a metric; gone when they are mended."""
    files = stand.relay.trust_files
    assert files is not None
    (stand.files / "wiki.toml").write_text(OIDC.replace("redirect_uris", "redirect_uri"))
    await files.look()
    await files.look()
    problems = await stand.admin.trust_files()
    assert "did you mean redirect_uris" in problems["wiki.toml"]
    assert unusable(stand) == 1
    (stand.files / "wiki.toml").write_text(OIDC + "# mended\n")
    await files.look()
    await files.look()
    assert (await stand.admin.trust_files(), unusable(stand)) == ({}, 0)
    assert [view.id for view in await stand.admin.trusts()] == ["wiki"]


def unusable(stand: Stand) -> float:
    families = text_string_to_metric_families(stand.relay.metrics_text().decode())
    return next(family.samples[0].value for family in families if family.name == "isthmus_trust_files_unusable")
