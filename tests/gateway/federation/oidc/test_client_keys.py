"""Key sets of clients that are fetched: when, how often, and what is good while they are not there."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from foundation.http import FetchFailed
from gateway.federation.oidc.client_keys import FRESH, LARGEST, LAST_GOOD, MOST, PAUSE, ClientKeys
from gateway.federation.oidc.errors import InvalidClient, TemporarilyUnavailable
from gateway.federation.oidc.jose import Signer
from gateway.federation.trusts import Trust
from tests.gateway.federation.oidc.signing import public_jwk, rsa_key
from tests.gateway.federation.oidc.stand import changed

NOW, URL = 1_800_000_000.0, "https://app.example.com/jwks"
APP = changed(authentication="private_key_jwt", secrets=(), jwks_uri=URL)


def assertion(key_id: str) -> str:
    return Signer().sign({"iss": "app"}, key_id=key_id, algorithm="RS256", private=rsa_key("client"), typ="JWT")


def key_set(*key_ids: str) -> bytes:
    return json.dumps({"keys": [public_jwk(rsa_key("client"), key_id, "RS256") for key_id in key_ids]}).encode()


@dataclass
class Client:
    """Publishes keys; may be unreachable."""

    now: float = NOW
    document: bytes = field(default_factory=lambda: key_set("c1"))
    fails: bool = False
    asked: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = ClientKeys(self, lambda: self.now)

    async def get(self, url: str, *, most: int) -> bytes:
        self.asked.append((url, most))
        await asyncio.sleep(0)
        if self.fails:
            raise FetchFailed(url, "no answer within 15 s")
        return self.document

    async def ids(self, key_id: str = "c1", *, after: float = 0.0, trust: Trust = APP) -> set[str]:
        self.now += after
        return {key.id for key in await self.keys.of(trust, assertion(key_id))}


async def test_a_key_set_is_fetched_when_it_is_needed() -> None:
    """Once for all who come at that moment, and again when it is old; within bounds."""
    client = Client()
    assert await asyncio.gather(*(client.ids() for _ in range(9))) == [{"c1"}] * 9
    assert client.asked == [(URL, LARGEST)]
    await client.ids(after=FRESH - 1)
    assert len(client.asked) == 1
    await client.ids(after=1)
    assert len(client.asked) == 2
    await client.ids(after=-86400.0)
    assert len(client.asked) == 3


async def test_a_new_key_is_found_at_its_first_use() -> None:
    """But names that somebody makes up are not asked for each time."""
    client = Client()
    await client.ids()
    client.document = key_set("c1", "c2")
    assert await client.ids("c2", after=PAUSE) == {"c1", "c2"}
    for number in range(5):
        await client.ids(f"invented{number}")
    assert len(client.asked) == 2
    client.document = key_set("c2")
    assert await client.ids("c2", after=FRESH) == {"c2"}


@pytest.mark.parametrize("document", [b"", b"\xff", b"[]", b'{"keys": 1}'])
async def test_the_last_good_key_set_stays_for_a_day(document: bytes) -> None:
    """Where the address does not answer, or not with keys; then the client is told to try again, until it answers."""
    client = Client()
    await client.ids()
    client.document, client.fails = document, not document
    assert await client.ids(after=LAST_GOOD - 1) == {"c1"}
    with pytest.raises(TemporarilyUnavailable):
        await client.ids(after=PAUSE)
    client.document, client.fails = key_set("c1"), False
    assert await client.ids(after=PAUSE) == {"c1"}


async def test_without_any_key_set_nobody_is_asked_more_often() -> None:
    """An address that never answered: one try in a minute."""
    client = Client(fails=True)
    for _ in range(5):
        with pytest.raises(TemporarilyUnavailable):
            await client.ids(after=1)
    assert len(client.asked) == 1


async def test_what_is_kept_has_a_bound() -> None:
    """The client that came last longest ago is forgotten."""
    client = Client()
    for number in range(MOST + 3):
        await client.ids(trust=changed(jwks_uri=f"https://app{number}.example.com/jwks"))
    assert len(client.keys._sets) == MOST
    assert "https://app2.example.com/jwks" not in client.keys._sets


async def test_keys_of_the_trust_itself_are_not_fetched() -> None:
    """Those that cannot be read are nobody's."""
    client = Client()
    own = changed(jwks=key_set("own").decode())
    assert await client.ids(trust=own) == {"own"}
    with pytest.raises(InvalidClient):
        await client.ids(trust=changed(jwks="[]"))
    assert client.asked == []
    assert await client.keys.of(APP, "no token") != ()
