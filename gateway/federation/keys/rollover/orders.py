"""Orders about signing keys: over the control socket, or on the store where no relay runs."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Literal, TypeVar

from certs import CertsError
from foundation.procedures import ProcedureError, decode, encode
from gateway.federation.keys.model import Ring
from gateway.federation.keys.rollover.executor import RingContext
from gateway.federation.keys.rollover.rollovers import ROLLOVER_STATES, RingView, Rollovers
from gateway.relay import ActRefused, Order, OrderHandler, order_handler

T = TypeVar("T")


class PlanKeysOf(Order):
    """emergency: now, without waiting for applications."""

    ring: Ring
    emergency: bool = False


class ReplaceKeysOf(PlanKeysOf):
    """plan: one that was made before, as `foundation.procedures.encode` writes it; empty: whatever it is now."""

    plan: str = ""


class RollBackKeysOf(Order):
    """to: `published` or `start`."""

    ring: Ring
    to: Literal["published", "start"]


class AcknowledgeKeysOf(Order):
    """trust: its id."""

    ring: Ring
    trust: str


class KeyActs:
    """What an administrator can do about signing keys. Every act raises ActRefused or StoreError."""

    def __init__(self, context: RingContext) -> None:
        self._context = context

    async def rings(self) -> list[RingView]:
        """Every ring, its keys, and what waits for whom."""
        return await _refusable(self._by("relay").rings())

    async def plan(self, ring: Ring, actor: str, *, emergency: bool = False) -> str:
        """What a replacement would do, as `foundation.procedures.encode` writes it."""
        return encode(await _refusable(self._by(actor).plan(ring, emergency_=emergency))).decode()

    async def replace(self, ring: Ring, actor: str, *, emergency: bool = False, plan: str = "") -> RingView:
        """Start a replacement; the relay continues it. plan: see `ReplaceKeysOf`; refused where things have changed."""
        return await _refusable(self._replace(ring, actor, emergency=emergency, plan=plan))

    async def _replace(self, ring: Ring, actor: str, *, emergency: bool, plan: str) -> RingView:
        saved = decode(plan.encode(), ROLLOVER_STATES, "the plan") if plan else None
        return await self._by(actor).start(ring, emergency_=emergency, saved=saved)

    async def roll_back(self, ring: Ring, to: str, actor: str) -> RingView:
        """Undo the one that is in progress."""
        return await _refusable(self._by(actor).roll_back(ring, to))

    async def acknowledge(self, ring: Ring, trust: str, actor: str) -> RingView:
        """An application knows the new keys."""
        return await _refusable(self._by(actor).acknowledge(ring, trust))

    def _by(self, actor: str) -> Rollovers:
        return Rollovers(self._context, by=actor)


async def _refusable(act: Awaitable[T]) -> T:
    try:
        return await act
    except (ProcedureError, CertsError) as error:
        raise ActRefused(str(error)) from error


def key_orders(acts: KeyActs) -> Mapping[str, OrderHandler]:
    """The acts by name, as `control_app` takes them."""
    return {
        "signing_keys": order_handler(Order, lambda _order, _actor: acts.rings()),
        "plan_signing_keys": order_handler(
            PlanKeysOf, lambda order, actor: acts.plan(order.ring, actor, emergency=order.emergency)
        ),
        "replace_signing_keys": order_handler(
            ReplaceKeysOf,
            lambda order, actor: acts.replace(order.ring, actor, emergency=order.emergency, plan=order.plan),
        ),
        "roll_back_signing_keys": order_handler(
            RollBackKeysOf, lambda order, actor: acts.roll_back(order.ring, order.to, actor)
        ),
        "acknowledge_signing_keys": order_handler(
            AcknowledgeKeysOf, lambda order, actor: acts.acknowledge(order.ring, order.trust, actor)
        ),
    }
