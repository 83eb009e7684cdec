"""The ways to the relays: what is believed of the settings, and what an error may tell."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import structlog

from demo.throwaway_tls import write_certificates
from gateway.agent.errors import NotEnrolled
from gateway.agent.routes import BadRoute, Routes, known_relays, make_routes, proxy_of, remember_relays, tls_context
from gateway.agent.settings import AgentCoreSettings

RELAY = "https://relay.example.com"


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "proxy-password"
    path.write_text("Sesam:öffne/dich@1 %?#\n")
    path.chmod(0o600)
    return path


def test_the_settings_relays_come_before_those_of_the_enrolment(tmp_path: Path) -> None:
    """An operator who names relays means them."""
    remember_relays(tmp_path, ["https://enrolled.example.com"])
    named = AgentCoreSettings(relays=(RELAY, "https://second.example.com:8443"))
    assert known_relays(named, tmp_path) == (RELAY, "https://second.example.com:8443")
    assert known_relays(AgentCoreSettings(), tmp_path) == ("https://enrolled.example.com",)


def test_what_is_remembered_is_for_its_owner_only(tmp_path: Path) -> None:
    """The state directory tells nobody where the relay is."""
    remember_relays(tmp_path, [RELAY])
    path = tmp_path / "relays.json"
    assert json.loads(path.read_text()) == [RELAY]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", ["pipe", "device", "depth"])
def test_a_list_of_relays_without_an_end_is_damaged(tmp_path: Path, kind: str) -> None:
    """Root reads it in a setup, and it is in the directory of a service."""
    path = tmp_path / "relays.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_text("[" * 60_000)
    with pytest.raises(BadRoute, match=r"relays\.json"):
        known_relays(AgentCoreSettings(), tmp_path)


def test_without_an_enrolment_the_agent_says_how_to_enrol(tmp_path: Path) -> None:
    """Neither settings nor enrolment name a relay."""
    with pytest.raises(NotEnrolled) as raised:
        known_relays(AgentCoreSettings(), tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert "isthmus agent enrol" in str(raised.value)


@pytest.mark.parametrize(
    "relay",
    ["http://relay.example.com", "relay.example.com", "wss://relay.example.com", "https://", "https:///connect", ""],
)
def test_a_relay_is_reached_by_https_or_not_at_all(tmp_path: Path, relay: str) -> None:
    """Passwords go there."""
    with pytest.raises(BadRoute) as raised:
        make_routes(AgentCoreSettings(relays=(relay,)), tmp_path)
    assert raised.value.key == "relays"
    assert "expected https://host[:port]" in str(raised.value)
    assert repr(relay) in str(raised.value)


def test_each_relay_has_a_route_and_its_path_is_dropped(tmp_path: Path) -> None:
    """Scheme, host and port count; the path is the protocol's."""
    settings = AgentCoreSettings(relays=(RELAY + "/", "https://[::1]:8443/signin?next=1"), proxy="none")
    first, second = make_routes(settings, tmp_path)
    assert (first.relay, second.relay) == (RELAY, "https://[::1]:8443")
    assert first.url == "wss://relay.example.com/agent/v1/connect"
    assert second.url == "wss://[::1]:8443/agent/v1/connect"
    assert first.proxy is None


