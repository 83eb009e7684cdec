"""The relay process: what it refuses to start with, what it serves, and what it does when something breaks meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import ssl
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.typing import EventDict

from certs import CertsError, KeyStoreError, MachineIdentity
from demo.stand import free_port
from gateway.protocol import Outcome
from gateway.relay.control import SOCKET_NAME
from gateway.server import (
    Relay,
    ServerError,
    ServerSettings,
    check_settings,
    init,
    load_keys,
    run,
    serving,
    split_address,
    tls_context,
)
from gateway.store import StoreError, StoreUnavailable
from tests.support.fakes import FakeDirectories
from tests.support.rooms import agent, attempt, enrolled, eventually, server_settings

ANNA = "anna@corp.example.com"
DAY = 86400.0


class Clock:
    """Shows the time, plus what the test adds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    """Settings of a relay that was set up; it listens for its operator too."""
    made = replace(server_settings(tmp_path), metrics_listen=f"127.0.0.1:{free_port()}")
    init(made, name="relay1", now=time.time())
    return made


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def events(logs: list[EventDict], name: str) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == name]


class Get(Protocol):
    async def __call__(self, url: str, method: str = "GET", **kinds: Any) -> tuple[aiohttp.ClientResponse, bytes]: ...


@asynccontextmanager
async def browser(settings: ServerSettings) -> AsyncIterator[Get]:
    """Somebody who trusts the relay's HTTPS certificate; gets an address or a path of the relay."""
    assert settings.tls_certificate is not None
    trust = ssl.create_default_context(cafile=str(settings.tls_certificate.with_name("ca.pem")))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as client:

        async def get(url: str, method: str = "GET", **kinds: Any) -> tuple[aiohttp.ClientResponse, bytes]:
            url = url if "://" in url else settings.public_url + url
            async with client.request(method, url, allow_redirects=False, **kinds) as response:
                return response, await response.read()

        yield get


# -- settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"public_url": "http://127.0.0.1:8443"}, "must be https://"),
        ({"public_url": "signin.example.com"}, "must be https://"),
        ({"public_url": ""}, "must be https://"),
        ({"tls_key": None}, "go together"),
        ({"tls_certificate": None}, "go together"),
        ({"tls_certificate": None, "tls_key": None, "listen": "0.0.0.0:8443"}, "on loopback only"),
        ({"tls_certificate": None, "tls_key": None, "listen": "[::]:8443"}, "on loopback only"),
        ({"tls_certificate": None, "tls_key": None, "listen": "192.0.2.1:8443"}, "on loopback only"),
        ({"tls_certificate": None, "tls_key": None, "listen": "relay.example.com:8443"}, "on loopback only"),
        ({"tls_certificate": None, "tls_key": None, "listen": "localhost.example.com:8443"}, "on loopback only"),
        ({"tls_certificate": None, "tls_key": None, "listen": ":8443"}, "on loopback only"),
        ({"listen": "8443"}, "expected host:port"),
    ],
)
def test_unsafe_settings_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """Passwords must not travel in the clear, whatever the file says."""
    with pytest.raises(ServerError, match=words):
        check_settings(replace(server_settings(tmp_path), **changes))


@pytest.mark.parametrize("listen", ["127.0.0.1:8080", "127.8.9.10:8080", "[::1]:8080", "localhost:8080"])
def test_plain_http_is_for_a_proxy_on_this_machine(tmp_path: Path, listen: str) -> None:
    """Loopback addresses pass."""
    check_settings(replace(server_settings(tmp_path), tls_certificate=None, tls_key=None, listen=listen))


