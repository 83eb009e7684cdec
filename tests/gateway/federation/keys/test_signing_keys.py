"""Rings in memory: first keys, which one signs, what is published, what is damaged."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwk, jws
from structlog.testing import capture_logs

from certs import KeyState
from gateway.federation.keys import KeySettings, NoSigningKey, SigningKeys
from gateway.federation.keys.jwk import key_id, public_jwk
from gateway.federation.keys.material import make_key, read_key
from gateway.federation.keys.model import ALGORITHMS
from gateway.store import AuditEntry, SigningKeyRecord
from tests.gateway.federation.keys.conftest import HOST, NOW, Node, SetClock

EVERY = [(ring, name) for ring, names in ALGORITHMS.items() for name in names]


async def made_events(node: Node) -> list[AuditEntry]:
    entries = await node.store.audit.entries()
    return [entry for entry in entries if entry.event.kind == "signing_key.made"]


# -- first keys


async def test_a_new_relay_makes_one_active_key_for_each_ring_and_algorithm(node: Node) -> None:
    """Each is recorded in the audit trail, without a secret."""
    await node.keys.begin()
    for ring, algorithm in EVERY:
        key = node.keys.active(ring, algorithm)
        assert (key.ring, key.algorithm, key.state) == (ring, algorithm, KeyState.ACTIVE)
        assert (key.certificate is None) == (ring == "oidc")
    made = await made_events(node)
    assert {entry.event.subject for entry in made} == {record.id for record in await node.records()}


async def test_two_nodes_that_start_together_make_one_set_of_keys(nodes: tuple[Node, Node], clock: SetClock) -> None:
    """The duty decides; both then sign with the same keys."""
    starts: list[asyncio.Task[None]] = []

    async def wait(_seconds: float) -> None:
        await asyncio.wait(starts, return_when=asyncio.FIRST_COMPLETED)

    both = [SigningKeys(node.store, KeySettings(), host=HOST, clock=clock, sleep=wait) for node in nodes]
    starts += [asyncio.create_task(keys.begin()) for keys in both]
    await asyncio.gather(*starts)
    assert len(await nodes[0].records()) == len(EVERY)
    assert {both[0].active(*line).id for line in EVERY} == {both[1].active(*line).id for line in EVERY}


async def test_a_second_start_makes_no_keys(nodes: tuple[Node, Node]) -> None:
    """A relay that starts again signs with the keys that partners know."""
    await nodes[0].keys.begin()
    before = nodes[0].keys.active("oidc", "RS256").id
    await nodes[1].keys.begin()
    assert nodes[1].keys.active("oidc", "RS256").id == before
    assert len(await made_events(nodes[0])) == len(EVERY)


async def test_a_node_that_died_while_it_made_the_keys_holds_nobody_up(node: Node, clock: SetClock) -> None:
    """Its duty runs out, then another node makes them."""
    await node.store.duties.take("signing keys", "dead", now=clock(), until=clock() + 50)
    await node.keys.begin()
    assert clock() >= NOW + 50
    assert node.keys.active("saml", "RSA")


async def test_a_duty_that_is_never_free_is_an_error_and_no_endless_wait(node: Node, clock: SetClock) -> None:
    """The relay's start then says which key is missing."""
    await node.store.duties.take("signing keys", "other", now=clock(), until=clock() + 600)
    with pytest.raises(NoSigningKey, match="ring oidc has no active RS256 key"):
        await node.keys.begin()


