"""Who gets a certificate: what is posted to the relay by others than our agent, and what is told and kept of it."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from multidict import CIMultiDictProxy

from certs import EnrolmentToken, Role, VerifiedPeer, prove, verify_certificate, verify_proof
from gateway.app import Relay, init, serving
from gateway.relay import AuditView
from gateway.relay.errors import RenewalRefused
from gateway.store import StoreUnavailable
from gateway.store.unit import SqlUnit
from tests.support.relay_and_agent import server_settings

ENROL_PATH = "/agent/v1/enrol"
Key = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def detail(self) -> str:
        """The reason: every refusal has one, as JSON."""
        assert self.headers["Content-Type"].startswith(("application/json", "application/problem+json"))
        detail = json.loads(self.body)["detail"]
        assert isinstance(detail, str)
        assert detail
        return detail


class Desk:
    """A relay that serves, and somebody who posts to it whatever they like."""

    def __init__(self, relay: Relay, client: aiohttp.ClientSession, clock: Clock) -> None:
        self.relay, self.client, self.clock = relay, client, clock

    async def post(self, body: bytes | dict[str, str] | AsyncIterator[bytes]) -> Answer:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        async with self.client.post(self.relay.settings.public_url + ENROL_PATH, data=data) as response:
            return Answer(response.status, response.headers, await response.read())

    async def token(self, name: str = "agent1") -> EnrolmentToken:
        return EnrolmentToken.parse((await self.relay.administration.create_token(name, "test", any_domain=True)).text)

    async def audit(self, kind: str = "agent.enrolment_refused") -> list[AuditView]:
        return await self.relay.administration.audit(limit=99, before=None, kind=kind, subject="")

    async def assert_still_good(self, token: EnrolmentToken) -> None:
        """What was refused did not spend the token."""
        assert (await self.post(order(token, request()))).status == 200


class Clock:
    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    settings, clock = server_settings(tmp_path), Clock()
    init(settings, name="relay1", now=time.time())
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.pem")))
    async with serving(settings, clock=clock) as running, aiohttp.ClientSession(connector=connector) as client:
        yield Desk(running, client, clock)


def request(name: str = "agent1", key: Key | None = None, *extensions: x509.ExtensionType) -> bytes:
    """A certificate request (PKCS #10, DER)."""
    key = key or ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


def order(token: EnrolmentToken, csr: bytes, proof: bytes | None = None) -> dict[str, str]:
    """What a holder of the token posts."""
    proof = prove(token.key, "enrol", csr) if proof is None else proof
    return {"token": token.id, "csr": base64.b64encode(csr).decode(), "proof": base64.b64encode(proof).decode()}


# -- bodies that are none

WHOLE = {"token": "t", "csr": "", "proof": ""}
MALFORMED = {
    "empty": b"",
    "half": b'{"token": "t", "cs',
    "null": b"null",
    "list": b"[]",
    "text": b'"token"',
    "not UTF-8": b'{"token": "\xff", "csr": "", "proof": ""}',
    "UTF-16": json.dumps(WHOLE).encode("utf-16"),
    "lone surrogate": b'{"token": "\\ud800", "csr": "", "proof": ""}',
    "a form": b"token=t&csr=&proof=",
    "nested": b"[" * 50_000,
    "no proof": b'{"token": "t", "csr": ""}',
    "one more": json.dumps({**WHOLE, "name": "domain-controller"}).encode(),
    "number": json.dumps({**WHOLE, "token": 1}).encode(),
    "nothing": json.dumps({**WHOLE, "csr": None}).encode(),
    "list inside": json.dumps({**WHOLE, "proof": ["a"]}).encode(),
    "two values": json.dumps(WHOLE).encode() * 2,
}


async def test_a_body_that_is_none_is_told_so(desk: Desk) -> None:
    """400 and why, as JSON, with the id that is in the log."""
    for kind, body in MALFORMED.items():
        answer = await desk.post(body)
        assert (kind, answer.status, answer.detail) == (kind, 400, "not an enrolment request")
        assert answer.headers["X-Correlation-Id"]


async def test_a_body_that_is_none_is_on_record(desk: Desk) -> None:
    """Somebody tried to enrol and was refused."""
    await desk.post(b"{")
    assert [entry.address for entry in await desk.audit()] == ["127.0.0.1"]


async def test_a_huge_body_is_told_so(desk: Desk) -> None:
    """413 and why, as JSON."""
    answer = await desk.post(json.dumps({**WHOLE, "csr": "A" * 100_000}).encode())
    assert answer.status == 413
    assert answer.detail


async def test_a_huge_body_is_not_read_to_its_end(desk: Desk) -> None:
    """Whether or not it says beforehand how large it is."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"A" * 65_536

    try:
        answer = await desk.post(endless())
    except aiohttp.ClientError:
        return
    assert answer.status == 413


async def test_only_post_enrols(desk: Desk) -> None:
    """Others are refused as HTTP has it."""
    for method in ("GET", "PUT", "DELETE"):
        async with desk.client.request(method, desk.relay.settings.public_url + ENROL_PATH) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "POST"


# -- orders that are refused


async def refused(desk: Desk, body: dict[str, str], words: str) -> None:
    """403 and why; the same reason is in the trail, with the address, and no secret in either. A minute passes."""
    answer = await desk.post(body)
    assert answer.status == 403
    assert words in answer.detail
    entry = (await desk.audit())[0]
    assert (entry.actor, entry.address, entry.detail) == ("relay", "127.0.0.1", {"detail": answer.detail})
    desk.clock.ahead += 61


async def test_a_token_that_nobody_made_is_unknown(desk: Desk) -> None:
    """Whatever it consists of."""
    known = order(await desk.token(), request())
    for token in ("", "unknown", "\0", "' OR 1=1 --", "ä" * 30_000, "isth1.abc"):
        answer = await desk.post(json.dumps({**known, "token": token}, ensure_ascii=False).encode())
        assert (answer.status, answer.detail) == (403, "the token is unknown")
    assert [entry.detail for entry in await desk.audit()] == [{"detail": "the token is unknown"}]


async def test_an_expired_token_is_refused(desk: Desk) -> None:
    """By the relay's clock, to the second."""
    token = await desk.token()
    lifetime = desk.relay.settings.core.token_lifetime
    desk.clock.ahead = lifetime + 1.0
    await refused(desk, order(token, request()), "the token is expired")
    desk.clock.ahead = lifetime - 5.0
    await desk.assert_still_good(token)


async def test_a_token_is_good_for_one_of_many_at_once(desk: Desk) -> None:
    """The others learn that it is used; one certificate is on the books."""
    token = await desk.token()
    answers = await asyncio.gather(*(desk.post(order(token, request())) for _ in range(8)))
    assert Counter(answer.status for answer in answers) == {200: 1, 403: 7}
    assert {answer.detail for answer in answers if answer.status == 403} == {"the token is used"}
    assert len(await desk.relay.store.agents.all()) == 1
    assert len(await desk.audit("agent.enrolled")) == 1
    await desk.relay.refusals.flush()
    assert [entry.detail.get("times") for entry in await desk.audit()] == ["6", None]


async def test_one_address_enrols_so_many_a_minute(desk: Desk) -> None:
    """Before: refusals of one address filled the disk with 35 MB in 8 s. Nobody reads the body of one too many."""
    token = await desk.token()
    limit = desk.relay.settings.admission.address_enrolments
    answers = [await desk.post(b"{}") for _ in range(limit + 30)]
    assert Counter(answer.status for answer in answers) == {400: limit, 429: 30}
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert "too many from this address" in answers[-1].detail
    await desk.relay.refusals.flush()
    assert sum(int(entry.detail.get("times", "1")) for entry in await desk.audit()) == limit + 30
    assert len(await desk.audit()) == 2
    assert (await desk.post(order(token, request()))).status == 429
    desk.clock.ahead += 61
    await desk.assert_still_good(token)


async def test_a_refused_enrolment_is_answered_after_the_delay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same one as for a refused password. Who enrols does not wait."""
    held: list[float] = []

    async def hold(began: float) -> None:
        held.append(began)

    monkeypatch.setattr(desk.relay.refusals, "hold", hold)
    await desk.assert_still_good(await desk.token())
    assert held == []
    for body in (b"{}", b"x" * 70_000):
        await desk.post(body)
    assert len(held) == 2
    assert desk.relay.refusals.open == 0


async def test_who_has_too_many_enrolments_open_is_told_so_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read, counted or written."""
    token = await desk.token()
    with monkeypatch.context() as patch:
        patch.setattr(desk.relay.refusals, "enter", lambda _address: False)
        answer = await desk.post(order(token, request()))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "busy" in answer.detail
    assert await desk.audit() == []
    await desk.assert_still_good(token)


async def test_an_order_cannot_be_sent_again(desk: Desk) -> None:
    """Not even word by word by who listened."""
    body = order(await desk.token(), request())
    assert (await desk.post(body)).status == 200
    await refused(desk, body, "the token is used")


async def test_what_is_not_base64_is_refused(desk: Desk) -> None:
    """And the token stays good."""
    token = await desk.token()
    for field, text in (("csr", "§"), ("csr", "AAA"), ("proof", "A\n=="), ("proof", "=AAA")):
        await refused(desk, {**order(token, request()), field: text}, "")
    await desk.assert_still_good(token)


async def test_without_the_tokens_key_nobody_enrols(desk: Desk) -> None:
    """A proof of another key, for another request, for another purpose, or none."""
    token, other, csr = await desk.token(), await desk.token("other"), request()
    for proof in (
        prove(other.key, "enrol", csr),
        prove(token.key, "enrol", request()),
        prove(token.key, "enrolled", csr),
        prove(token.key, "enrol", csr)[:-1],
        b"",
    ):
        await refused(desk, order(token, csr, proof), "the proof does not fit")
    await desk.assert_still_good(token)


def flipped(csr: bytes) -> bytes:
    return csr[:-1] + bytes([csr[-1] ^ 1])


def of_version(csr: bytes, version: int) -> bytes:
    at = csr.index(b"\x02\x01\x00")
    return csr[: at + 2] + bytes([version]) + csr[at + 3 :]


UNFIT: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not a DER certificate request"),
    "cut off": (lambda: request()[:-20], "not a DER certificate request"),
    "too large": (lambda: request() + bytes(9000), "at most 8192 are read"),
    "not signed": (lambda: flipped(request()), "not signed by its own key"),
    "version": (lambda: of_version(request(), 9), "certificate"),
    "P-384": (lambda: request(key=ec.generate_private_key(ec.SECP384R1())), "neither Ed25519 nor ECDSA P-256"),
    "RSA": (lambda: request(key=rsa.generate_private_key(65537, 2048)), "neither Ed25519 nor ECDSA P-256"),
}


