"""Whether the world is still the one that a plan was made from. Pure.

Hashed is what decides: values without their order, not when they were confirmed. It guards against time that has passed
between plan and apply, not against somebody who makes two worlds of one hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from sync.model import AccountOperation, ConfirmedAccount, DesiredAccount, OperationKind, Values
from sync.plan.entries import Fingerprint, PlanEntry, PlanLine
from sync.plan.errors import WorldMoved
from sync.plan.values import canonical

_NAMED: Final = 20
"""Accounts that an error names."""


def fingerprint(
    desired: DesiredAccount | None, account: ConfirmedAccount | None, operation: AccountOperation | None = None
) -> Fingerprint:
    """Of what an operation was computed from. operation: counts where it is about links, which accounts do not hold."""
    links = operation if operation is not None and operation.kind is OperationKind.LINK else None
    return Fingerprint(
        desired="" if desired is None else _desired(desired),
        account="" if account is None else _account(account),
        links="" if links is None else _hash(_pairs(links.added), _pairs(links.removed)),
    )


def check_world(lines: Iterable[PlanLine], current: Callable[[PlanEntry], Fingerprint | None]) -> None:
    """Whether every operation would be computed again from the world as it is. current: the fingerprint now; None where
    there would be no such operation. To be called before the first write. Raises WorldMoved, which names where."""
    moved: list[tuple[str, str, tuple[str, ...]]] = []
    count = 0
    for line in lines:
        if isinstance(line, PlanEntry) and not line.held and (differences := world_moved(line.fingerprint, current(line))):
            count += 1
            if len(moved) < _NAMED:
                moved.append((line.operation.target, line.name or f"person {line.operation.person}", differences))
    if count:
        raise WorldMoved(tuple(moved), count)


def world_moved(was: Fingerprint, now: Fingerprint | None) -> tuple[str, ...]:
    """What is not as it was, in words."""
    if now is None:
        return ("nothing has to be done about it any more",)
    found = []
    if was.desired != now.desired:
        found.append("sources or rules want something else" if was.desired and now.desired else _came(now.desired))
    if was.account != now.account:
        found.append("the account at the target is another" if was.account and now.account else _is_there(now.account))
    if was.links != now.links:
        found.append("other members or managers come and go")
    return tuple(found)


def _came(now: str) -> str:
    return "sources and rules want it again" if now else "sources and rules no longer want it"


def _is_there(now: str) -> str:
    return "the target has an account now" if now else "the target has no account any more"


def _desired(desired: DesiredAccount) -> str:
    return _hash(desired.kind, desired.anchor, desired.enabled, sorted(desired.keep), _values(desired.values))


def _account(account: ConfirmedAccount) -> str:
    return _hash(account.kind, account.anchor, account.remote, account.state, _values(account.values), _values(account.sent))


def _values(values: Values) -> list[Any]:
    return [(name, canonical(values[name])) for name in sorted(values)]


def _pairs(links: Mapping[str, tuple[int, ...]]) -> list[Any]:
    return [(name, sorted(links[name])) for name in sorted(links)]


def _hash(*parts: Any) -> str:
    # MessagePack tells text from bytes and numbers from booleans
    return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=12).hexdigest()