async def test_unsafe_settings_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    """There is not even a state directory yet."""
    with pytest.raises(ServerError, match="must be https://"):
        async with serving(replace(server_settings(tmp_path), public_url="http://127.0.0.1:1")):
            pass
    assert not (tmp_path / "relay").exists()


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("[::1]:8443", ("::1", 8443)),
        ("relay.example.com:443", ("relay.example.com", 443)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),  # noqa: S104 - nothing listens there
        ("host:65535", ("host", 65535)),
    ],
)
def test_an_address_is_split(address: str, parts: tuple[str, int]) -> None:
    """IPv6 goes in brackets."""
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address", ["", "host", "host:", "host:https", "host:-1", "host:65536", "[::1]", "host:80 ", "8443"]
)
def test_what_is_no_address_is_told_so(address: str) -> None:
    """Quoting it, with the form that is expected."""
    with pytest.raises(ServerError) as refused:
        split_address(address)
    assert str(refused.value) == f"{address!r}: expected host:port"


@given(st.text(max_size=40))
def test_any_address_is_split_or_refused(address: str) -> None:
    """Nothing else can come of it."""
    with contextlib.suppress(ServerError):
        _, port = split_address(address)
        assert 0 <= port <= 65535


async def test_a_network_of_proxies_that_is_none_is_told_so(settings: ServerSettings) -> None:
    """As an error of the settings."""
    with pytest.raises(ServerError, match=r"10\.0\.0\.0/99"):
        async with serving(replace(settings, trusted_proxies=("10.0.0.0/99",))):
            pass


@pytest.mark.parametrize("damage", ["missing", "not PEM", "not its key"])
def test_https_files_that_cannot_be_used_are_named(settings: ServerSettings, tmp_path: Path, damage: str) -> None:
    """With the reason."""
    assert settings.tls_key is not None
    if damage == "missing":
        settings.tls_key.unlink()
    elif damage == "not PEM":
        settings.tls_key.write_text("-----BEGIN PRIVATE KEY-----\n")
    else:
        settings.tls_key.write_bytes((server_settings(tmp_path / "other").tls_key or Path()).read_bytes())
    with pytest.raises(ServerError, match=r"key\.pem: cannot be used for HTTPS \("):
        tls_context(settings)


# -- keys


async def test_without_init_it_does_not_start(tmp_path: Path) -> None:
    """It says which file is missing and what to run."""
    with pytest.raises(ServerError, match=r"authority\.pem is missing: run `isthmus relay init` first"):
        async with serving(server_settings(tmp_path)):
            pass


def test_init_does_not_replace_an_authority(settings: ServerSettings) -> None:
    """It would orphan every agent."""
    before = load_keys(settings, time.time())
    with pytest.raises(KeyStoreError, match="holds an authority already"):
        init(settings, name="relay2", now=time.time())
    after = load_keys(settings, time.time())
    assert after.authority.fingerprint == before.authority.fingerprint
    assert after.identity.certificate_der == before.identity.certificate_der
    assert after.secret == before.secret


def test_an_init_that_was_cut_short_can_be_finished(settings: ServerSettings) -> None:
    """By what load_keys tells to do; nobody pins that authority yet."""
    (settings.state_dir / "secret.key").unlink()
    with pytest.raises(ServerError, match="run `isthmus relay init` first"):
        load_keys(settings, time.time())
    init(settings, name="relay1", now=time.time())
    load_keys(settings, time.time())


def test_an_authority_that_is_in_use_is_not_replaced_because_a_file_is_gone(settings: ServerSettings) -> None:
    """It can be restored; a new one would orphan every agent."""
    (settings.state_dir / "authority" / "authority.key").unlink()
    with pytest.raises(ServerError, match=r"authority\.key is missing: restore it from the backup"):
        load_keys(settings, time.time())
    with pytest.raises(KeyStoreError, match="holds an authority already"):
        init(settings, name="relay1", now=time.time())