async def test_a_request_that_is_none_is_refused(desk: Desk) -> None:
    """Even to a holder of the token, which stays good."""
    token = await desk.token()
    for make, words in UNFIT.values():
        await refused(desk, order(token, make()), words)
    await desk.assert_still_good(token)


# -- orders that are granted


async def test_the_name_is_the_tokens_whatever_the_request_says(desk: Desk) -> None:
    """Subject, alternative names and extensions of the request are not looked at."""
    token = await desk.token("agent1")
    wishes = (
        x509.BasicConstraints(ca=True, path_length=None),
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(Role.RELAY.urn("relay1"))]),
    )
    csr = request("domain-controller", None, *wishes)
    answer = await desk.post(order(token, csr))
    parts = {name: base64.b64decode(text) for name, text in json.loads(answer.body).items()}
    authority = x509.load_der_x509_certificate(parts["authority"])
    peer = verify_certificate(parts["certificate"], authority=authority, role=Role.AGENT, now=time.time())
    assert peer.name == "agent1"
    certificate = x509.load_der_x509_certificate(parts["certificate"])
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert b"domain-controller" not in parts["certificate"]
    verify_proof(token.key, parts["proof"], "enrolled", csr, parts["certificate"], parts["authority"])
    (entry,) = await desk.audit("agent.enrolled")
    assert (entry.subject, entry.detail) == ("agent1", {"detail": peer.fingerprint})


