"""The vocabulary: what a planner sees (`Snapshot`, `Record`), and what it answers (`Step`, made of `Act`s). Pure data.

`deploy` plans with the same words, so that one journal and one runner serve both.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from adfs_mgmt.farm import ExternalView, Farm
from adfs_mgmt.remoting import Command
from certs import Certificate, Partner

Facts = Mapping[str, str]
"""What a rollover must remember, by name: thumbprints before and after, settings as they were. Never a secret."""


# -- what is


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A federated domain, as Entra ID says. Its two slots are equal for validation."""

    name: str
    certificates: tuple[str, ...]
    """Thumbprints in its slots, one or two, `signingCertificate` first."""
    update_status: str = ""
    """Result of Entra ID's own last update (`signingCertificateUpdateStatus`); empty where it says none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that is known at one moment."""

    farm: Farm
    outside: ExternalView | None = None
    domains: tuple[Domain, ...] = ()
    partners: tuple[Partner, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read (Entra ID out of reach, say), in words: steps that need it are refused."""

    def certificate(self, thumbprint: str) -> Certificate | None:
        """Wherever it was seen, with its DER if it was seen anywhere."""
        best: Certificate | None = None
        for each in self._all():
            if each.thumbprint == thumbprint and (best is None or (each.der and not best.der)):
                best = each
                if best.der:
                    break
        return best

    def _all(self) -> Iterator[Certificate]:
        if self.outside:
            yield from self.outside.certificates.values()
        for node in self.farm.nodes:
            yield from (row.certificate for row in node.certificates)
            yield from (row.certificate for row in node.stored)
        for proxy in self.farm.proxies:
            yield from (row.certificate for row in proxy.stored)


# -- what was done


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the journal says of one piece of work."""

    id: str
    kind: str
    """`token`, `emergency`, `ssl`; `deploy` has kinds of its own."""
    farm: str
    started: float
    by: str
    facts: Facts = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    """Stages whose postcondition held, and when that was seen."""
    acted: Mapping[str, float] = field(default_factory=dict)
    """Acts that came back without an error, and when: `restart: node1: Restart-Service …`."""
    tries: Mapping[str, int] = field(default_factory=dict)
    """How often each act was begun."""
    begun: str = ""
    """The act that was begun and has not come back: its effect is unknown."""
    begun_at: float = 0.0
    acknowledged: Mapping[str, float] = field(default_factory=dict)
    """Partners that know the new certificate, gates that were opened, by a person, and when."""
    back: str = ""
    """How far a rollback is to go, `published` or `start`; empty on the way forward."""
    problem: str = ""
    """Why it stopped last."""
    finished: float = 0.0
    outcome: str = ""

    @property
    def open(self) -> bool:
        """Whether there is still something to be done."""
        return not self.finished


# -- what is to be done


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Put a certificate and its key into LocalMachine\\My of a host. The key is the runner's to find, not the planner's."""

    thumbprint: str

    def __str__(self) -> str:
        return f"import {self.thumbprint} with its key into LocalMachine\\My"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Put a certificate into the slot of a federated domain that does not hold `keep`."""

    domain: str
    thumbprint: str
    keep: str = ""

    def __str__(self) -> str:
        kept = f", {self.keep} stays" if self.keep else ""
        return f"domain {self.domain}: {self.thumbprint} into the free slot{kept}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Take a certificate out of a federated domain; `keep` must be in it and stays."""

    domain: str
    thumbprint: str
    keep: str

    def __str__(self) -> str:
        return f"domain {self.domain}: {self.thumbprint} out, {self.keep} stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that changes something somewhere."""

    host: str
    """`entra` for what Entra ID is told."""
    what: Command | Import | Publish | Withdraw

    @property
    def id(self) -> str:
        """Stable between runs, without secrets."""
        return f"{self.host}: {self.what}"

    def __str__(self) -> str:
        return self.id


class StepKind(enum.StrEnum):
    """What the next step is."""

    DO = "do"
    """Its acts are to be done."""
    NOTE = "note"
    """Its postcondition holds: write that down."""
    WAIT = "wait"
    """Nothing can be done until a time or a condition comes."""
    ASK = "ask"
    """A person must say something."""
    REFUSE = "refuse"
    """A precondition does not hold."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next thing, and why."""

    kind: StepKind
    stage: str = ""
    number: int = 0
    """Of the fact sheet's procedure: 0 preflight … 8 retire."""
    title: str = ""
    acts: tuple[Act, ...] = ()
    one_at_a_time: bool = False
    """Look again after each act: a rolling restart."""
    promise: str = ""
    """The postcondition, in words."""
    missing: tuple[str, ...] = ()
    """What of the postcondition does not hold yet, by place."""
    until: float = 0.0
    """Of a WAIT for a time: when it is over; 0 where a condition is waited for."""
    patience: float = 0.0
    """Of a WAIT for a condition: seconds after which it is no longer normal that it has not come."""
    reasons: tuple[str, ...] = ()
    """Of a REFUSE: every reason with its remedy. Of an ASK: what is asked."""
    ask: tuple[str, ...] = ()
    """Of an ASK: names that must be acknowledged."""
    undo: tuple[Act, ...] = ()
    facts: Facts = field(default_factory=dict)
    """Of a NOTE: what was learnt."""
    notes: tuple[str, ...] = ()