def test_nobody_else_can_read_the_keys(settings: ServerSettings) -> None:
    """Files 0600 and directories 0700, but for the authority's certificate."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in settings.state_dir.rglob("*")}
    assert modes.pop("authority.pem") == 0o644
    assert {name: oct(mode) for name, mode in modes.items()} == {
        "authority": "0o700",
        "authority.key": "0o600",
        "identity": "0o700",
        "identity.pem": "0o600",
        "secret.key": "0o600",
    }
    assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700


KEY_FILES = ("authority/authority.key", "identity/identity.pem", "secret.key")


@pytest.mark.parametrize("name", KEY_FILES)
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_can_read_is_not_used(settings: ServerSettings, name: str, mode: int) -> None:
    """It may have been copied."""
    (settings.state_dir / name).chmod(mode)
    with pytest.raises(KeyStoreError, match=f"{name}: can be read by other users; run chmod 600"):
        load_keys(settings, time.time())


@pytest.mark.parametrize("name", [*KEY_FILES, "authority/authority.pem"])
def test_a_missing_file_is_named(settings: ServerSettings, name: str) -> None:
    """And where it belongs."""
    (settings.state_dir / name).unlink()
    with pytest.raises(ServerError, match=f"{name} is missing"):
        load_keys(settings, time.time())


@pytest.mark.parametrize("content", [b"", b"half a fi", b"\0" * 100])
@pytest.mark.parametrize(
    "name",
    [*KEY_FILES, "authority/authority.pem"],
)
def test_a_damaged_file_is_told_so(settings: ServerSettings, name: str, content: bytes) -> None:
    """Under an empty secret anybody could make cookies and entries of the audit trail."""
    (settings.state_dir / name).write_bytes(content)
    with pytest.raises((ServerError, CertsError)):
        load_keys(settings, time.time())


def test_a_file_that_cannot_be_opened_is_told_so(settings: ServerSettings) -> None:
    """As where the relay runs as another user than init did."""
    path = settings.state_dir / "authority" / "authority.pem"
    path.unlink()
    path.mkdir()
    with pytest.raises((ServerError, CertsError), match=r"authority\.pem"):
        load_keys(settings, time.time())


def test_an_identity_of_another_authority_is_told_so(settings: ServerSettings, tmp_path: Path) -> None:
    """Half of a backup: every agent would refuse this relay."""
    other = server_settings(tmp_path / "other")
    init(other, name="relay1", now=time.time())
    (other.state_dir / "identity" / "identity.pem").replace(settings.state_dir / "identity" / "identity.pem")
    with pytest.raises((ServerError, CertsError)):
        load_keys(settings, time.time())


@pytest.mark.parametrize("days", [25, 400])
def test_the_relays_certificate_is_renewed_when_it_is_due(
    settings: ServerSettings, logs: list[EventDict], days: int
) -> None:
    """At the start too, even if it ended long ago; the name and the authority stay."""
    now = time.time() + days * DAY
    before, after = load_keys(settings, time.time()), load_keys(settings, now)
    assert after.identity.not_after == pytest.approx(now + 30 * DAY, abs=10)
    assert after.identity.name == before.identity.name == "relay1"
    assert after.identity.certificate.public_key() != before.identity.certificate.public_key()
    assert after.authority.fingerprint == before.authority.fingerprint
    assert MachineIdentity.load(settings.state_dir / "identity").serial == after.identity.serial
    assert not (settings.state_dir / "identity" / "pending.key").exists()
    assert [entry["relay"] for entry in events(logs, "certificate.renewed")] == ["relay1"]


def test_a_fresh_certificate_is_left_alone(settings: ServerSettings) -> None:
    """At half of its life."""
    before, after = load_keys(settings, time.time()), load_keys(settings, time.time() + 15 * DAY)
    assert after.identity.serial == before.identity.serial


# -- starting


@pytest.mark.parametrize("taken", ["listen", "metrics_listen"])
async def test_a_taken_port_is_told_so_and_nothing_is_left_behind(settings: ServerSettings, taken: str) -> None:
    """Whatever was opened before is closed again."""
    address = getattr(settings, taken)
    with socket.create_server(split_address(address)), pytest.raises(ServerError) as refused:
        async with serving(settings):
            pass
    assert str(refused.value).startswith(f"cannot listen on {address}: ")
    assert str(refused.value).endswith("is another server there?")
    assert not (settings.state_dir / SOCKET_NAME).exists()
    async with serving(settings) as running:
        assert running.hub.links == []


async def test_a_damaged_database_is_told_so(settings: ServerSettings) -> None:
    """With the remedy."""
    (settings.state_dir / "relay.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="restore it from the backup"):
        async with serving(settings):
            pass


async def test_a_state_directory_with_too_long_a_path_is_told_so(settings: ServerSettings) -> None:
    """A unix socket's address has some hundred bytes."""
    far = settings.state_dir.with_name("r" * 120)
    settings.state_dir.rename(far)
    with pytest.raises(ServerError, match="cannot make the control socket"):
        async with serving(replace(settings, state_dir=far)):
            pass