async def test_a_p256_key_is_taken_too(desk: Desk) -> None:
    """Smart cards and TPMs have no Ed25519."""
    token = await desk.token()
    assert (await desk.post(order(token, request(key=ec.generate_private_key(ec.SECP256R1()))))).status == 200


async def test_a_store_that_fails_is_no_refusal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificate leaves the relay that is not on its books, and the token is not said to be bad."""

    def full(*_row: Any, **_rows: Any) -> None:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    token = await desk.token()
    with monkeypatch.context() as patch:
        patch.setattr("gateway.store.unit.add_agent", full)
        answer = await desk.post(order(token, request()))
    assert answer.status == 503
    assert b"certificate" not in answer.body
    assert await desk.audit("agent.enrolled") == []
    await desk.assert_still_good(token)  # it was spent in the transaction that failed


async def test_a_store_that_fails_is_told_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 and why: whoever enrols should ask the relay's operator, not for a new token."""

    async def full(_token_id: str, _now: float) -> None:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    monkeypatch.setattr(desk.relay.store.tokens, "peek", full)
    answer = await desk.post(order(await desk.token(), request()))
    assert answer.status == 503
    assert answer.detail


async def test_no_secret_is_logged_or_kept(desk: Desk) -> None:
    """Of orders granted and refused."""
    token = await desk.token()
    proof = prove(token.key, "enrol", csr := request())
    with structlog.testing.capture_logs() as logs:
        await desk.post(order(token, csr, b"guess"))
        await desk.post(order(token, csr))
    text = repr(logs) + repr(await desk.audit(""))
    assert "agent.enrolment_refused" in text
    for secret in (token.secret, token.key, proof):
        assert secret.hex() not in text
        assert base64.b64encode(secret).decode() not in text
        assert repr(secret)[2:-1] not in text


