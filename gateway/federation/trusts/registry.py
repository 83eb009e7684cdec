"""The trusts as this node serves them.

Kind of state: a copy of the store's, by the generation `trusts`. A change on any node is known here within the time of one
look (`gateway.store.Generations`) and of one reading; only documents that changed are parsed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from gateway.federation.claims import wanted_attributes
from gateway.federation.trusts.model import Trust
from gateway.federation.trusts.reader import read_trust
from gateway.store import TrustRecord, TrustStore
from settings import SettingsFileError

log = structlog.get_logger()

MOST_ATTRIBUTES = 64
"""That one look-up asks for (`gateway.protocol.bodies.AttributeNames`)."""


@dataclass(frozen=True, slots=True)
class ParsedTrust:
    """What came of a document."""

    digest: bytes
    trust: Trust | None
    problem: str = ""
    """Why it is no trust."""
    attributes: frozenset[str] = frozenset()
    """Names of those that its claims are made of."""


class TrustRegistry:
    """Finds trusts. Those that are disabled, or whose document this release cannot read, are not found."""

    def __init__(self, store: TrustStore) -> None:
        self._store = store
        self._loading = asyncio.Lock()
        self._parsed: dict[str, ParsedTrust] = {}
        self._records: Mapping[str, TrustRecord] = {}
        self._by_id: Mapping[str, Trust] = {}
        self._by_client: Mapping[str, Trust] = {}
        self._by_party: Mapping[str, Trust] = {}
        self._attributes: tuple[str, ...] = ()

    async def load(self) -> list[TrustRecord]:
        """Read what has changed; every trust's record, by id. Raises StoreError; then what was known before stays."""
        async with self._loading:  # or an older reading could end last
            records = await self._store.all()
            self._parsed = await asyncio.to_thread(_parse_changed, records, self._parsed)
            self._records = {record.id: replace(record, document=b"") for record in records}
            self._serve(records)
            return records

    def all(self) -> tuple[Trust, ...]:
        """By id."""
        return tuple(self._by_id.values())

    def get(self, trust_id: str) -> Trust | None:
        """By its id."""
        return self._by_id.get(trust_id)

    def client(self, client_id: str) -> Trust | None:
        """The OpenID Connect client of that identifier."""
        return self._by_client.get(client_id)

    def party(self, entity_id: str) -> Trust | None:
        """The SAML party of that entity ID."""
        return self._by_party.get(entity_id)

    def attributes(self) -> tuple[str, ...]:
        """Of a person, those that the claims of any trust are made of: what a look-up asks for. 64 at most."""
        return self._attributes

    @property
    def parsed(self) -> Mapping[str, ParsedTrust]:
        """What came of every document, by id: of disabled trusts, too."""
        return self._parsed

    @property
    def records(self) -> Mapping[str, TrustRecord]:
        """Every trust's record, by id, without its document."""
        return self._records

    def problems(self) -> Mapping[str, str]:
        """Why a trust cannot be read, by id."""
        return {name: parsed.problem for name, parsed in self._parsed.items() if parsed.problem}

    def _serve(self, records: Sequence[TrustRecord]) -> None:
        served = [
            parsed.trust
            for record in records
            if not record.disabled and (parsed := self._parsed[record.id]).trust is not None and parsed.trust.enabled
        ]
        self._by_id = {trust.id: trust for trust in sorted(served, key=lambda trust: trust.id)}
        self._by_client = _index(served, "oidc", lambda trust: trust.client_id)
        self._by_party = _index(served, "saml", lambda trust: trust.saml.entity_id)
        self._attributes = _bounded({name for trust in served for name in self._parsed[trust.id].attributes})


def parse_record(record: TrustRecord) -> ParsedTrust:
    """The trust of a record, or why there is none."""
    digest = hashlib.sha256(record.document).digest()
    try:
        trust = read_trust(record.document, Path(f"{record.id}.toml"))
    except SettingsFileError as error:
        return ParsedTrust(digest, None, str(error))
    if trust.id != record.id:
        return ParsedTrust(digest, None, f"its document is of the trust {trust.id}")
    scopes = frozenset(trust.oidc.scopes)
    return ParsedTrust(digest, trust, attributes=wanted_attributes(trust.claims, trust.protocol, scopes))


def _parse_changed(records: Iterable[TrustRecord], before: Mapping[str, ParsedTrust]) -> dict[str, ParsedTrust]:
    """Beside the event loop: a thousand documents take a second."""
    parsed = {}
    for record in records:
        known = before.get(record.id)
        if known is None or known.digest != hashlib.sha256(record.document).digest():
            known = parse_record(record)
            if known.problem:
                log.error("trust.unreadable", trust=record.id, version=record.version, problem=known.problem)
        parsed[record.id] = known
    return parsed


def _bounded(names: Iterable[str]) -> tuple[str, ...]:
    """Each once, whatever its case, and no more than one look-up takes; the others stay as they were at the sign-in."""
    by_folded = {name.lower(): name for name in sorted(names)}
    wanted = tuple(by_folded[folded] for folded in sorted(by_folded))
    if len(wanted) > MOST_ATTRIBUTES:
        log.warning("trusts.too_many_attributes", most=MOST_ATTRIBUTES, left_out=wanted[MOST_ATTRIBUTES:])
    return wanted[:MOST_ATTRIBUTES]


def _index(trusts: Iterable[Trust], protocol: str, key: Callable[[Trust], str]) -> dict[str, Trust]:
    """By a name that must be one trust's. Where two have it, it is nobody's: a guess could send codes to the wrong one."""
    index: dict[str, Trust] = {}
    double: dict[str, list[str]] = {}
    for trust in trusts:
        if trust.protocol != protocol or not (name := key(trust)):
            continue
        other = index.setdefault(name, trust)
        if other is not trust:
            double.setdefault(name, [other.id]).append(trust.id)
    for name, claimants in double.items():
        log.error("trust.name_claimed_twice", name=name, trusts=claimants)
        del index[name]
    return index
