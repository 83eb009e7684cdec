"""Changes to the certificates that Entra ID trusts: one slot of one domain, as a procedure.

    unchanged since it was planned? ─► backup ─► write ─► both there ─► done
              │ no: TrustChanged                   │ the new one there, the live one lost with it
              ▼                                    │     ─► undo: both slots as they were ─► LiveKeyLost
            nothing is done                        └ anything else: NotTaken

A lost answer is no failure yet: what is read back decides, for two minutes, because Graph may answer from a replica that has
not heard of the change. Nothing is written a second time on such an answer: the slots are written back only where the change
itself shows, and with it that the live key, which was there before, is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adfs_mgmt.trust import domain_executor
from adfs_mgmt.trust.backup import Backups
from adfs_mgmt.trust.comparison import FarmKeys
from adfs_mgmt.trust.domain_executor import UPDATE_KIND, BackupWanted, DomainExecutor, DomainObservation
from adfs_mgmt.trust.errors import LiveKeyLost, TrustChanged, TrustError
from adfs_mgmt.trust.model import Configuration, FederatedDomain, Slot
from adfs_mgmt.trust.reader import VISIBLE_WITHIN, encode, read_domain
from adfs_mgmt.trust.slots import slot_for, slot_to_retire
from certs import Certificate, normal_thumbprint
from foundation import procedures
from foundation.graph import GraphError, SignInRefused
from foundation.procedures import (
    Act,
    Condition,
    End,
    Journal,
    MemoryJournal,
    Procedure,
    ProcedureError,
    Stage,
    View,
)

if TYPE_CHECKING:
    from foundation.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotChange:
    """What will be done to one domain, and what was there when that was decided."""

    domain: str
    slot: Slot
    certificate: Certificate
    live: str
    before: tuple[str, ...]
    """Thumbprint in each slot at the time, `signingCertificate` first."""
    held: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What each slot held at the time, as Graph has it."""
    replaces: str = ""
    """Thumbprint that the slot holds; empty for an empty slot."""
    backup: str = ""
    """Path of the copy that was made before the change."""

    def __str__(self) -> str:
        over = f" over {self.replaces}" if self.replaces else ""
        return f"{self.domain}: {self.certificate.thumbprint} into {self.slot}{over}; {self.live} stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainResult:
    """How it went for one domain."""

    domain: str
    done: bool
    changed: bool = False
    text: str = ""
    """What was done, or why it was not."""
    error: Exception | None = field(default=None, repr=False)


def plan_publish(domain: FederatedDomain, certificate: Certificate, live: str) -> SlotChange | None:
    """What publishing needs; None where Entra ID has it already. Pure. Raises TrustRefused, or the domain's own error."""
    configuration = _configuration_of(domain)
    slot = slot_for(domain.name, configuration, certificate.thumbprint, live)
    return None if slot is None else _change(domain.name, configuration, slot, certificate, live)


def plan_retire(domain: FederatedDomain, old: str, live: str) -> SlotChange | None:
    """What retiring needs; None where Entra ID does not have it. Pure. Raises TrustRefused."""
    configuration = _configuration_of(domain)
    slot = slot_to_retire(domain.name, configuration, old, live)
    return None if slot is None else _change(domain.name, configuration, slot, configuration.certificates[slot.other], live)


# -- the procedure

UpdateView = View[DomainObservation, SlotChange]


def _saved(view: UpdateView) -> list[Condition]:
    act = Act(place=view.state.domain, what=BackupWanted(f"before {view.state}"), changes=False)
    return [Condition("", "" if view.observed.backup else "its configuration has not been backed up yet", act)]


def _remember_backup(view: UpdateView) -> SlotChange:
    return replace(view.state, backup=str(view.observed.backup))


def _there(view: UpdateView, thumbprint: str, act: Act | None, *slots: Slot) -> Condition:
    """Whether one of these slots (of both, for none) has the certificate."""
    configuration = view.observed.configuration
    held = dict(zip(Slot, configuration.slots(), strict=True)) if configuration else {}
    there = thumbprint in [held.get(slot) for slot in slots or Slot]
    return Condition("", "" if there else view.observed.error or f"{thumbprint} is not there", act)


def _written(view: UpdateView) -> list[Condition]:
    """A live key that was not there before need not be there afterwards. What was sent once is not sent again."""
    change = view.state
    values = {change.slot.value: encode(change.certificate)}
    sent = view.record.tries_of("write") > 0
    act = None if sent else domain_executor.change_configuration(view, change.domain, values)
    kept = [_there(view, change.live, None)] if change.live in change.before else []
    return [_there(view, change.certificate.thumbprint, act, change.slot), *kept]


def _overtaken(view: UpdateView) -> list[str]:
    """Work that this one gave up may have taken effect since this one was planned. What shows after ours was sent is not
    judged: another reading may be of another replica."""
    change, configuration = view.state, view.observed.configuration
    found = configuration.slots() if configuration else change.before
    if view.record.tries_of("write") or found == change.before:
        return []
    if dict(zip(Slot, found, strict=True))[change.slot] == change.certificate.thumbprint:
        return []
    return [str(TrustChanged(change.domain, _shown(change.before), _shown(found)))]


def _as_before(view: UpdateView) -> list[Condition]:
    """Both slots in one request: whatever loses the slot that is not named has none to lose."""
    return [_there(view, view.state.live, domain_executor.change_configuration(view, view.state.domain, view.state.held))]