# -- renewal


@pytest.fixture
async def peer(desk: Desk) -> VerifiedPeer:
    """An agent that is enrolled."""
    answer = json.loads((await desk.post(order(await desk.token(), request()))).body)
    certificate, authority = (base64.b64decode(answer[part]) for part in ("certificate", "authority"))
    pinned = x509.load_der_x509_certificate(authority)
    return verify_certificate(certificate, authority=pinned, role=Role.AGENT, now=time.time())


async def test_a_renewal_for_no_key_is_refused(desk: Desk, peer: VerifiedPeer) -> None:
    """The agent is told; nothing is issued."""
    for make, words in UNFIT.values():
        with pytest.raises(RenewalRefused, match=words):
            await desk.relay.enrolment.renew(peer, make())
    assert len(await desk.relay.store.agents.all()) == 1


async def test_a_renewal_keeps_the_name(desk: Desk, peer: VerifiedPeer) -> None:
    """Whatever the request asks for."""
    certificate = await desk.relay.enrolment.renew(peer, request("domain-controller"))
    assert b"domain-controller" not in certificate
    assert {record.name for record in await desk.relay.store.agents.all()} == {"agent1"}
    assert [entry.subject for entry in await desk.audit("agent.renewed")] == ["agent1"]


async def test_who_was_revoked_gets_no_renewal(desk: Desk, peer: VerifiedPeer) -> None:
    """Also where its session still stands."""
    await desk.relay.administration.revoke("agent1", "stolen", "test")
    with pytest.raises(RenewalRefused, match="this agent was revoked"):
        await desk.relay.enrolment.renew(peer, request())
    assert await desk.audit("agent.renewed") == []


