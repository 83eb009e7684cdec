"""From what an account should be, and what the target has confirmed, to operations. Pure.

Compared is with what was confirmed, not with what was sent: what never arrived is sent again. A value that the target turned
into another one when it was given (case, blanks, the form of a telephone number) is not sent a second time, else it would be
sent in every run. That it was changed behind our back is known to the state alone, which then forgets that it was `sent`.

An account is its person's, whatever its name, mail address or OU: a rename is an update, never a deletion and a creation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct, structs

from sync.model import AccountOperation, AccountState, ConfirmedAccount, DesiredAccount, OperationKind, Plain, Values
from sync.plan.entries import AccountProblem, RewrittenValue
from sync.plan.values import same

LINKS_IN_AN_OPERATION: Final = 1_000
"""Persons that one operation adds or removes: a group of 250,000 is never one value in memory or in the plan."""


class AccountDifference(Struct, frozen=True):
    """What is to be done about one account."""

    operations: tuple[AccountOperation, ...] = ()
    rewritten: tuple[RewrittenValue, ...] = ()
    problem: AccountProblem | None = None
    """Nothing is done then."""


def account_difference(
    desired: DesiredAccount, account: ConfirmedAccount | None, found: ConfirmedAccount | None = None
) -> AccountDifference:
    """For a person that should have an account. found: an account that is there already, by anchor or `match`, and nobody's
    yet. Without its person, an account has no difference but a deletion (`departure`)."""
    if account is None or account.state is AccountState.DELETED:
        return AccountDifference((_adoption(desired, found) if found is not None else _creation(desired),))
    if problem := _contradiction(desired, account):
        return AccountDifference(problem=problem)
    values, rewritten = _value_difference(desired, account)
    operations = (*_return(account), *values, *_enabling(desired, account))
    return AccountDifference(operations, rewritten)


def departure(account: ConfirmedAccount, step: OperationKind) -> AccountOperation:
    """The operation for a step of a deletion (`sync.plan.deletion`). It holds what the account had: for people, and for
    undo."""
    return structs.replace(_operation(step, account), before=account.values)


def link_operations(
    owner: DesiredAccount,
    remote: str,
    attribute: str,
    added: Iterable[int],
    removed: Iterable[int],
    *,
    single: bool = False,
    piece: int = LINKS_IN_AN_OPERATION,
) -> Iterator[AccountOperation]:
    """What comes and goes in one linked attribute, in pieces. single: the attribute has one value at most, as a manager:
    the old and the new one are one operation."""
    base = structs.replace(_operation(OperationKind.LINK, owner), remote=remote)
    going, coming = iter(removed), iter(added)
    if single:
        gone, come = tuple(going), tuple(coming)
        if gone or come:
            yield structs.replace(base, added=_named(attribute, come), removed=_named(attribute, gone))
        return
    while gone := tuple(islice(going, piece)):
        yield structs.replace(base, removed=_named(attribute, gone))
    while come := tuple(islice(coming, piece)):
        yield structs.replace(base, added=_named(attribute, come))


def link_difference(desired: Iterable[int], confirmed: Iterable[int]) -> Iterator[tuple[bool, int]]:
    """Two ascending streams of persons: who comes (True) and who goes (False). Holds one of each at a time."""
    wanted, known = iter(desired), iter(confirmed)
    want, have = next(wanted, None), next(known, None)
    while want is not None or have is not None:
        if want is not None and (have is None or want < have):
            yield True, want
            want = next(wanted, None)
        elif have is not None and (want is None or have < want):
            yield False, have
            have = next(known, None)
        else:
            want, have = next(wanted, None), next(known, None)


def _operation(kind: OperationKind, of: ConfirmedAccount | DesiredAccount) -> AccountOperation:
    remote = of.remote if isinstance(of, ConfirmedAccount) else ""
    return AccountOperation(
        id=0, kind=kind, target=of.target, person=of.person, object=of.kind, anchor=of.anchor, remote=remote
    )  # its id comes with the order of writes


def _creation(desired: DesiredAccount) -> AccountOperation:
    values = {name: value for name, value in desired.values.items() if name not in desired.keep}
    return structs.replace(_operation(OperationKind.CREATE, desired), set=values, enabled=desired.enabled)


def _adoption(desired: DesiredAccount, found: ConfirmedAccount) -> AccountOperation:
    differing = {
        name: value
        for name, value in desired.values.items()
        if name not in desired.keep and not same(value, found.values.get(name))
    }
    return structs.replace(
        _operation(OperationKind.ADOPT, desired),
        remote=found.remote,
        set=differing,
        before=_taken(found.values, differing),
        enabled=desired.enabled,
    )


def _contradiction(desired: DesiredAccount, account: ConfirmedAccount) -> AccountProblem | None:
    """An account never becomes another's, nor something else, by a difference of values."""
    if desired.anchor != account.anchor:
        detail = f"its anchor was {account.anchor}, and would be {desired.anchor}"
        return AccountProblem(desired.target, desired.person, "AnchorChanged", detail)
    if desired.kind is not account.kind:
        detail = f"the account {account.remote} is a {account.kind}, and would be a {desired.kind}"
        return AccountProblem(desired.target, desired.person, "ObjectTypeMismatch", detail)
    return None


def _value_difference(
    desired: DesiredAccount, account: ConfirmedAccount
) -> tuple[tuple[AccountOperation, ...], tuple[RewrittenValue, ...]]:
    write: dict[str, Plain | tuple[Plain, ...]] = {}
    rewritten = []
    for name, value in desired.values.items():
        kept = account.values.get(name)
        if name in desired.keep or same(value, kept):
            continue
        if name in account.sent and same(value, account.sent[name]):
            rewritten.append(RewrittenValue(desired.target, desired.person, name, value, kept))
        else:
            write[name] = value
    # What was never sent is the target's own, and stays
    clear = frozenset(
        name for name in account.sent if name not in desired.values and name not in desired.keep and name in account.values
    )
    if not write and not clear:
        return (), tuple(rewritten)
    operation = structs.replace(
        _operation(OperationKind.UPDATE, account), set=write, clear=clear, before=_taken(account.values, {*write, *clear})
    )
    return (operation,), tuple(rewritten)


def _return(account: ConfirmedAccount) -> tuple[AccountOperation, ...]:
    """A soft-deleted account comes back disabled, whatever it was."""
    if account.state is not AccountState.SOFT_DELETED:
        return ()
    return (structs.replace(_operation(OperationKind.RESTORE, account), enabled=False),)


def _enabling(desired: DesiredAccount, account: ConfirmedAccount) -> tuple[AccountOperation, ...]:
    """Enabled after its values are right, so that nobody is let in under an old name."""
    if desired.enabled:
        return () if account.state is AccountState.ACTIVE else (_operation(OperationKind.ENABLE, account),)
    return (_operation(OperationKind.DISABLE, account),) if account.state is AccountState.ACTIVE else ()


def _taken(values: Values, names: Iterable[str]) -> Values:
    return {name: values[name] for name in names if name in values}


def _named(attribute: str, persons: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {attribute: persons} if persons else {}