async def test_a_second_relay_on_the_same_state_directory_does_not_start(settings: ServerSettings) -> None:
    """And the first one does not notice."""
    port = free_port()
    other = replace(settings, listen=f"127.0.0.1:{port}", public_url=f"https://127.0.0.1:{port}", metrics_listen="")
    async with serving(settings):
        with pytest.raises((ServerError, StoreError)):
            async with serving(other):
                pass
        assert (settings.state_dir / SOCKET_NAME).is_socket()
    async with serving(other):
        pass  # the first one has ended: now it may


async def test_it_ends_when_told(settings: ServerSettings, logs: list[EventDict]) -> None:
    """And can be started again at once."""
    for _ in range(2):
        stop = asyncio.Event()
        task = asyncio.create_task(run(settings, stop))
        await eventually(lambda: events(logs, "relay.started"))
        stop.set()
        await task
        assert [entry["event"] for entry in logs][-1] == "relay.stopped"
        logs.clear()


# -- the control socket


async def test_only_this_user_reaches_the_control_socket(settings: ServerSettings) -> None:
    """Whoever may connect may do everything; it is gone with the relay."""
    path = settings.state_dir / SOCKET_NAME
    async with serving(settings):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((settings.state_dir / "relay.db").stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_control_socket_of_a_killed_relay_is_replaced(settings: ServerSettings) -> None:
    """kill -9 removes no files."""
    path = settings.state_dir / SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with (
        serving(settings),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as client,
        client.post("http://relay/agents", json={}) as response,
    ):
        assert await response.json() == []


# -- what it serves


async def test_health_is_the_process_and_readiness_is_an_agent(settings: ServerSettings, tmp_path: Path) -> None:
    """Without an agent nobody can sign in: a load balancer should look elsewhere."""
    people, operator = FakeDirectories({ANNA: "right"}), f"http://{settings.metrics_listen}"
    async with serving(settings) as running, browser(settings) as get:
        for address in ("/healthz", operator + "/healthz"):
            response, body = await get(address)
            assert (response.status, json.loads(body)) == (200, {"status": "ok"})
        response, body = await get(operator + "/readyz")
        assert (response.status, json.loads(body)) == (503, {"status": "no agent is connected", "agents": []})
        async with agent(tmp_path, running, people, "agent1"):
            response, body = await get(operator + "/readyz")
            assert (response.status, json.loads(body)) == (200, {"status": "ready", "agents": ["agent1"]})
            for link in running.hub.links:
                link.session.drain()
            response, _ = await get(operator + "/readyz")
            assert response.status == 503


async def test_metrics_are_for_the_operator_only(settings: ServerSettings, tmp_path: Path) -> None:
    """They count, and are not served where the public is."""
    people = FakeDirectories({ANNA: "right"})
    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, people):
        for password in ("right", "wrong", "right"):
            await running.authenticator.authenticate(attempt(ANNA, password))
        response, body = await get(f"http://{settings.metrics_listen}/metrics")
        assert response.content_type == "text/plain"
        lines = body.decode().splitlines()
        for line in (
            "isthmus_pta_authentications_total 3.0",
            "isthmus_pta_successful_total 2.0",
            "isthmus_pta_failed_total 1.0",
            "isthmus_pta_errors_total 0.0",
            'isthmus_signin_total{kind="signin",outcome="success"} 2.0',
            'isthmus_agent_connections{agent="agent1"} 2.0',
            'isthmus_agent_outstanding{agent="agent1"} 0.0',
            "isthmus_signins_waiting 0.0",
        ):
            assert line in lines
        for path in ("/metrics", "/readyz"):
            assert (await get(path))[0].status == 404