# -- material


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256"])
def test_joserfc_names_a_key_as_we_do_and_verifies_with_its_jwk(algorithm: str) -> None:
    """RFC 7638 and RFC 7518: another implementation reads the key set."""
    record = make_key("oidc", algorithm, host=HOST, state=KeyState.ACTIVE, now=NOW, lifetime=60.0)
    key = read_key(record)
    public = jwk.import_key({**public_jwk(key.private.public_key(), id_=key.id, algorithm=algorithm)})
    assert public.thumbprint() == record.id
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    private = jwk.import_key(pem, "EC" if algorithm == "ES256" else "RSA")
    token = jws.serialize_compact({"alg": algorithm}, b"text", private, algorithms=[algorithm])
    assert jws.deserialize_compact(token, public, algorithms=[algorithm]).payload == b"text"


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    """RFC 7638 section 3.1."""
    number = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr"
        "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    modulus = int.from_bytes(base64.urlsafe_b64decode(number + "=="), "big")
    assert key_id(rsa.RSAPublicNumbers(65537, modulus).public_key()) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_saml_certificate_is_signed_by_itself_and_says_what_it_is_for() -> None:
    """Not a CA: nobody who trusts it trusts what it would sign."""
    record = make_key("saml", "RSA", host="x" * 100, state=KeyState.ACTIVE, now=NOW, lifetime=86400.0)
    certificate = read_key(record).certificate
    assert certificate is not None
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_before_utc.timestamp() == NOW - 300
    assert certificate.not_valid_after_utc.timestamp() == record.not_after == NOW + 86400
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_no_key_shows_in_a_repr() -> None:
    """Neither of the record nor of the key."""
    record = make_key("oidc", "ES256", host=HOST, state=KeyState.ACTIVE, now=NOW, lifetime=60.0)
    shown = repr(record) + repr(read_key(record))
    assert "private" not in shown
    assert repr(record.private)[2:30] not in shown


# -- which one signs


@pytest.fixture(scope="module")
def pool() -> list[SigningKeyRecord]:
    """Keys of one ring; made once, because making them takes time."""
    return [make_key("oidc", "ES256", host=HOST, state=KeyState.NEXT, now=NOW, lifetime=1e6) for _ in range(4)]


async def _put(node: Node, record: SigningKeyRecord, state: KeyState, since: float) -> str:
    await node.put(replace(record, state=state.value, since=since))
    return record.id


async def test_a_key_takes_over_at_its_moment_on_every_node(
    nodes: tuple[Node, Node], clock: SetClock, pool: list[SigningKeyRecord]
) -> None:
    """Until then the one before it signs, whichever node is asked, and however early it read of the change."""
    before = await _put(nodes[0], pool[0], KeyState.RETIRING, NOW + 120)
    after = await _put(nodes[0], pool[1], KeyState.ACTIVE, NOW + 120)
    await nodes[0].keys.load()
    clock.now = NOW + 119.9
    await nodes[1].keys.load()
    assert {node.keys.active("oidc", "ES256").id for node in nodes} == {before}
    clock.now = NOW + 120
    assert {node.keys.active("oidc", "ES256").id for node in nodes} == {after}


async def test_published_are_all_that_partners_need_the_signing_one_first(
    node: Node, clock: SetClock, pool: list[SigningKeyRecord]
) -> None:
    """A key in the state `next` is shown to nobody, and nothing that it signed is accepted."""
    unknown = await _put(node, pool[0], KeyState.NEXT, NOW)
    coming = await _put(node, pool[1], KeyState.PUBLISHED, NOW)
    signing = await _put(node, pool[2], KeyState.RETIRING, NOW + 60)
    next_one = await _put(node, pool[3], KeyState.ACTIVE, NOW + 60)
    await node.keys.load()
    assert [key.id for key in node.keys.published("oidc")] == [signing, next_one, coming]
    assert [entry["kid"] for entry in node.keys.jwks()["keys"]] == [signing, next_one, coming]
    assert node.keys.find(unknown) is None
    assert node.keys.find(coming) is not None
    assert node.keys.find("nobody's") is None


async def test_the_key_set_holds_nothing_private(node: Node) -> None:
    """RFC 7517 section 9.2: only the public members; and no key of another ring."""
    await node.keys.begin()
    for entry in node.keys.jwks()["keys"]:
        assert set(entry) <= {"kty", "n", "e", "crv", "x", "y", "use", "alg", "kid"}
        assert entry["use"] == "sig"
    assert {entry["alg"] for entry in node.keys.jwks()["keys"]} == {"RS256", "ES256", "PS256"}


