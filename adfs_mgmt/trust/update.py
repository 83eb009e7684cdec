"""Changes to the certificates that Entra ID trusts: publish, retire, and both for every domain of a farm.

    look ──► unchanged since it was planned? ──► back up ──► PATCH one slot ──► read back
              │ no: TrustChanged                                                   │ both there: done
              ▼                                                                    │ live one lost: put both slots back
            nothing is done                                                        └ new one missing: NotTaken

A lost answer (OutcomeUnknown) is no failure yet: the reading back decides. Reading back is repeated for a while, because
Graph may answer from a replica that has not heard of the change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adfs_mgmt.trust.backup import Backups
from adfs_mgmt.trust.entra import encode, read_configuration
from adfs_mgmt.trust.errors import LiveKeyLost, NotTaken, TrustChanged, TrustError
from adfs_mgmt.trust.model import Configuration, FederatedDomain, Slot
from adfs_mgmt.trust.slots import slot_for, slot_to_retire
from certs import Certificate, normal_thumbprint
from foundation.graph import Graph, GraphError, OutcomeUnknown, SignInRefused

PAUSES = (1.0, 2.0, 4.0, 8.0, 10.0)
"""Seconds between looks at a change, before it counts as not there: some half a minute in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What will be done to one domain, and what was there when that was decided."""

    domain: str
    slot: Slot
    certificate: Certificate
    live: str
    before: tuple[str, ...]
    """Thumbprint in each slot at the time, `signingCertificate` first."""
    replaces: str = ""
    """Thumbprint that the slot holds; empty for an empty slot."""

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
    error: TrustError | GraphError | None = field(default=None, repr=False)


def plan_publish(domain: FederatedDomain, certificate: Certificate, live: str) -> Change | None:
    """What publishing needs; None where Entra ID has it already. Pure. Raises Refused, or the domain's own error."""
    configuration = _configuration_of(domain)
    slot = slot_for(domain.name, configuration, certificate.thumbprint, live)
    return None if slot is None else _change(domain.name, configuration, slot, certificate, live)


def plan_retire(domain: FederatedDomain, old: str, live: str) -> Change | None:
    """What retiring needs; None where Entra ID does not have it. Pure. Raises Refused."""
    configuration = _configuration_of(domain)
    slot = slot_to_retire(domain.name, configuration, old, live)
    return None if slot is None else _change(domain.name, configuration, slot, configuration.certificates[slot.other], live)


async def apply(graph: Graph, change: Change, backups: Backups, now: float) -> Path:
    """Do one change; the backup that was made before it. Raises TrustError.

    Cancelling in the middle leaves the one slot written or not; the live key is not touched either way.
    """
    before = await read_configuration(graph, change.domain)
    if before.slots() != change.before:
        raise TrustChanged(change.domain, _shown(change.before), _shown(before.slots()))
    backup = backups.save(change.domain, before, f"before {change}", now)
    await _patch(graph, change.domain, before.id, {change.slot: encode(change.certificate)})
    await _verify(graph, change, before, backup)
    return backup


async def publish(
    graph: Graph, domain: FederatedDomain, certificate: Certificate, *, live: str, backups: Backups, now: float
) -> DomainResult:
    """Put a certificate into the free slot of one domain. `live` is the thumbprint that signs now. Raises TrustError."""
    change = plan_publish(domain, certificate, live)
    return await _done(graph, domain, change, backups, now, f"has {certificate.thumbprint} already")


async def retire(
    graph: Graph, domain: FederatedDomain, old: str, *, live: str, backups: Backups, now: float
) -> DomainResult:
    """Take an old certificate out of one domain. Raises TrustError."""
    change = plan_retire(domain, old, live)
    return await _done(graph, domain, change, backups, now, f"does not have {old}")


async def for_each(
    domains: Sequence[FederatedDomain], act: Callable[[FederatedDomain], Awaitable[DomainResult]]
) -> list[DomainResult]:
    """One domain after the other; one that fails does not stop the rest. Raises SignInRefused: that stops all."""
    results = []
    for domain in domains:
        try:
            results.append(await act(domain))
        except SignInRefused:
            raise
        except (TrustError, GraphError) as error:
            results.append(DomainResult(domain=domain.name, done=False, text=str(error), error=error))
    return results


async def _done(
    graph: Graph, domain: FederatedDomain, change: Change | None, backups: Backups, now: float, otherwise: str
) -> DomainResult:
    if change is None:
        return DomainResult(domain=domain.name, done=True, text=f"{domain.name}: {otherwise}")
    backup = await apply(graph, change, backups, now)
    return DomainResult(domain=domain.name, done=True, changed=True, text=f"{change} (backup: {backup})")


async def _patch(graph: Graph, domain: str, identifier: str, body: dict[Slot, str | None]) -> None:
    """A lost answer is for the reading back to judge."""
    values = {slot.value: value for slot, value in body.items()}
    try:
        await graph.patch(
            f"writing {', '.join(values)} of {domain}", values, "domains", domain, "federationConfiguration", identifier
        )
    except OutcomeUnknown:
        return


async def _verify(graph: Graph, change: Change, before: Configuration, backup: Path) -> None:
    """Raises LiveKeyLost (after putting it back), NotTaken, or GraphError where it cannot be seen."""
    wanted = {change.certificate.thumbprint, *({change.live} if before.slot_of(change.live) else ())}
    after = await _look(graph, change.domain, lambda seen: wanted <= set(seen.thumbprints()))
    missing = wanted - set(after.thumbprints())
    if change.live in missing:
        restored = await _put_back(graph, change.domain, before, change.live)
        raise LiveKeyLost(change.domain, change.live, restored=restored, backup=backup)
    if missing:
        raise NotTaken(change.domain, change.certificate.thumbprint)


async def _put_back(graph: Graph, domain: str, before: Configuration, live: str) -> bool:
    """Write both slots as they were, in one request: whatever loses the slot that is not named has none to lose."""
    held = {slot: encode(certificate) for slot, certificate in before.certificates.items()}
    try:
        await _patch(graph, domain, before.id, dict(held))
        after = await _look(graph, domain, lambda seen: seen.slot_of(live) is not None)
    except GraphError:
        return False
    return after.slot_of(live) is not None


async def _look(graph: Graph, domain: str, good: Callable[[Configuration], bool]) -> Configuration:
    """The configuration, once it is as wanted or after the last look."""
    seen = await read_configuration(graph, domain)
    for pause in PAUSES:
        if good(seen):
            break
        await graph.sleep(pause)
        seen = await read_configuration(graph, domain)
    return seen


def _configuration_of(domain: FederatedDomain) -> Configuration:
    if domain.configuration is None:
        raise TrustError(f"{domain.name}: {domain.error or 'the domain is not federated itself'}")
    if domain.configuration.problems:
        problems = "; ".join(domain.configuration.problems)
        raise TrustError(f"{domain.name}: a slot holds something that cannot be read ({problems}). Restore it from a backup")
    return domain.configuration


def _change(domain: str, configuration: Configuration, slot: Slot, certificate: Certificate, live: str) -> Change:
    held = configuration.certificates.get(slot)
    return Change(
        domain=domain,
        slot=slot,
        certificate=certificate,
        live=normal_thumbprint(live),
        before=configuration.slots(),
        replaces=held.thumbprint if held else "",
    )


def _shown(thumbprints: tuple[str, ...]) -> str:
    return " and ".join(each or "none" for each in thumbprints)
