"""Admission without an event loop: over memory it never suspends, so its coroutines can be run to their end by hand."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway.protocol import Outcome
from gateway.relay.credentials.admission import (
    Admission,
    AdmissionRequest,
    AdmissionSettings,
    Admitted,
    AttemptRefused,
    LockView,
    MemoryAdmissionStore,
)

T = TypeVar("T")

KEY = bytes(range(32))


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise AssertionError("it waits for something")


class DirectAdmission:
    """`Admission` over memory, each call at once."""

    def __init__(self, settings: AdmissionSettings) -> None:
        self.store = MemoryAdmissionStore(settings)
        self.admission = Admission(settings, keys=lambda: (KEY,), store=self.store)

    @property
    def users(self) -> int:
        """Records of names and accounts."""
        return len(self.store)

    @property
    def addresses(self) -> int:
        return self.admission.addresses

    def check(self, request: AdmissionRequest, now: float) -> Admitted | AttemptRefused:
        return run(self.admission.check(request, now))

    def settle(self, ticket: Admitted, outcome: Outcome, now: float, account: bytes = b"", account_key: str = "1") -> bool:
        return run(self.admission.settle(ticket, outcome, now, account=account, account_key=account_key))

    def abandon(self, ticket: Admitted, now: float) -> None:
        run(self.admission.abandon(ticket, now))

    def unlock(self, *user_names: str, accounts: tuple[bytes, ...] = ()) -> bool:
        return run(self.admission.unlock(user_names, accounts))

    def locked(self, now: float) -> list[LockView]:
        return run(self.admission.locked(now))

    def purge(self, now: float) -> int:
        return run(self.admission.purge(now))
