"""The ledger of partners: who learns of a new certificate by itself, who must be told, and who has said that it knows.

    unknown ──classify──► automatic   reads our metadata at least every `refresh` seconds
                     └──► manual ──acknowledge(thumbprint)──► knows that certificate

Nobody can see from the farm whether a partner reads its metadata: AD FS's own monitoring is the other direction. So it is
written down here, one JSON file for each farm in `state_dir`, mode 0600. The ledger is data and pure changes of it;
`Ledgers` reads and writes it under a lock.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from adfs_mgmt.farm.model import RelyingParty
from adfs_mgmt.trust.errors import FileProblem, TrustError
from certs.errors import KeyStoreError
from certs.files import atomic_write, private_directory, read_private

VERSION = 1
_DAY = 86400.0


class Kind(enum.StrEnum):
    """How a partner learns of a new certificate."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Somebody said that a partner knows a certificate."""

    by: str
    at: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A relying party of the farm."""

    name: str
    """Of its trust in AD FS: unique in a farm."""
    identifiers: tuple[str, ...] = ()
    kind: Kind = Kind.UNKNOWN
    refresh: float = _DAY
    """Of an automatic one: seconds within which it has read our metadata anew."""
    contact: str = ""
    """Who is to be told, and how."""
    metadata_url: str = ""
    """Of its own metadata; empty where AD FS does not know it."""
    seen: tuple[str, ...] = ()
    """Thumbprints that its own metadata had when it was last read."""
    seen_at: float = 0.0
    acknowledged: Mapping[str, Acknowledgement] = field(default_factory=dict)
    """By thumbprint of our certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Of one farm."""

    farm: str
    partners: tuple[Partner, ...] = ()

    def partner(self, name: str) -> Partner:
        """By name or identifier, in any case. Raises TrustError."""
        wanted = name.lower()
        for each in self.partners:
            if wanted == each.name.lower() or wanted in map(str.lower, each.identifiers):
                return each
        known = ", ".join(each.name for each in self.partners) or "none yet"
        raise TrustError(f"farm {self.farm} has no partner {name!r}; known are: {known}")


def learn(ledger: Ledger, parties: Iterable[RelyingParty]) -> Ledger:
    """With what AD FS says now: new ones are unknown, those that are gone or disabled are left out, notes are kept. Pure.

    A trust that was renamed keeps its notes where an identifier is the same.
    """
    partners = []
    for party in parties:
        if party.enabled:
            before = _before(ledger, party) or Partner(name=party.name)
            partners.append(replace(before, name=party.name, identifiers=party.identifiers, metadata_url=party.metadata_url))
    return replace(ledger, partners=tuple(partners))


def classify(ledger: Ledger, name: str, kind: Kind, *, refresh: float | None = None, contact: str | None = None) -> Ledger:
    """Say how a partner learns. Pure. Raises TrustError."""
    partner = ledger.partner(name)
    changed = replace(
        partner,
        kind=kind,
        refresh=partner.refresh if refresh is None else refresh,
        contact=partner.contact if contact is None else contact,
    )
    return _with(ledger, partner, changed)


def acknowledge(ledger: Ledger, name: str, thumbprint: str, by: str, now: float) -> Ledger:
    """Say that a partner knows a certificate of ours. Pure. Raises TrustError."""
    partner = ledger.partner(name)
    known = {**partner.acknowledged, _thumbprint(thumbprint): Acknowledgement(by=by, at=now)}
    return _with(ledger, partner, replace(partner, acknowledged=known))


def lagging(ledger: Ledger, thumbprint: str, published_at: float, now: float) -> dict[str, str]:
    """Known partners that need not know a certificate yet, and why. Pure. Unknown ones are not among them: see `unknown`."""
    late = {}
    for each in ledger.partners:
        if thumbprint.upper() in each.acknowledged:
            continue
        if each.kind is Kind.MANUAL:
            late[each.name] = "nobody has said that it was told" + (f" (tell {each.contact})" if each.contact else "")
        if each.kind is Kind.AUTOMATIC and now < published_at + each.refresh:
            late[each.name] = f"reads our metadata every {each.refresh / 3600:g} h, and has not had the time"
    return late


def unknown(ledger: Ledger) -> tuple[str, ...]:
    """Those of whom nobody has said how they learn."""
    return tuple(each.name for each in ledger.partners if each.kind is Kind.UNKNOWN)


def saw(ledger: Ledger, name: str, thumbprints: Iterable[str], now: float) -> Ledger:
    """Note what a partner's own metadata has now. Pure."""
    partner = ledger.partner(name)
    return _with(ledger, partner, replace(partner, seen=tuple(thumbprints), seen_at=now))


