"""The order to try a key: over the control socket, or on the store where no relay runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.federation.keys import trial_refusal
from gateway.federation.trials.carriage import ADDRESS_LIFETIME, Trials
from gateway.federation.trusts import TrustRegistry
from gateway.relay import ActRefused, Order, OrderHandler, order_handler
from gateway.store import AuditEvent, Store


class TryKey(Order):
    """key: its id. trust: id of the application's trust."""

    key: str
    trust: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAddressView:
    """Where a trial is started. url is a secret for as long as it can be opened."""

    url: str
    key: str
    trust: str
    until: float
    """Unix seconds."""

    def __repr__(self) -> str:
        return f"TrialAddressView(key={self.key!r}, trust={self.trust!r}, …)"


class TrialActs:
    """public_url: of the relay. clock: Unix seconds."""

    def __init__(self, store: Store, trusts: TrustRegistry, public_url: str, clock: Callable[[], float]) -> None:
        self._store, self._trusts, self._clock = store, trusts, clock
        self._url = public_url.rstrip("/")

    async def try_key(self, key: str, trust: str, actor: str) -> TrialAddressView:
        """An address that starts a trial, recorded before it is given. Raises ActRefused, StoreError."""
        await self._trusts.load()
        records, found = await self._store.signing_keys.all(), self._trusts.get(trust)
        refusal = trial_refusal(next((record for record in records if record.id == key), None), found)
        if refusal:
            triable = [record.id for record in records if not trial_refusal(record, found)]
            hint = f". Keys that can be tried with it: {', '.join(triable)}" if triable else ""
            raise ActRefused(f"key {key} cannot be tried with {trust}: {refusal}{hint}")
        now = self._clock()
        path = await Trials(self._store.keyring, self._store.once, self._clock).offer(trust, key, actor)
        event = AuditEvent(time=now, kind="signing_key.trial_ordered", actor=actor, subject=key, detail={"trust": trust})
        await self._store.audit.append(event)
        return TrialAddressView(url=self._url + path, key=key, trust=trust, until=now + ADDRESS_LIFETIME)


def trial_orders(acts: TrialActs) -> Mapping[str, OrderHandler]:
    """The act by name, as `control_app` takes it."""
    return {
        "try_signing_key": order_handler(TryKey, lambda order, actor: acts.try_key(order.key, order.trust, actor)),
    }
