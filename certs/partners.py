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
from typing import Any, Protocol

from certs.errors import KeyStoreError, PartnerUnknown
from certs.files import atomic_write, private_directory, read_private
from certs.thumbprint import normal_thumbprint, parse_thumbprint

VERSION = 1
MAX_LEDGER = 64 * 1024 * 1024
"""Bytes of the largest ledger that is read. A thousand partners have some 400,000, with acknowledgements twice that."""
_DAY = 86400.0


class PartnerKind(enum.StrEnum):
    """How a partner learns of a new certificate."""

    AUTOMATIC = "automatic"
    """It reads our metadata by itself, at least every `refresh` seconds."""
    MANUAL = "manual"
    """Somebody there must do something, and says so (or we find out)."""
    UNKNOWN = "unknown"
    """Nobody has said. It holds nothing up, and is named in every plan."""


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
    kind: PartnerKind = PartnerKind.UNKNOWN
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

    @property
    def knows(self) -> frozenset[str]:
        """Thumbprints of ours that somebody has said it knows."""
        return frozenset(self.acknowledged)


class TrustedParty(Protocol):
    """A relying-party trust, as whoever reads the farm has it."""

    @property
    def name(self) -> str:
        """Unique in a farm."""
        ...

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Of the relying party."""
        ...

    @property
    def enabled(self) -> bool:
        """A disabled one learns nothing, and needs to learn nothing."""
        ...

    @property
    def metadata_url(self) -> str:
        """Of its own metadata; empty where the farm does not know it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Of one farm. Every change is a new ledger; nothing here does I/O."""

    farm: str
    partners: tuple[Partner, ...] = ()

    def partner(self, name: str) -> Partner:
        """By name or identifier, in any case. Raises PartnerUnknown."""
        wanted = name.lower()
        for partner in self.partners:
            if wanted == partner.name.lower() or wanted in map(str.lower, partner.identifiers):
                return partner
        raise PartnerUnknown(self.farm, name, [partner.name for partner in self.partners])

    def learn(self, parties: Iterable[TrustedParty]) -> Ledger:
        """With what the farm says now: new ones are unknown, those that are gone or disabled are left out, notes are kept.

        A trust that was renamed keeps its notes where an identifier is the same.
        """
        partners = [self._learnt(party) for party in parties if party.enabled]
        return replace(self, partners=tuple(partners))

    def classify(self, name: str, kind: PartnerKind, *, refresh: float | None = None, contact: str | None = None) -> Ledger:
        """Say how a partner learns. Raises PartnerUnknown."""
        partner = self.partner(name)
        changed = replace(
            partner,
            kind=kind,
            refresh=partner.refresh if refresh is None else refresh,
            contact=partner.contact if contact is None else contact,
        )
        return self._with(partner, changed)

    def acknowledge(self, name: str, thumbprint: str, by: str, now: float) -> Ledger:
        """Say that a partner knows a certificate of ours. Raises PartnerUnknown, ThumbprintMalformed."""
        partner = self.partner(name)
        known = {**partner.acknowledged, parse_thumbprint(thumbprint): Acknowledgement(by=by, at=now)}
        return self._with(partner, replace(partner, acknowledged=known))

    def note_metadata(self, name: str, thumbprints: Iterable[str], now: float) -> Ledger:
        """Note which certificates a partner's own metadata has now. Raises PartnerUnknown."""
        partner = self.partner(name)
        return self._with(partner, replace(partner, seen=tuple(thumbprints), seen_at=now))

    def lagging(self, thumbprint: str, published_at: float, now: float) -> dict[str, str]:
        """Known partners that need not know a certificate yet, and why. Unknown ones are not among them: see `unknown`."""
        late = {}
        for partner in self.partners:
            if normal_thumbprint(thumbprint) in partner.acknowledged:
                continue
            if partner.kind is PartnerKind.MANUAL:
                contact = f" (contact: {partner.contact})" if partner.contact else ""
                late[partner.name] = f"not acknowledged yet{contact}"
            if partner.kind is PartnerKind.AUTOMATIC and now < published_at + partner.refresh:
                late[partner.name] = (
                    f"reads our metadata every {partner.refresh / 3600:g} h, and that time has not passed yet"
                )
        return late

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of those of whom nobody has said how they learn."""
        return tuple(partner.name for partner in self.partners if partner.kind is PartnerKind.UNKNOWN)

    def _learnt(self, party: TrustedParty) -> Partner:
        same_name = next((partner for partner in self.partners if partner.name == party.name), None)
        renamed = (partner for partner in self.partners if set(partner.identifiers) & set(party.identifiers))
        before = same_name or next(renamed, None) or Partner(name=party.name)
        return replace(before, name=party.name, identifiers=party.identifiers, metadata_url=party.metadata_url)

    def _with(self, before: Partner, after: Partner) -> Ledger:
        return replace(self, partners=tuple(after if partner is before else partner for partner in self.partners))


class Ledgers:
    """The files."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    def load(self, farm: str) -> Ledger:
        """Empty where there is none yet. Raises KeyStoreError for one that is damaged: it is not started afresh."""
        path = self._path(farm)
        try:
            return _parsed(json.loads(read_private(path, most=MAX_LEDGER)), farm, path)
        except FileNotFoundError:
            return Ledger(farm=farm)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise KeyStoreError(path, "is not a ledger of partners, or is damaged", "restore it, or move it away") from error

    @contextlib.contextmanager
    def changing(self, farm: str) -> Iterator[LedgerEdit]:
        """Load, let the caller change `edit.ledger`, save; alone, as far as this machine goes. Raises KeyStoreError."""
        private_directory(self._state_dir)
        with _locked(self._path(farm).with_suffix(".lock")):
            edit = LedgerEdit(self.load(farm))
            yield edit
            self._save(edit.ledger)

    def _save(self, ledger: Ledger) -> None:
        data = json.dumps(
            {"version": VERSION, "farm": ledger.farm, "partners": [_plain(partner) for partner in ledger.partners]}, indent=2
        )
        atomic_write(self._path(ledger.farm), data.encode() + b"\n")

    def _path(self, farm: str) -> Path:
        safe = "".join(character if character.isalnum() or character in "-_" else "_" for character in farm)
        return self._state_dir / f"partners-{safe}.json"


