"""The HTTPS certificate of a relay, and the way to its public address."""

from __future__ import annotations

import shutil
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from findings import Finding
from foundation.listener import Listener
from gateway.app import ServerSettings, init, serving
from isthmus.relay_check.address import (
    check_certificate_files,
    check_public_address,
    judge_answer,
    judge_trust,
    judge_unreachable,
)
from tests.support.relay_and_agent import server_settings

DAY = 86400.0


@pytest.fixture
def relay_settings(tmp_path: Path) -> ServerSettings:
    made = server_settings(tmp_path)
    init(made, name="relay1", now=time.time())
    return made


def remade(settings: ServerSettings, *, name: str = "localhost", address: str = "127.0.0.1") -> None:
    assert settings.tls_certificate is not None
    write_certificates(settings.tls_certificate.parent, dns_name=name, address=address)


async def way(settings: ServerSettings, *, running: bool = True, now: float | None = None) -> dict[str, Finding]:
    """What is found on the way to the public address, by name."""
    found = check_public_address(settings, time.time() if now is None else now, running=running)
    return {finding.name: finding async for finding in found}


@pytest.mark.parametrize(("days", "status"), [(0, "pass"), (17, "warn"), (31, "fail"), (-2, "fail")])
def test_a_certificate_is_good_for_two_more_weeks(relay_settings: ServerSettings, days: float, status: str) -> None:
    """It lasts thirty days here; before its begin it is none either."""
    (finding,) = check_certificate_files(relay_settings, time.time() + days * DAY)
    assert (finding.name, finding.status) == ("certificate", status)
    assert bool(finding.remedy) == (status != "pass")


def test_a_certificate_is_for_the_public_address(relay_settings: ServerSettings) -> None:
    """By name or by number."""
    remade(relay_settings, address="127.0.0.2")
    (finding,) = check_certificate_files(relay_settings, time.time())
    assert finding.status == "fail"
    assert "not for 127.0.0.1, but for localhost, 127.0.0.2" in finding.seen
    by_name = replace(relay_settings, public_url="https://localhost:8443")
    assert [finding.status for finding in check_certificate_files(by_name, time.time())] == ["pass"]


def test_files_that_the_relay_could_not_serve_are_told(relay_settings: ServerSettings) -> None:
    """With the setting's own remedy; behind a proxy there are none."""
    key = relay_settings.tls_key
    assert key is not None
    key.chmod(0o644)
    (finding,) = check_certificate_files(relay_settings, time.time())
    assert (finding.status, "open to other users" in finding.seen) == ("fail", True)
    key.unlink()
    assert [finding.status for finding in check_certificate_files(relay_settings, time.time())] == ["fail"]
    proxied = replace(relay_settings, tls_certificate=None, tls_key=None)
    assert [finding.status for finding in check_certificate_files(proxied, time.time())] == ["pass"]


async def test_the_way_to_a_relay_that_serves(relay_settings: ServerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own CA is unknown here, which is a warning; where it is known there is none."""
    async with serving(relay_settings) as running:
        found = await way(relay_settings)
        assert {name: finding.status for name, finding in found.items()} == {
            "DNS": "pass",
            "trust": "warn",
            "address": "pass",
            "served certificate": "pass",
        }
        assert "tls_ca_file" in found["trust"].remedy
        assert relay_settings.tls_certificate is not None
        monkeypatch.setenv("SSL_CERT_FILE", str(relay_settings.tls_certificate.with_name("ca.pem")))
        assert (await way(relay_settings))["trust"].status == "pass"
        remade(relay_settings)  # and not picked up yet
        assert (await way(relay_settings))["served certificate"].status == "warn"
        await running.endpoint.drain(0.0)
        finding = (await way(relay_settings))["address"]
        assert (finding.status, "draining" in finding.seen) == ("fail", True)


async def test_another_server_at_the_public_address_is_no_relay(relay_settings: ServerSettings, tmp_path: Path) -> None:
    """It is a proxy that leads elsewhere; its certificate is judged by itself where the relay has none."""
    app, port = web.Application(), free_port()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shutil.copytree(tmp_path / "tls", tmp_path / "proxy")
    context.load_cert_chain(tmp_path / "proxy" / "cert.pem", tmp_path / "proxy" / "key.pem")
    listener = Listener(app, of_address=8, tls=context)
    await listener.start("127.0.0.1", port)
    try:
        proxied = replace(relay_settings, public_url=f"https://127.0.0.1:{port}", tls_certificate=None, tls_key=None)
        found = await way(proxied, now=time.time() + 20 * DAY)
        assert (found["address"].status, "HTTP 404" in found["address"].seen) == ("fail", True)
        assert found["served certificate"].status == "warn"
    finally:
        await listener.close()


async def test_a_public_address_that_leads_nowhere(relay_settings: ServerSettings) -> None:
    """Without a relay it is the relay; with one it is the way, which may be open from elsewhere."""
    assert {name: finding.status for name, finding in (await way(relay_settings, running=False)).items()} == {
        "DNS": "pass",
        "address": "fail",
    }
    assert (await way(relay_settings, running=True))["address"].status == "warn"
    nowhere = replace(relay_settings, public_url=f"https://{'r' * 64}.example")  # no name at all: nobody is asked
    assert {name: finding.status for name, finding in (await way(nowhere)).items()} == {"DNS": "fail"}


def test_only_an_unknown_issuer_may_be_known_to_others() -> None:
    """A certificate of another name, or one that has expired, is nobody's."""
    unknown, expired = ssl.SSLCertVerificationError(), ssl.SSLCertVerificationError()
    unknown.verify_code, expired.verify_code = 20, 10
    assert judge_trust("https://x", unknown).status == "warn"
    assert judge_trust("https://x", expired).status == "fail"


def test_what_answers_is_a_relay_that_can_serve() -> None:
    """The three answers, and what is in the way of one."""
    assert [judge_answer("https://x", *said).status for said in ((200, "ok"), (503, "draining"), (200, ""))] == [
        "pass",
        "fail",
        "fail",
    ]
    assert "curl https://x/healthz" in judge_unreachable("https://x", "no answer in time", running=True).remedy