UPDATE: Procedure[UpdateView] = domain_executor.make_procedure(
    UPDATE_KIND,
    SlotChange,
    Stage(
        name="backup",
        title="back up the current configuration",
        promise="its configuration is saved in a file",
        conditions=_saved,
        learns=_remember_backup,
    ),
    Stage(
        name="write",
        title="write to the free slot",
        promise="Entra ID returns the certificate, and the current token-signing certificate",
        conditions=_written,
        refuses=_overtaken,
        patience=lambda view: VISIBLE_WITHIN,
        repeats=False,
        back=Stage(
            name="put back",
            title="restore both slots",
            promise="Entra ID returns the current token-signing certificate",
            conditions=_as_before,
            repeats=False,
        ),
    ),
)


def plan_updates(
    domains: Sequence[FederatedDomain], keys: FarmKeys, live: Certificate, retire: str = ""
) -> tuple[list[SlotChange], list[DomainResult]]:
    """For each domain one change at most (`live` in, then its successor; or `retire` out), and what cannot be done. Pure."""
    changes: list[SlotChange] = []
    problems: list[DomainResult] = []
    for domain in domains:
        try:
            change = plan_retire(domain, retire, live.thumbprint) if retire else _plan_next(domain, keys, live)
        except TrustError as error:
            problems.append(_failed(domain.name, error))
        else:
            changes += [change] if change else []
    return changes, problems


def _plan_next(domain: FederatedDomain, keys: FarmKeys, live: Certificate) -> SlotChange | None:
    change = plan_publish(domain, live, live.thumbprint)
    if change is None and keys.successor is not None:
        return plan_publish(domain, keys.successor, live.thumbprint)
    return change


async def apply_change(
    graph: Graph, change: SlotChange, backups: Backups, now: float, journal: Journal | None = None
) -> Path:
    """Do one change; the backup that was made before it. Raises TrustError, GraphError, JournalError.

    `journal`: where it is written down; none where the caller has one. Cancelling in the middle leaves the one slot written
    or not; the live key is not touched either way.
    """
    domain, journal = await read_domain(graph, change.domain), journal or MemoryJournal()
    found = domain.configuration.slots() if domain.configuration else ()
    if found != change.before:
        raise TrustChanged(change.domain, _shown(change.before), _shown(found))
    executor = DomainExecutor(graph, change.domain, backups, now)
    await domain_executor.start(journal, UPDATE, change.domain, change, now)
    result = await domain_executor.run(UPDATE, executor, journal)
    saved: SlotChange = result.record.state
    if result.end is not End.DONE and await _lost(executor, change):
        await journal.write(procedures.turn_back(UPDATE, result.record, "start"), executor.clock.now())
        restored = (await domain_executor.run(UPDATE, executor, journal)).end is End.DONE
        raise LiveKeyLost(change.domain, change.live, restored=restored, backup=Path(saved.backup))
    domain_executor.raise_for(result, executor, change.certificate.thumbprint)
    return Path(saved.backup)


async def _lost(executor: DomainExecutor, change: SlotChange) -> bool:
    """Whether the change shows, and the key that signs now, which was there before, does not: a reading without either is
    of a replica that lags, or of somebody else's change."""
    configuration = (await executor.observe()).configuration
    held = configuration.certificates.get(change.slot) if configuration else None
    shows = held is not None and held.thumbprint == change.certificate.thumbprint
    return (
        shows and change.live in change.before and configuration is not None and configuration.slot_of(change.live) is None
    )


async def apply_changes(
    graph: Graph,
    changes: Sequence[SlotChange],
    backups: Backups,
    now: float,
    open_journal: Callable[[str, float], AbstractContextManager[Journal]],
) -> list[DomainResult]:
    """One domain after the other, each with its journal; one that fails does not stop the rest. Raises SignInRefused: a
    credential that is refused is not tried for each domain."""
    results = []
    for change in changes:
        try:
            with open_journal(change.domain, now) as journal:
                backup = await apply_change(graph, change, backups, now, journal)
        except SignInRefused:
            raise
        except (TrustError, GraphError, ProcedureError) as error:
            results.append(_failed(change.domain, error))
        else:
            text = f"{change} (backup: {backup})"
            results.append(DomainResult(domain=change.domain, done=True, changed=True, text=text))
    return results


def _failed(domain: str, error: Exception) -> DomainResult:
    return DomainResult(domain=domain, done=False, text=str(error), error=error)


def _configuration_of(domain: FederatedDomain) -> Configuration:
    if domain.configuration is None:
        raise TrustError(f"{domain.name}: {domain.error or 'the domain itself is not federated'}")
    if domain.configuration.problems:
        problems = "; ".join(domain.configuration.problems)
        raise TrustError(
            f"{domain.name}: a slot contains something that cannot be read ({problems}). Restore it from a backup"
        )
    return domain.configuration


def _change(domain: str, configuration: Configuration, slot: Slot, certificate: Certificate, live: str) -> SlotChange:
    held = configuration.certificates.get(slot)
    return SlotChange(
        domain=domain,
        slot=slot,
        certificate=certificate,
        live=normal_thumbprint(live),
        before=configuration.slots(),
        held={name.value: encode(row) for name, row in configuration.certificates.items()},
        replaces=held.thumbprint if held else "",
    )


def _shown(thumbprints: tuple[str, ...]) -> str:
    return " and ".join(thumbprint or "none" for thumbprint in thumbprints)