class Ledgers:
    """The files."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    def load(self, farm: str) -> Ledger:
        """Empty where there is none yet. Raises FileProblem for one that is damaged: it is not started afresh."""
        path = self._path(farm)
        try:
            return _parsed(json.loads(read_private(path)), farm, path)
        except FileNotFoundError:
            return Ledger(farm=farm)
        except KeyStoreError as error:
            raise FileProblem(error.path, error.problem, error.remedy) from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FileProblem(path, "is no ledger of partners, or is damaged", "restore it, or move it away") from error

    @contextlib.contextmanager
    def changing(self, farm: str) -> Iterator[Box]:
        """Load, let the caller change `box.ledger`, save; alone, as far as this machine goes. Raises FileProblem."""
        self._prepare()
        with _locked(self._path(farm).with_suffix(".lock")):
            box = Box(self.load(farm))
            yield box
            self._save(box.ledger)

    def _prepare(self) -> None:
        try:
            private_directory(self._state_dir)
        except KeyStoreError as error:
            raise FileProblem(error.path, error.problem, error.remedy) from error

    def _save(self, ledger: Ledger) -> None:
        data = json.dumps(
            {"version": VERSION, "farm": ledger.farm, "partners": [_plain(each) for each in ledger.partners]}, indent=2
        )
        try:
            atomic_write(self._path(ledger.farm), data.encode() + b"\n")
        except KeyStoreError as error:
            raise FileProblem(error.path, error.problem, error.remedy) from error

    def _path(self, farm: str) -> Path:
        safe = "".join(each if each.isalnum() or each in "-_" else "_" for each in farm)
        return self._state_dir / f"partners-{safe}.json"


@dataclass(slots=True)
class Box:
    """A ledger that is being changed."""

    ledger: Ledger


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time; the lock goes with the process, however that ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            import fcntl
        except ImportError:  # Windows: the file is replaced as a whole, the last one wins
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FileProblem(path, "is in use by another administrator", "wait until that command has ended") from error
        yield
    finally:
        os.close(descriptor)


def _before(ledger: Ledger, party: RelyingParty) -> Partner | None:
    by_name = next((each for each in ledger.partners if each.name == party.name), None)
    return by_name or next((each for each in ledger.partners if set(each.identifiers) & set(party.identifiers)), None)


def _with(ledger: Ledger, before: Partner, after: Partner) -> Ledger:
    return replace(ledger, partners=tuple(after if each is before else each for each in ledger.partners))


def _thumbprint(text: str) -> str:
    found = text.replace(" ", "").replace(":", "").upper()
    if len(found) != 40 or not set(found) <= set("0123456789ABCDEF"):
        raise TrustError(f"{text[:60]!r} is no thumbprint: 40 hexadecimal digits, as `isthmus adfs status` shows them")
    return found


def _plain(partner: Partner) -> dict[str, Any]:
    return {
        "name": partner.name,
        "identifiers": list(partner.identifiers),
        "kind": partner.kind.value,
        "refresh": partner.refresh,
        "contact": partner.contact,
        "metadata_url": partner.metadata_url,
        "seen": list(partner.seen),
        "seen_at": partner.seen_at,
        "acknowledged": {name: {"by": each.by, "at": each.at} for name, each in partner.acknowledged.items()},
    }


def _parsed(content: Any, farm: str, path: Path) -> Ledger:
    if content["version"] != VERSION:
        problem = f"is of version {content['version']!r}; this program reads {VERSION}"
        raise FileProblem(path, problem, "use the program that wrote it")
    if content["farm"] != farm:
        raise FileProblem(path, f"is of farm {content['farm']!r}", f"move it away: it was looked for as {farm!r}'s")
    return Ledger(farm=farm, partners=tuple(_partner(each) for each in content["partners"]))


def _partner(value: Any) -> Partner:
    return Partner(
        name=str(value["name"]),
        identifiers=tuple(map(str, value["identifiers"])),
        kind=Kind(value["kind"]),
        refresh=float(value["refresh"]),
        contact=str(value["contact"]),
        metadata_url=str(value["metadata_url"]),
        seen=tuple(map(str, value["seen"])),
        seen_at=float(value["seen_at"]),
        acknowledged={
            name: Acknowledgement(by=str(each["by"]), at=float(each["at"])) for name, each in value["acknowledged"].items()
        },
    )