async def test_every_answer_has_an_id_of_its_own(settings: ServerSettings) -> None:
    """The one that is in the log; a client cannot choose it."""
    async with serving(settings), browser(settings) as get:
        ids = []
        for path in ("/healthz", "/signin", "/", "/account", "/api/v1/openapi.json", "/agent/v1/enrol"):
            method = "POST" if path.endswith("enrol") else "GET"
            response, _ = await get(path, method, headers={"X-Correlation-Id": "mine"})
            ids.append(response.headers["X-Correlation-Id"])
    assert len(set(ids)) == 6
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in ids)


@pytest.mark.parametrize(("path", "method"), [("/nowhere", "GET"), ("/signin", "PUT"), ("/agent/v1/connect", "GET")])
async def test_an_answer_that_is_an_error_has_an_id_too(settings: ServerSettings, path: str, method: str) -> None:
    """Above all it is asked for."""
    async with serving(settings), browser(settings) as get:
        response, _ = await get(path, method)
        assert response.status >= 400
        assert response.headers["X-Correlation-Id"]


async def test_the_id_goes_all_the_way_into_the_trail(settings: ServerSettings) -> None:
    """What a person reads to the help desk finds the entry."""
    async with serving(settings) as running, browser(settings) as get:
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        order = {"user_name": ANNA, "password": "right"}
        headers = {"Authorization": f"Bearer {key}"}
        response, _ = await get("/api/v1/authenticate", "POST", json=order, headers=headers)
        (entry,) = await running.administration.audit(limit=9, before=None, kind="signin", subject="")
    assert entry.correlation_id == response.headers["X-Correlation-Id"]


