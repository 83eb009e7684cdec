"""Who is counted for a request: pure, with counts in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from gateway.federation.oidc.errors import TooManyRequests
from gateway.federation.oidc.limits import RequestLimits
from gateway.federation.settings import FederationSettings
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