@pytest.mark.parametrize("store_down", [False, True])
async def test_who_is_revoked_while_a_renewal_waits_gets_none(
    desk: Desk, peer: VerifiedPeer, monkeypatch: pytest.MonkeyPatch, store_down: bool
) -> None:
    """The renewal was begun before: it waits for the lock, and is judged when it has it. A revocation is in force before the
    store has taken it."""

    async def fail(_name: str, _now: float, _why: str) -> int:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    registry = desk.relay.registry
    async with registry._changing:
        waiting = asyncio.create_task(desk.relay.enrolment.renew(peer, request()))
        await asyncio.sleep(0.02)
        with monkeypatch.context() as patch:
            if store_down:
                patch.setattr(desk.relay.store.agents, "revoke", fail)
            revoking = asyncio.create_task(registry.revoke("agent1", time.time(), "stolen"))
            await asyncio.wait([revoking], timeout=0.02)
    with pytest.raises(RenewalRefused, match="this agent was revoked"):
        await waiting
    await asyncio.wait([revoking])
    assert isinstance(revoking.exception(), StoreUnavailable) is store_down
    await registry.flush()
    await assert_all_revoked(desk, 1)


@pytest.mark.parametrize("store_down", [False, True])
async def test_who_is_revoked_while_a_renewal_is_written_gets_none(
    desk: Desk, peer: VerifiedPeer, monkeypatch: pytest.MonkeyPatch, store_down: bool
) -> None:
    """The certificate is in the books by then, and revoked with the others: also where the store takes no revocation yet."""
    revoke, commit = desk.relay.store.agents.revoke, SqlUnit.commit
    down = store_down

    async def revoke_or_fail(name: str, now: float, why: str) -> int:
        if down:
            raise StoreUnavailable("relay.db", "database or disk is full", "make room")
        return await revoke(name, now, why)

    async def commit_and_revoke(unit: SqlUnit) -> None:
        await commit(unit)
        task = asyncio.create_task(desk.relay.registry.revoke("agent1", time.time(), "stolen"))
        tasks.append(task)
        await asyncio.wait([task], timeout=0.05)

    tasks: list[asyncio.Task[int]] = []
    monkeypatch.setattr(desk.relay.store.agents, "revoke", revoke_or_fail)
    monkeypatch.setattr(SqlUnit, "commit", commit_and_revoke)
    with pytest.raises(RenewalRefused, match="this agent was revoked"):
        await desk.relay.enrolment.renew(peer, request())
    await asyncio.wait(tasks)
    assert isinstance(tasks[0].exception(), StoreUnavailable) is store_down
    records = await desk.relay.store.agents.all()
    assert {desk.relay.registry.status("agent1", int(record.serial, 16)) for record in records} == {"revoked"}
    down = False
    await desk.relay.registry.flush()
    await assert_all_revoked(desk, 2)


async def assert_all_revoked(desk: Desk, count: int) -> None:
    """In the books, and to whoever connects."""
    records = await desk.relay.store.agents.all()
    assert [record.revoked_at is not None for record in records] == [True] * count
    assert {desk.relay.registry.status("agent1", int(record.serial, 16)) for record in records} == {"revoked"}


async def test_renewals_at_once_are_bounded_too(desk: Desk, peer: VerifiedPeer) -> None:
    """Of as many connections as there are: each is counted when its turn comes."""
    renewals = (desk.relay.enrolment.renew(peer, request()) for _ in range(30))
    results = await asyncio.gather(*renewals, return_exceptions=True)
    assert len([result for result in results if isinstance(result, bytes)]) == 19
    assert len(await desk.relay.store.agents.all()) == 20


async def test_renewals_are_bounded(desk: Desk, peer: VerifiedPeer) -> None:
    """Each is kept for ever, by the store and in memory: an agent gets twenty a day, the first included."""
    for _ in range(19):
        await desk.relay.enrolment.renew(peer, request())
    with pytest.raises(RenewalRefused, match="20 certificates within 24 h"):
        await desk.relay.enrolment.renew(peer, request())
    assert len(await desk.relay.store.agents.all()) == 20
    desk.clock.ahead = 86401
    assert await desk.relay.enrolment.renew(peer, request())