async def test_a_clock_that_went_back_leaves_the_first_key_signing(
    node: Node, clock: SetClock, pool: list[SigningKeyRecord]
) -> None:
    """There is no other one."""
    only = await _put(node, pool[0], KeyState.ACTIVE, NOW)
    clock.now = NOW - 600
    await node.keys.load()
    assert node.keys.active("oidc", "ES256").id == only


async def test_without_a_key_nothing_is_signed(node: Node) -> None:
    """An error that names ring and algorithm, and the command to look with."""
    await node.keys.load()
    with pytest.raises(NoSigningKey, match="`isthmus certs list`"):
        node.keys.active("saml", "RSA")


# -- damage


async def test_a_damaged_key_is_left_out_and_the_others_go_on(node: Node, pool: list[SigningKeyRecord]) -> None:
    """What was exchanged in the store (another ring's key, another name, half of a key) is never used."""
    good = await _put(node, pool[0], KeyState.ACTIVE, NOW)
    saml = make_key("saml", "RSA", host=HOST, state=KeyState.ACTIVE, now=NOW, lifetime=60.0)
    other = make_key("saml", "RSA", host=HOST, state=KeyState.ACTIVE, now=NOW, lifetime=60.0)
    damaged = [
        replace(pool[1], private=pool[1].private[:40]),
        replace(pool[2], private=pool[3].private),
        replace(saml, ring="oidc", algorithm="RS256"),
        replace(saml, id="a", private=other.private),
        replace(other, id="b", algorithm="RS256", certificate=b"", ring="saml"),
        replace(pool[3], id="c", algorithm="RS256"),
        replace(pool[3], id="d", state="resting"),
    ]
    await node.put(*(replace(record, state=record.state.replace("next", "active")) for record in damaged))
    with capture_logs() as logs:
        await node.keys.load()
    assert [key.id for key in node.keys.published("oidc")] == [good]
    assert list(node.keys.published("saml")) == []
    assert sum(entry["event"] == "signing_key.damaged" for entry in logs) == len(damaged)


async def test_a_relay_does_not_replace_a_damaged_key(node: Node) -> None:
    """Partners trust the one that was damaged; a new one would hide that, and break them anyway."""
    await node.keys.begin()
    broken = node.keys.active("saml", "RSA").record
    await node.put(replace(broken, private=b"", version=2))
    await node.keys.begin()
    assert len(await node.records()) == len(EVERY)
    with pytest.raises(NoSigningKey):
        node.keys.active("saml", "RSA")


async def test_another_node_reads_a_change_by_its_generation(nodes: tuple[Node, Node], pool: list[SigningKeyRecord]) -> None:
    """And a key that did not change is not read anew: checking it takes some milliseconds."""
    await nodes[0].keys.begin()
    await nodes[1].store.generations.look()
    kept = nodes[1].keys.active("oidc", "RS256")
    await nodes[0].put(replace(pool[0], state=KeyState.PUBLISHED.value))
    await nodes[1].store.generations.look()
    assert nodes[1].keys.find(pool[0].id) is not None
    assert nodes[1].keys.active("oidc", "RS256") is kept


def test_a_signature_verifies_with_the_published_certificate() -> None:
    """The key and the certificate of the ring `saml` belong together."""
    key = read_key(make_key("saml", "RSA", host=HOST, state=KeyState.ACTIVE, now=NOW, lifetime=60.0))
    assert isinstance(key.private, rsa.RSAPrivateKey)
    assert key.certificate is not None
    public = key.certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(key.private.sign(b"x", padding.PKCS1v15(), hashes.SHA256()), b"x", padding.PKCS1v15(), hashes.SHA256())