@dataclass(slots=True)
class LedgerEdit:
    """A ledger that is being changed."""

    ledger: Ledger


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time; the lock goes with the process, however that ends."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise KeyStoreError(path, f"cannot be opened ({error.strerror})", "it must be a file of ours") from error
    try:
        try:
            import fcntl
        except ImportError:  # Windows: the file is replaced as a whole, the last one wins
            yield
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KeyStoreError(
                path, "is in use by another administrator", "wait until that command has finished"
            ) from error
        yield
    finally:
        os.close(descriptor)


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
        "acknowledged": {name: {"by": said.by, "at": said.at} for name, said in partner.acknowledged.items()},
    }


def _parsed(content: Any, farm: str, path: Path) -> Ledger:
    if content["version"] != VERSION:
        problem = f"is of version {content['version']!r}; this program reads {VERSION}"
        raise KeyStoreError(path, problem, "use the program that wrote it")
    if content["farm"] != farm:
        raise KeyStoreError(
            path, f"is of farm {content['farm']!r}", f"move it away: the ledger of {farm!r} was expected here"
        )
    return Ledger(farm=farm, partners=tuple(_partner(partner) for partner in content["partners"]))


def _partner(value: Any) -> Partner:
    return Partner(
        name=str(value["name"]),
        identifiers=tuple(map(str, value["identifiers"])),
        kind=PartnerKind(value["kind"]),
        refresh=float(value["refresh"]),
        contact=str(value["contact"]),
        metadata_url=str(value["metadata_url"]),
        seen=tuple(map(str, value["seen"])),
        seen_at=float(value["seen_at"]),
        acknowledged={
            name: Acknowledgement(by=str(said["by"]), at=float(said["at"])) for name, said in value["acknowledged"].items()
        },
    )
