"""Who is counted for a request: pure, with counts in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.federation.oidc.errors import InvalidClient, TooManyRequests
from gateway.federation.oidc.limits import WRONG_SECRETS, WRONG_SECRETS_OF_ADDRESS, RequestLimits
from gateway.federation.oidc.proven_clients import ADDRESSES, LATELY, ProvenClients
from gateway.federation.settings import FederationSettings
from gateway.relay.credentials.admission import Admission, AdmissionSettings, MemoryAdmissionStore
from tests.gateway.federation.oidc.stand import APP, changed

PUBLIC = changed(authentication="none", secrets=())


@dataclass
class OneEach:
    """Lets everybody send one request."""

    seen: list[str] = field(default_factory=list)

    def draw(self, whose: str, rate: float, now: float) -> float:
        self.seen.append(whose)
        return float(self.seen.count(whose) - 1)

    def failing(self, whose: str, most: int, now: float) -> float:
        return 0.0

    def fail_here(self, whose: Sequence[str], now: float) -> None:
        """Nobody fails here."""

    async def fail(self, whose: Sequence[str], now: float) -> None:
        """Nobody fails here."""


@pytest.fixture
def limits() -> RequestLimits:
    return RequestLimits(OneEach(), FederationSettings(), lambda: 0.0)


def test_a_stranger_does_not_use_up_what_a_public_client_may_send(limits: RequestLimits) -> None:
    """Anybody can send its name: each counts by their own address, of IPv6 by their network."""
    limits.check_client(PUBLIC, "192.0.2.1")
    limits.check_client(PUBLIC, "192.0.2.2")
    limits.check_client(PUBLIC, "2001:db8::1")
    for address in ("192.0.2.1", "2001:db8::2"):
        with pytest.raises(TooManyRequests):
            limits.check_client(PUBLIC, address)


def test_a_client_that_proves_itself_is_one_wherever_it_is(limits: RequestLimits) -> None:
    """But no other one is."""
    limits.check_client(APP, "192.0.2.1")
    limits.check_client(replace(APP, id="other"), "192.0.2.1")
    with pytest.raises(TooManyRequests):
        limits.check_client(APP, "192.0.2.2")


def test_what_is_kept_for_strangers_is_counted_for_them_alone(limits: RequestLimits) -> None:
    """A client with a secret or a key has its own limit."""
    for _ in range(2):
        limits.check_kept(APP, "2001:db8::1")
    limits.check_kept(PUBLIC, "2001:db8::1")
    with pytest.raises(TooManyRequests):
        limits.check_kept(replace(PUBLIC, id="other"), "2001:db8::2")


# -- secrets

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class WatchedStore(MemoryAdmissionStore):
    """Counts how often it is asked."""

    asked = 0

    async def apply(self, *how: Any) -> Any:
        self.asked += 1
        return await super().apply(*how)


class Secrets:
    """Clients whose secret is right or wrong, over real counts."""

    def __init__(self) -> None:
        self.now, self.verified = 1_800_000_000.0, 0
        self.store = WatchedStore(AdmissionSettings())
        admission = Admission(AdmissionSettings(), store=self.store)
        self.limits = RequestLimits(admission, FederationSettings(), lambda: self.now)

    async def brought(self, client: str, *, right: bool = True, address: str = HERE) -> str:
        """What comes of it."""

        def verify() -> None:
            self.verified += 1
            if not right:
                raise InvalidClient("the secret is wrong")

        try:
            await self.limits.try_secret(client, address, verify)
        except (InvalidClient, TooManyRequests) as refused:
            return f"{refused.status} {refused.detail} {getattr(refused, 'wait', '')}"
        return "right"

    async def guess(self, times: int = WRONG_SECRETS_OF_ADDRESS, address: str = HERE) -> None:
        """So many wrong ones, of names that are not used elsewhere in a test."""
        for number in range(times):
            assert (await self.brought(f"guessed {number // WRONG_SECRETS}", right=False, address=address)).startswith("401")


async def test_guesses_at_a_client_hold_up_that_one_at_that_address_alone() -> None:
    """After its number of wrong secrets the right one is not looked at either, known or not."""
    secrets = Secrets()
    await secrets.brought("notes")
    answers = [await secrets.brought("notes", right=False) for _ in range(WRONG_SECRETS)]
    assert {answer[:3] for answer in answers} == {"401"}
    assert (await secrets.brought("notes")).startswith("429 secret ")
    assert [await secrets.brought("wiki"), await secrets.brought("notes", address=ELSEWHERE)] == ["right", "right"]


async def test_guesses_at_other_clients_do_not_hold_up_one_that_is_known_at_the_address() -> None:
    """Behind one address are many applications: whoever has proved itself from there lately is heard."""
    secrets = Secrets()
    assert await secrets.brought("notes") == "right"
    await secrets.guess()
    assert await secrets.brought("notes") == "right"
    assert (await secrets.brought("wiki")).startswith("429")
    assert await secrets.brought("wiki", address=ELSEWHERE) == "right"
    assert (await secrets.brought("wiki")).startswith("429")  # being known elsewhere says nothing here


async def test_who_is_known_is_guessed_at_no_more_often_than_others() -> None:
    """Its own number of wrong secrets a minute, and then the right one is not looked at either."""
    secrets = Secrets()
    await secrets.brought("notes")
    await secrets.guess()
    for _ in range(WRONG_SECRETS):
        assert (await secrets.brought("notes", right=False)).startswith("429")
    verified = secrets.verified
    assert (await secrets.brought("notes")).startswith("429 secret ")
    assert secrets.verified == verified
    secrets.now += 60.0
    assert await secrets.brought("notes") == "right"


async def test_where_too_many_were_wrong_nothing_tells_what_a_secret_is_worth() -> None:
    """Right, wrong, of clients known there or not: it is compared, the store is not asked, the answer is the same."""
    secrets = Secrets()
    await secrets.brought("notes")
    await secrets.guess()
    asked, verified = secrets.store.asked, secrets.verified
    refusals = [await secrets.brought("wiki"), await secrets.brought("wiki", right=False)]
    refusals += [await secrets.brought("notes", right=False), await secrets.brought("nobody", right=False)]
    assert len(set(refusals)) == 1
    assert (secrets.store.asked - asked, secrets.verified - verified) == (0, 4)


async def test_a_secret_that_was_right_long_ago_does_not_count() -> None:
    """Nor one from after now, when a clock was set back."""
    secrets = Secrets()
    await secrets.brought("notes")
    secrets.now += LATELY
    await secrets.guess()
    assert await secrets.brought("notes") == "right"
    secrets.now += LATELY + 1
    await secrets.guess()
    assert (await secrets.brought("notes")).startswith("429")
    proven = ProvenClients()
    proven.note("notes", HERE, 10.0)
    assert (proven.knows("notes", HERE, 10.0), proven.knows("notes", HERE, 9.0)) == (True, False)


def test_addresses_of_a_client_are_bounded_and_nobody_pushes_out_another_one() -> None:
    """The one that was not seen for longest goes; of IPv6 a network is one."""
    proven = ProvenClients()
    proven.note("wiki", HERE, 0.0)
    for number in range(ADDRESSES):
        proven.note("notes", f"2001:db8:0:{number:x}::1", 0.0)
    proven.note("notes", "2001:db8:0:0::2", 1.0)
    proven.note("notes", HERE, 2.0)
    known = [proven.knows("notes", f"2001:db8:0:{number:x}::3", 2.0) for number in range(ADDRESSES)]
    assert known == [True, False, *[True] * (ADDRESSES - 2)]
    assert proven.knows("notes", HERE, 2.0)
    assert proven.knows("wiki", HERE, 2.0)
