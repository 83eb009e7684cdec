"""Which accounts an agent may speak of: those in the directories of its own domains.

    domain ──(one)──► directory ◄──(any number)── domains

The first answer about somebody of a domain that is bound to no directory binds it to the directory that it names, if that
belongs to nobody, or to a domain that the agent may answer for. From then on every answer about the domain's people must
name that directory, whichever agent it is from, in refusals as in successes: what is counted, kept and ended goes by the
account. So an agent with domains of its own reaches no account of another's, and one whose domains are bound reaches no
directory that is still to come. Why: docs/decisions/0021-a-domain-is-bound-to-its-directory.md.

Kind of state: lasting, in the store; here a copy, by the generation `bindings`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence

import structlog

from gateway.protocol import AccountId, AnswerBody, Identity, Outcome
from gateway.relay.agents.connection import AgentConnection
from gateway.store import AuditEvent, Store, StoreError

log = structlog.get_logger()

REST = "*"
"""Stands for the names that no agent claims."""
Alarm = Callable[[str, dict[str, str]], None]
"""Raises an alert for the operator: event name and fields."""


def may_name(bound: Mapping[str, str], directory: str, domains: Sequence[str], allowed: Collection[str] | None) -> str:
    """Why an answer about somebody of these domains may not name this directory; empty where it may.

    bound: directories by domain; those of `domains`, and all of this directory, are enough. allowed: what the agent may
    answer for, None for everything.
    """
    held = {bound[domain] for domain in domains if domain in bound}
    if directory in held:
        return ""
    if held:
        return f"{domains[0]} is bound to {', '.join(map(_shown, sorted(held)))}"
    owners = sorted(domain for domain, other in bound.items() if other == directory)
    if not owners or allowed is None or not set(owners).isdisjoint(allowed):
        return ""
    return f"that one belongs to {', '.join(owners)}"


class DirectoryBindings:
    """Judges answers. clock: Unix seconds. alarm: told once for each connection that speaks of what belongs to others."""

    def __init__(self, store: Store, clock: Callable[[], float], alarm: Alarm) -> None:
        self._store, self._clock, self._alarm = store, clock, alarm
        self._directories: dict[str, str] = {}

    async def load(self) -> None:
        """Read what other nodes, and administrators, have bound. Raises StoreError."""
        self._directories = {binding.domain: binding.directory for binding in await self._store.bindings.all()}

    async def doubt(self, connection: AgentConnection, domain: str, body: AnswerBody, claimed: Collection[str]) -> str:
        """Why an answer is not believed, for the operator; empty where it is.

        domain: the one that was asked about, as the name has it. claimed: all domains that some agent answers for by name.
        """
        account, allowed = body.subject, connection.allowed
        if account is None:
            return "a success without an account" if body.outcome is Outcome.SUCCESS else ""
        if body.identity is not None and allowed is not None:
            for name in names_in(body.identity):
                if name in allowed:  # as it is, nearly always: folding costs more than all the rest
                    continue
                folded = fold_domain(name)
                if folded and folded not in allowed and not self._is_rest(folded, allowed, claimed):
                    advice = f"enrol it with `--domain {folded}` too, if it should"
                    text = f"its answer contains a user of {folded}, which it may not answer for; {advice}"
                    return self._reject(connection, text)
        if self._directories.get(domain) == account.directory and domain in connection.domains:
            return ""
        try:
            reason = await self._bind(connection, domain, account)
        except StoreError as error:
            return f"its directory could not be bound to the domain: {error}"
        return reason and self._reject(
            connection, f"it names {_shown(account.directory)}, but {reason}; see `isthmus relay binding list`"
        )

    async def _bind(self, connection: AgentConnection, domain: str, account: AccountId) -> str:
        directory, allowed = account.directory, connection.allowed
        domains, more = asked_about(connection, domain)

        def allows(bound: Mapping[str, str]) -> bool:
            return not may_name(bound, directory, domains, allowed)

        reason = may_name(self._directories, directory, domains, allowed)
        if reason or any(self._directories.get(name) == directory for name in domains):
            return reason
        agent = connection.name
        everything = (*domains, *more)
        bound = await self._store.bindings.bind(everything, directory, by=agent, now=self._clock(), rule=allows)
        await self.load()
        if not bound:  # somebody else did, a moment ago
            return may_name(self._directories, directory, domains, allowed) or "the binding has just been changed"
        log.info("directory.bound", agent=agent, domains=domains, directory=directory)
        await self._record("directory.bound", domains[0], agent, directory)
        return ""

    async def _record(self, kind: str, domain: str, agent: str, directory: str) -> None:
        detail = {"detail": directory}
        event = AuditEvent(time=self._clock(), kind=kind, actor="relay", subject=domain, agent=agent, detail=detail)
        await self._store.audit.append(event)

    def _is_rest(self, domain: str, allowed: Collection[str], claimed: Collection[str]) -> bool:
        return REST in allowed and domain not in claimed and domain not in self._directories

    def _reject(self, connection: AgentConnection, reason: str) -> str:
        if not connection.spoke_for_others:
            connection.spoke_for_others = True
            fields = {"agent": connection.name, "address": connection.address, "detail": reason}
            self._alarm("agent.spoke_for_others", fields)
        return reason


def asked_about(connection: AgentConnection, domain: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The domains of which one must be bound to the directory in an answer, and those that are bound along with them.

    A name of no domain, or of one that nobody claims, is asked of agents that take such names: those have one directory,
    which is that of all their domains (`directory.Directories.domains`).
    """
    named = tuple(name for name in connection.domains if name != REST)
    if domain not in named:
        return named or (REST,), ()
    takes_rest = connection.opened is not None and REST in connection.opened.domains
    return (domain,), tuple(name for name in named if takes_rest and name != domain)


def names_in(identity: Identity) -> list[str]:
    """The domains that an identity speaks of: applications may go by them."""
    name = identity.user_name
    if not name.isascii():  # a wide @ or backslash is one to whoever folds it
        name = unicodedata.normalize("NFKC", name)
    netbios, _, user = name.rpartition("\\")
    suffix = user.rpartition("@")[2] if "@" in user else ""
    return [name for name in (identity.domain, netbios, suffix) if name]


def fold_domain(name: str) -> str:
    """A domain as it is compared: NFKC, lower case, no blanks around it, no dot of the root."""
    return unicodedata.normalize("NFKC", name).strip().strip(".").lower()


def _shown(directory: str) -> str:
    return f"directory {directory}" if directory else "a directory that does not say which one it is"