async def test_a_body_may_come_in_pieces(settings: ServerSettings) -> None:
    """TCP promises nothing else, and proxies cut as they like."""
    body = json.dumps({"user_name": ANNA, "password": "right"}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        yield body[:20]
        await asyncio.sleep(0.05)  # nothing tells that the relay has read this much
        yield body[20:]

    async with serving(settings) as running, browser(settings) as get:
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        response, answer = await get("/api/v1/authenticate", "POST", data=pieces(), headers=headers)
    assert (response.status, json.loads(answer)["detail"]) == (503, "no_agent")


async def test_a_body_that_never_ends_is_given_up(settings: ServerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a few bytes would hold a connection for ever."""
    monkeypatch.setattr("gateway.relay.request.BODY_TIMEOUT", 0.05)

    async def half() -> AsyncIterator[bytes]:
        yield b'{"user_name"'
        await asyncio.sleep(5)
        yield b"}"

    async with serving(settings) as running, browser(settings) as get:
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        for path in ("/api/v1/authenticate", "/agent/v1/enrol"):
            response, answer = await get(path, "POST", data=half(), headers={"Authorization": f"Bearer {key}"})
            assert response.status == 408
            assert "took longer" in json.loads(answer)["detail"]


async def test_a_defect_is_told_with_its_id_and_nothing_else(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
) -> None:
    """The id finds it in the log."""

    def fail(*_args: Any, **_kinds: Any) -> Any:
        raise RuntimeError("a defect in /opt/isthmus")

    async with serving(settings) as running, browser(settings) as get:
        monkeypatch.setattr(running.pages._pages, "render", fail)
        response, body = await get("/signin")
    assert response.status == 500
    assert response.headers["X-Correlation-Id"] in body.decode()
    assert "defect" not in body.decode()
    assert [entry["path"] for entry in events(logs, "request.failed")] == ["/signin"]


# -- a store that refuses writes


@contextlib.contextmanager
def locked(settings: ServerSettings) -> Iterator[None]:
    """Another process writes to the relay's database, and does not end."""
    other = sqlite3.connect(settings.state_dir / "relay.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store waits a twentieth of a second for others."""
    monkeypatch.setattr("gateway.store.database.BUSY_TIMEOUT", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_sign_in_that_cannot_be_recorded_is_not_given(settings: ServerSettings, tmp_path: Path) -> None:
    """503 and why, counted as such; not ready until something can be written again, which needs no sign-in."""
    people, readiness = FakeDirectories({ANNA: "right"}), f"http://{settings.metrics_listen}/readyz"
    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, people, "agent1"):
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        order, headers = {"user_name": ANNA, "password": "right"}, {"Authorization": f"Bearer {key}"}
        with locked(settings):
            assert (await get(readiness))[0].status == 200  # nobody has noticed yet
            response, body = await get("/api/v1/authenticate", "POST", json=order, headers=headers)
            assert (response.status, json.loads(body)["detail"]) == (503, "not_recorded")
            response, body = await get(readiness)
            assert (response.status, json.loads(body)["status"]) == (503, "the store refuses writes")
        response, body = await get(readiness)
        assert (response.status, json.loads(body)["status"]) == (200, "ready")
        response, body = await get("/api/v1/authenticate", "POST", json=order, headers=headers)
        assert (response.status, json.loads(body)["outcome"]) == (200, "success")
        lines = running.metrics.text().decode().splitlines()
        assert 'isthmus_signin_total{kind="signin",outcome="not_recorded"} 1.0' in lines
        assert 'isthmus_signin_total{kind="signin",outcome="success"} 1.0' in lines
        assert "isthmus_pta_errors_total 1.0" in lines
        trail = await running.administration.audit(limit=2, before=None, kind="", subject="")
        assert [entry.kind for entry in trail] == ["signin", "audit.resumed"]


@pytest.mark.usefixtures("impatient")
async def test_a_store_that_refuses_writes_is_noticed_without_a_sign_in(settings: ServerSettings, tmp_path: Path) -> None:
    """Once a minute it is written who is connected."""
    readiness = f"http://{settings.metrics_listen}/readyz"
    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, FakeDirectories({})):
        with locked(settings):
            await running.tidy()
            assert (await get(readiness))[0].status == 503
        assert (await get(readiness))[0].status == 200


@pytest.mark.usefixtures("impatient")
async def test_what_has_happened_is_told_recorded_or_not(settings: ServerSettings, tmp_path: Path) -> None:
    """A changed password is a changed password, a lockout is a lockout; whether another one is right is not told."""
    people = FakeDirectories({ANNA: "right"})
    patient = replace(settings, admission=replace(settings.admission, threshold=1))
    async with serving(patient) as running, agent(tmp_path, running, people):
        check = running.authenticator
        with locked(settings):
            assert (await check.change_password(attempt(ANNA, "right"), "new and long")).outcome is Outcome.SUCCESS
            assert people.people[ANNA] == "new and long"
            for password in ("new and long", "wrong"):
                verdict = await check.authenticate(attempt(ANNA, password))
                assert (verdict.outcome, verdict.identity, verdict.password_proven) == (Outcome.NOT_RECORDED, None, False)
            refused = await check.authenticate(attempt(ANNA, "another"))
            assert refused.outcome is None
            assert refused.retry_after > 0


# -- alarms


async def test_an_alarm_is_in_the_trail_the_metrics_and_the_log(
    settings: ServerSettings, tmp_path: Path, logs: list[EventDict]
) -> None:
    """Two live processes under one name."""
    people = FakeDirectories({ANNA: "right"})
    async with serving(settings) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with agent(tmp_path, running, people, state_dir=state), agent(tmp_path, running, people, state_dir=state):
            raised = len(running.hub.links) - 2  # each connection of the second one
            await eventually(lambda: all_written(running, raised))
            alarms = await alarms_of(running)
            assert {(entry.kind, entry.actor, entry.subject) for entry in alarms} == {
                ("alert.agent.cloned", "relay", "agent1")
            }
            assert alarms[0].detail["agent"] == "agent1"
            assert f'isthmus_alerts_total{{event="agent.cloned"}} {len(alarms)}.0' in running.metrics.text().decode()
    assert {entry["log_level"] for entry in events(logs, "agent.cloned")} == {"critical"}


async def all_written(running: Relay, count: int) -> bool:
    return len(await alarms_of(running)) == count


async def alarms_of(running: Relay) -> list[Any]:
    return await running.administration.audit(limit=99, before=None, kind="alert.agent.cloned", subject="")


async def test_an_alarm_that_was_raised_last_is_still_written(settings: ServerSettings, tmp_path: Path) -> None:
    """A relay that stops in that moment loses none."""
    async with serving(settings) as running:
        state = await enrolled(tmp_path, running, "agent1")
        people = FakeDirectories({})
        async with agent(tmp_path, running, people, state_dir=state), agent(tmp_path, running, people, state_dir=state):
            counted = running.metrics.text().decode()
    async with serving(settings) as again:
        assert f'isthmus_alerts_total{{event="agent.cloned"}} {len(await alarms_of(again))}.0' in counted
        assert await again.administration.verify_audit() is not None


# -- housekeeping


def broken(words: str) -> Callable[..., Any]:
    async def fail(*_args: Any, **_kinds: Any) -> Any:
        raise StoreUnavailable("relay.db", words, "make room")

    return fail


async def test_housekeeping_that_fails_is_logged_and_the_relay_goes_on(
    settings: ServerSettings, tmp_path: Path, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is tried again."""
    people = FakeDirectories({ANNA: "right"})
    async with serving(settings) as running, agent(tmp_path, running, people):
        with monkeypatch.context() as patch:
            patch.setattr(running.store.sessions, "purge", broken("database or disk is full"))
            for _ in range(2):
                await running.tidy()
        assert len(events(logs, "housekeeping.failed")) == 2
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        await running.tidy()
    assert len(events(logs, "housekeeping.failed")) == 2
    assert events(logs, "audit.head")


async def test_the_relays_certificate_is_renewed_whatever_the_store_says(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that cannot be written must not end in a relay that no agent believes."""
    clock = Clock()
    async with serving(settings, clock=clock) as running:
        before = running.hub.identity.certificate_der
        monkeypatch.setattr(running.store.sessions, "purge", broken("database or disk is full"))
        clock.ahead = 25 * DAY
        await running.tidy()
        assert running.hub.identity.certificate_der != before


async def test_an_agent_that_is_away_was_seen_when_it_was_there_last(settings: ServerSettings, tmp_path: Path) -> None:
    """Not when it connected; known after a crash too, to the minute."""
    clock = Clock()
    async with serving(settings, clock=clock) as running:

        async def seen() -> float:
            await running.tidy()
            (record,) = await running.store.agents.all()
            return record.seen_at or 0.0

        async with agent(tmp_path, running, FakeDirectories({}), "agent1"):
            connected = clock()
            clock.ahead = 20.0
            assert await seen() >= connected + 20.0
            clock.ahead = 25.0
        await eventually(lambda: not running.hub.links)
        left = clock()
        clock.ahead = 3600.0
        assert connected + 25.0 <= await seen() <= left
        (view,) = await running.administration.agents()
        assert view.seen_at == await seen()


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second takes five milliseconds."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds, result=None: sleep(seconds / 200, result))


@pytest.mark.usefixtures("fast")
async def test_the_books_are_looked_after_once_a_minute(settings: ServerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the sessions every second."""
    async with serving(replace(settings, metrics_listen="")) as running:
        ticks, tidied = 0, asyncio.Event()
        tick = running.hub.tick

        def count() -> None:
            nonlocal ticks
            ticks += 1
            tick()

        async def note() -> None:
            tidied.set()

        monkeypatch.setattr(running.hub, "tick", count)
        monkeypatch.setattr(running, "tidy", note)
        async with asyncio.timeout(10):
            await tidied.wait()
    assert 59 <= ticks <= 61


@pytest.mark.usefixtures("fast")
async def test_one_session_that_fails_does_not_stop_the_clock_for_all(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it nobody is pinged and no silent agent is given up."""
    async with serving(replace(settings, metrics_listen="")) as running:
        ticks = 0

        def fail() -> None:
            nonlocal ticks
            ticks += 1
            raise RuntimeError("a defect")

        monkeypatch.setattr(running.hub, "tick", fail)
        await eventually(lambda: ticks >= 3)
