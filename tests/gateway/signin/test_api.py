"""The authentication API: what it answers, and that it answers as it is described."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gateway.federation import SessionEnding
from gateway.protocol import Outcome
from gateway.relay.administration.acts import Administration
from gateway.relay.agents.registry import AgentRegistry
from gateway.relay.credentials.attempt import Verdict
from gateway.relay.request import CLIENT_ADDRESS, CORRELATION_ID
from gateway.signin import Api, Sessions, SignInSettings
from gateway.signin.api import AuthenticateRequest, ChangePasswordRequest
from gateway.signin.departures import NoDependents
from gateway.store import ApiKeyRecord, ApiKeyStore, AuditHeads, StoreUnavailable, open_store
from tests.support.fakes import FakeAuthenticator

ANNA, RIGHT = "anna@corp.example.com", "Sommer-2026!"
PATH = "/api/v1/authenticate"


class Backend:
    def __init__(
        self,
        client: TestClient[Any, Any],
        administration: Administration,
        authenticator: FakeAuthenticator,
        keys: ApiKeyStore,
    ) -> None:
        self.client, self.administration, self.authenticator, self.keys = client, administration, authenticator, keys
        self.key = ""
        self.address = "192.0.2.7"
        self.now = 1_800_000_000.0

    async def create_key(self, **limits: Any) -> str:
        return (await self.administration.create_api_key("limited", None, "test", **limits)).secret

    async def post(self, body: Any, path: str = PATH, key: str | None = None) -> tuple[int, dict[str, Any], Any]:
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = await self.client.post(path, data=data, headers=headers)
        return response.status, await response.json(content_type=None), response.headers


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Backend]:
    holder: list[Backend] = []
    store = open_store(f"sqlite:///{tmp_path}/api.db", secret=b"k" * 32, node="relay1")
    authenticator = FakeAuthenticator()
    api = Api(SignInSettings(), authenticator, store.api_keys, lambda: holder[0].now)

    @web.middleware
    async def identify(request: web.Request, handler: Any) -> web.StreamResponse:
        request[CLIENT_ADDRESS], request[CORRELATION_ID] = holder[0].address, "c0ffee"
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application(middlewares=[identify])
    api.add_routes(app)
    administration = Administration(
        store,
        AgentRegistry(store.agents),
        relay_url="https://relay.example",
        authority_fingerprint="ab" * 32,
        token_lifetime=900,
        heads=AuditHeads(store.audit, tmp_path, store.node),
        sessions=SessionEnding(store, Sessions(SignInSettings(), store.sessions, time.time), NoDependents()),
        clock=lambda: holder[0].now,
        forget_api_key=api.forget,
    )
    client = TestClient(TestServer(app))
    await client.start_server()
    holder.append(Backend(client, administration, authenticator, store.api_keys))
    made = await administration.create_api_key("shop", None, "test", scopes=("check", "change"), rate=1000)
    holder[0].key = made.secret
    yield holder[0]
    await client.close()
    await store.close()


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as entries:
        yield entries


async def test_a_right_credential_brings_the_identity(backend: Backend) -> None:
    """And nothing that could be cached."""
    status, answer, headers = await backend.post({"user_name": ANNA, "password": RIGHT})
    assert status == 200
    assert answer["outcome"] == "success"
    assert answer["identity"]["user_name"] == ANNA
    assert answer["correlation_id"] == "c0ffee"
    assert headers["Cache-Control"] == "no-store"
    attempt = backend.authenticator.attempts[0]
    assert (attempt.via, attempt.throttled, attempt.address) == ("api:shop", False, "192.0.2.7")


async def test_a_refused_credential_is_an_answer(backend: Backend) -> None:
    """200: only a bad API key is a 401."""
    status, answer, _ = await backend.post({"user_name": ANNA, "password": "x", "client_address": "198.51.100.1"})
    assert (status, answer["outcome"]) == (200, "wrong_credential")
    assert "identity" not in answer
    attempt = backend.authenticator.attempts[0]
    assert (attempt.throttled, attempt.address) == (True, "198.51.100.1")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("198.51.100.1:4711", "198.51.100.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
@pytest.mark.parametrize("path", [PATH, "/api/v1/change-password"])
async def test_the_callers_visitor_is_one_address_however_it_is_written(
    backend: Backend, text: str, address: str, path: str
) -> None:
    """With a port, each connection would have a count of its own."""
    order = {"user_name": ANNA, "password": "x", "client_address": text}
    await backend.post({**order, "new_password": "y"} if path != PATH else order, path)
    (attempt,) = backend.authenticator.attempts
    assert (attempt.throttled, attempt.address) == (True, address)


@pytest.mark.parametrize(
    "text", ["unknown", " ", "198.51.100.1\x1b[2J", "198.51.100.1\n", "fe80::1%<b>", "198.51.100.1, 10.0.0.1", "x" * 65]
)
async def test_a_visitor_without_an_address_is_refused(backend: Backend, text: str) -> None:
    """Else nobody would be throttled, and the trail would keep whatever it is."""
    status, answer, _ = await backend.post({"user_name": ANNA, "password": RIGHT, "client_address": text})
    assert (status, answer["title"]) == (400, "body not as described")
    assert backend.authenticator.attempts == []


@pytest.mark.parametrize("key", ["", "isk_", "isk_0000_x", "Basic x", "isk_" + "a" * 300, "isk_ÿ_ü"])
async def test_without_a_good_key_nobody_is_asked(backend: Backend, key: str) -> None:
    """Missing, unknown, malformed."""
    status, _, headers = await backend.post({"user_name": ANNA, "password": RIGHT}, key=key)
    assert status == 401
    assert "WWW-Authenticate" in headers
    assert backend.authenticator.attempts == []


async def test_a_right_id_with_a_wrong_secret_is_refused(backend: Backend) -> None:
    """The id alone is no secret."""
    wrong = backend.key[:-1] + ("a" if backend.key[-1] != "a" else "b")
    assert (await backend.post({"user_name": ANNA, "password": RIGHT}, key=wrong))[0] == 401


async def test_a_revoked_key_ends_at_once(backend: Backend) -> None:
    """Even while it is remembered."""
    assert (await backend.post({"user_name": ANNA, "password": RIGHT}))[0] == 200
    key_id = backend.key.split("_")[1]
    assert await backend.administration.revoke_api_key(key_id, "test")
    assert (await backend.post({"user_name": ANNA, "password": RIGHT}))[0] == 401
    assert not await backend.administration.revoke_api_key(key_id, "test")


async def test_a_key_expires(backend: Backend) -> None:
    """On the day it was made for."""
    key = (await backend.administration.create_api_key("short", 60, "test")).secret
    assert (await backend.post({"user_name": ANNA, "password": RIGHT}, key=key))[0] == 200
    backend.now += 61
    assert (await backend.post({"user_name": ANNA, "password": RIGHT}, key=key))[0] == 401


# -- what a key is for


CHECK = {"user_name": ANNA, "password": RIGHT}
CHANGE = {**CHECK, "new_password": "Herbst-2026!"}
CHANGE_PATH = "/api/v1/change-password"


@pytest.mark.parametrize(
    ("scopes", "check", "change"), [(("check",), 200, 403), (("change",), 403, 200), (("change", "check"), 200, 200)]
)
async def test_a_key_is_good_for_its_scope_only(backend: Backend, scopes: tuple[str, ...], check: int, change: int) -> None:
    """The other thing is refused before anybody is asked, also while the key is remembered."""
    key = await backend.create_key(scopes=scopes)
    for _ in range(2):
        assert (await backend.post(CHECK, key=key))[0] == check
    status, answer, _ = await backend.post(CHANGE, CHANGE_PATH, key=key)
    assert status == change
    assert backend.authenticator.people == {ANNA: RIGHT if change == 403 else "Herbst-2026!"}
    if change == 403:
        assert answer["detail"] == "it is not for this: its scope is check"


async def test_a_key_checks_only_unless_told_otherwise(backend: Backend) -> None:
    """Changing passwords is asked for."""
    assert (await backend.post(CHANGE, CHANGE_PATH, key=await backend.create_key()))[0] == 403
    assert backend.authenticator.attempts == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("192.0.2.7", 200),
        ("::ffff:192.0.2.200", 200),
        ("2001:db8::1", 200),
        ("192.0.3.7", 403),
        ("2001:db9::1", 403),
        ("", 403),
        ("elsewhere", 403),
    ],
)
async def test_a_key_is_good_from_its_networks_only(
    backend: Backend, logs: list[EventDict], address: str, status: int
) -> None:
    """In either notation; what is no address is in none. Each request is looked at, not each key; the operator sees it."""
    key = await backend.create_key(networks=("192.0.2.0/24", "2001:db8::/32"))
    assert (await backend.post(CHECK, key=key))[0] == 200
    backend.address = address
    assert (await backend.post(CHECK, key=key))[0] == status
    assert len(backend.authenticator.attempts) == (2 if status == 200 else 1)
    refused = [(entry["key"], entry["address"]) for entry in logs if entry["event"] == "api.key_refused"]
    assert refused == ([] if status == 200 else [("limited", address)])


async def test_what_the_back_end_says_of_its_client_is_not_where_the_key_is_used(backend: Backend) -> None:
    """`client_address` is anybody's word."""
    key = await backend.create_key(networks=("198.51.100.1",))
    assert (await backend.post({**CHECK, "client_address": "198.51.100.1"}, key=key))[0] == 403


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"scopes": ()}, "not for nothing"),
        ({"scopes": ("check", "admin")}, "not for check, admin"),
        ({"networks": ("192.0.2.7/24",)}, "give 192.0.2.0/24 for all of it"),
        ({"networks": ("intranet",)}, "'intranet'"),
        ({"networks": ("",)}, "''"),
        ({"rate": 0}, "not 0"),
        ({"rate": 0.5}, "not 0.5"),
        ({"rate": float("nan")}, "not nan"),
        ({"rate": float("inf")}, "not inf"),
        ({"rate": 1e7}, "not 1e\\+07"),
    ],
)
async def test_a_limit_that_is_none_is_refused(backend: Backend, limits: dict[str, Any], words: str) -> None:
    """Nothing is made."""
    before = len(await backend.administration.api_keys())
    with pytest.raises(ValueError, match=words):
        await backend.create_key(**limits)
    assert len(await backend.administration.api_keys()) == before