def test_tls_verifies_and_is_1_2_or_later(tmp_path: Path) -> None:
    """With the system's authorities and with one's own."""
    write_certificates(tmp_path / "tls", dns_name="localhost", address="127.0.0.1")
    own = tls_context(AgentCoreSettings(tls_ca_file=tmp_path / "tls" / "ca.pem"))
    for context in (own, tls_context(AgentCoreSettings())):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert own.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    "content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_ca_file_that_is_none_is_named(tmp_path: Path, content: str | None) -> None:
    """Missing, empty, something else, damaged."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadRoute) as raised:
        tls_context(AgentCoreSettings(tls_ca_file=path))
    assert raised.value.key == "tls_ca_file"
    assert str(path) in str(raised.value)
    assert "cannot be used as CA certificates" in str(raised.value)


def test_a_directory_is_no_ca_file(tmp_path: Path) -> None:
    """Told like any other file that cannot be used."""
    with pytest.raises(BadRoute, match="tls_ca_file"):
        tls_context(AgentCoreSettings(tls_ca_file=tmp_path))


def test_without_a_proxy_setting_the_environment_decides() -> None:
    """HTTPS_PROXY and NO_PROXY, unless `none` forbids."""
    assert proxy_of(AgentCoreSettings()) is True
    assert proxy_of(AgentCoreSettings(proxy="none")) is None


def test_a_proxy_without_a_user_is_taken_as_it_is() -> None:
    """Nothing is added."""
    assert proxy_of(AgentCoreSettings(proxy="http://proxy.example.com:3128")) == "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    "proxy", ["proxy.example.com:3128", "socks5://proxy.example.com:1080", "http://", "http://:3128", ""]
)
def test_a_proxy_that_is_none_is_refused(proxy: str) -> None:
    """The setting and what is expected are told."""
    with pytest.raises(BadRoute) as raised:
        proxy_of(AgentCoreSettings(proxy=proxy))
    assert raised.value.key == "proxy"
    assert "expected http://host:port" in str(raised.value)


def test_the_proxys_password_may_hold_any_character(password_file: Path) -> None:
    """User and password survive the way through a URL."""
    settings = AgentCoreSettings(
        proxy="http://proxy.example.com:3128", proxy_user="CORP\\svc@1:2/3", proxy_password_file=password_file
    )
    proxy = proxy_of(settings)
    assert isinstance(proxy, str)
    parts = urlsplit(proxy)
    assert (parts.hostname, parts.port) == ("proxy.example.com", 3128)
    assert unquote(parts.username or "") == "CORP\\svc@1:2/3"
    assert unquote(parts.password or "") == "Sesam:öffne/dich@1 %?#"


def test_a_proxy_user_without_a_password_sends_an_empty_one() -> None:
    """Some proxies want a name only."""
    settings = AgentCoreSettings(proxy="http://proxy.example.com:3128", proxy_user="svc")
    assert proxy_of(settings) == "http://svc:@proxy.example.com:3128"


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    """The path, and what the system said."""
    missing = tmp_path / "nowhere"
    settings = AgentCoreSettings(proxy="http://proxy.example.com:3128", proxy_user="svc", proxy_password_file=missing)
    with pytest.raises(BadRoute) as raised:
        proxy_of(settings)
    assert raised.value.key == "proxy_password_file"
    assert str(missing) in str(raised.value)


def test_the_proxys_password_is_in_no_error(password_file: Path, tmp_path: Path) -> None:
    """A wrong address beside a right password tells the address only."""
    settings = AgentCoreSettings(
        relays=("http://relay.example.com",),
        proxy="http://proxy.example.com:3128",
        proxy_user="svc",
        proxy_password_file=password_file,
    )
    with pytest.raises(BadRoute) as raised:
        make_routes(settings, tmp_path)
    assert "Sesam" not in str(raised.value)
    assert "Sesam" not in repr(raised.value)


def test_a_password_inside_a_wrong_proxy_url_is_in_no_error() -> None:
    """People put credentials into the URL although there is a file for them."""
    with pytest.raises(BadRoute) as raised:
        proxy_of(AgentCoreSettings(proxy="socks5://svc:Sesam-1@proxy.example.com:1080"))
    assert "Sesam-1" not in str(raised.value)


def test_addresses_that_no_parser_takes_are_bad_routes(tmp_path: Path) -> None:
    """An unfinished IPv6 address, for a proxy and for a relay."""
    with pytest.raises(BadRoute, match="proxy"):
        proxy_of(AgentCoreSettings(proxy="http://[::1:3128"))
    with pytest.raises(BadRoute, match="relays"):
        make_routes(AgentCoreSettings(relays=("https://[::1",)), tmp_path)


def test_a_damaged_memory_of_the_relays_is_an_error_of_ours(tmp_path: Path) -> None:
    """Half a file, as a full disk leaves it."""
    (tmp_path / "relays.json").write_text('["https://rel')
    with pytest.raises((BadRoute, NotEnrolled)):
        known_relays(AgentCoreSettings(), tmp_path)


def test_a_password_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Somebody saved it in Latin-1; its bytes are not told."""
    path = tmp_path / "password"
    path.write_bytes(b"Gr\xfc\xdfe")
    path.chmod(0o600)
    settings = AgentCoreSettings(proxy="http://proxy.example.com:3128", proxy_user="svc", proxy_password_file=path)
    with pytest.raises(BadRoute, match=r"proxy_password_file = .*: is not UTF-8 text; save it as UTF-8"):
        proxy_of(settings)


# -- while it runs


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    write_certificates(tmp_path, dns_name="relay", address="127.0.0.1")
    return Routes(AgentCoreSettings(relays=(RELAY,), tls_ca_file=tmp_path / "ca.pem", proxy="none"), tmp_path)


def trusted(routes: Routes) -> set[str]:
    """Serial numbers of the authorities that connections to come believe."""
    return {str(certificate["serialNumber"]) for certificate in routes.to(RELAY).tls.get_ca_certs()}


def test_a_ca_file_that_is_replaced_is_believed_from_then_on(routes: Routes, tmp_path: Path) -> None:
    """And the one before no longer. Where nothing has changed nothing is read."""
    before, route = trusted(routes), routes.to(RELAY)
    routes.look()
    assert routes.to(RELAY) is route
    write_certificates(tmp_path, dns_name="relay", address="127.0.0.1")
    routes.look()
    assert len(trusted(routes)) == 1
    assert trusted(routes).isdisjoint(before)


def test_a_ca_file_that_cannot_be_used_is_told_of_once(routes: Routes, tmp_path: Path) -> None:
    """The one before is believed until it is put right."""
    before = trusted(routes)
    (tmp_path / "ca.pem").write_text("half")
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            routes.look()
    assert [entry["event"] for entry in logs] == ["tls_ca_file.unusable"]
    assert trusted(routes) == before
    write_certificates(tmp_path, dns_name="relay", address="127.0.0.1")
    routes.look()
    assert trusted(routes) != before


def test_another_proxy_is_taken_and_other_relays_are_not(routes: Routes, tmp_path: Path) -> None:
    """Connections that are there belong to the relays of the start."""
    other = AgentCoreSettings(
        relays=("https://other.test",), tls_ca_file=tmp_path / "ca.pem", proxy="http://proxy.test:3128"
    )
    routes.use(other)
    assert routes.relays == (RELAY,)
    assert routes.to(RELAY).proxy == "http://proxy.test:3128"
    with pytest.raises(BadRoute):
        routes.use(AgentCoreSettings(tls_ca_file=tmp_path / "missing.pem"))
    assert routes.to(RELAY).proxy == "http://proxy.test:3128"