async def test_whose_key_it_is_goes_with_the_attempt(backend: Backend) -> None:
    """Its rate is counted where attempts are."""
    key = await backend.create_key(rate=7)
    await backend.post(CHECK, key=key)
    attempt = backend.authenticator.attempts[-1]
    assert (attempt.caller, attempt.caller_rate, attempt.via) == (key.split("_")[1], 7, "api:limited")


async def test_a_key_that_is_revoked_while_it_is_looked_up_is_not_remembered(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the revocation is not believed after it."""
    key = await backend.create_key()
    get, tries = backend.keys.get, 0

    async def get_and_revoke(key_id: str) -> ApiKeyRecord | None:
        nonlocal tries
        tries += 1
        record = await get(key_id)
        if tries == 1:
            await backend.administration.revoke_api_key(key_id, "test")
        return record

    monkeypatch.setattr(backend.keys, "get", get_and_revoke)
    for _ in range(2):
        assert (await backend.post(CHECK, key=key))[0] == 401
    assert backend.authenticator.attempts == []


async def test_a_remembered_key_ends_in_time(backend: Backend) -> None:
    """To the second, although it was looked up a moment before."""
    key = (await backend.administration.create_api_key("short", 2, "test")).secret
    assert (await backend.post(CHECK, key=key))[0] == 200
    backend.now += 3
    assert (await backend.post(CHECK, key=key))[0] == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"\xff\xfe",
        {"user_name": ANNA},
        {"user_name": ANNA, "password": ""},
        {"user_name": "", "password": "x"},
        {"user_name": "a\0b", "password": "x"},
        {"user_name": " \u00a0", "password": "x"},
        {"user_name": ANNA, "password": "x", "admin": True},
        {"user_name": ["a"], "password": "x"},
        {"user_name": "a" * 257, "password": "x"},
    ],
)
async def test_bad_bodies_are_named(backend: Backend, body: Any) -> None:
    """400 with what is wrong, never with what was sent."""
    status, answer, headers = await backend.post(body)
    assert status == 400
    assert headers["Content-Type"] == "application/problem+json"
    assert answer["title"]
    assert backend.authenticator.attempts == []


async def test_a_huge_body_is_refused(backend: Backend) -> None:
    """Far beyond what a credential needs."""
    assert (await backend.post(b"x" * 900_000))[0] == 413


async def test_lockout_and_outage_are_told_apart(backend: Backend) -> None:
    """429 with a time, 503 for "try again"."""
    backend.authenticator.next = Verdict(outcome=None, retry_after=3.2)
    status, _, headers = await backend.post({"user_name": ANNA, "password": RIGHT})
    assert (status, headers["Retry-After"]) == (429, "4")
    backend.authenticator.next = Verdict(outcome=Outcome.NO_AGENT)
    status, answer, _ = await backend.post({"user_name": ANNA, "password": RIGHT})
    assert (status, answer["detail"]) == (503, "no_agent")


async def test_a_password_is_changed(backend: Backend) -> None:
    """Refused by policy, then accepted; a bad key is refused here too."""
    path = "/api/v1/change-password"
    body = {"user_name": ANNA, "password": RIGHT, "new_password": "short"}
    assert (await backend.post(body, path))[1]["outcome"] == "password_rejected"
    assert (await backend.post({**body, "new_password": "Herbst-2026!"}, path))[1]["outcome"] == "success"
    assert (await backend.post({"user_name": ANNA, "password": "Herbst-2026!"}))[1]["outcome"] == "success"
    assert (await backend.post(body, path, key="x"))[0] == 401


async def test_a_back_end_learns_which_rule_refused_a_new_password(backend: Backend) -> None:
    """Where the old one was right."""
    body = {"user_name": ANNA, "password": RIGHT, "new_password": "short"}
    for proven, told in ((True, ("min_length", 12)), (False, (None, None))):
        backend.authenticator.next = Verdict(
            outcome=Outcome.PASSWORD_REJECTED, password_proven=proven, rule="min_length", rule_value=12
        )
        answer = (await backend.post(body, "/api/v1/change-password"))[1]
        assert (answer.get("rule"), answer.get("rule_value")) == told


async def test_the_description_is_valid_and_true(backend: Backend) -> None:
    """OpenAPI 3.1, and its outcomes are ours."""
    response = await backend.client.get("/api/v1/openapi.json")
    description = await response.json()
    validate(description)
    outcomes = description["components"]["schemas"]["Answer"]["properties"]["outcome"]["enum"]
    assert set(outcomes) == {outcome.value for outcome in Outcome if not outcome.is_infrastructure}


@pytest.mark.parametrize("kind", [AuthenticateRequest, ChangePasswordRequest])
async def test_the_description_has_every_constraint(backend: Backend, kind: type[Any]) -> None:
    """What is described is taken, what is refused is described."""
    description = await (await backend.client.get("/api/v1/openapi.json")).json()
    described = description["components"]["schemas"][kind.__name__]
    _, schemas = msgspec.json.schema_components([kind])
    ours = schemas[kind.__name__]
    assert sorted(described["required"]) == sorted(ours["required"])
    assert described["additionalProperties"] is ours["additionalProperties"] is False
    constraints = ("type", "minLength", "maxLength", "pattern")
    for name, member in ours["properties"].items():
        for constraint in constraints:
            assert described["properties"][name].get(constraint) == member.get(constraint), (name, constraint)


async def test_a_store_that_fails_is_an_outage(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 as a problem, at either endpoint; the key is not said to be bad."""

    async def broken(_key_id: str) -> Any:
        raise StoreUnavailable("/var/lib/relay.db", "disk I/O error", "make room")

    monkeypatch.setattr(backend.keys, "get", broken)
    body = {"user_name": ANNA, "password": RIGHT}
    for path, order in ((PATH, body), ("/api/v1/change-password", {**body, "new_password": "Herbst-2026!"})):
        status, answer, headers = await backend.post(order, path)
        assert (status, answer["detail"], headers["Retry-After"]) == (503, "store", "1")
        assert "relay.db" not in str(answer)


def test_requests_tell_no_password() -> None:
    """Not even in a log of their repr."""
    assert "hunter2" not in repr(AuthenticateRequest("a", "hunter2"))
    assert "hunter2" not in repr(ChangePasswordRequest("a", "hunter2", "hunter2"))
