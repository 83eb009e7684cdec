"""Trust files of a folder, for configuration management: read into the store, as a duty.

    look ──► stamps ──(the same as at the last look)──► read ──(another digest than the store's)──► next version
                   └──(gone at two looks)──► disabled, never removed

A file that is being written is left until it has the same stamp at two looks: half a file can be a whole trust, with
everything permitted that stands in the other half. A mistake leaves the trust as it was, and the other files go on.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from foundation.file_stamps import FileStamp, stamp_of
from gateway.federation.trusts.changes import LARGEST, MOST, plan_change, read_document
from gateway.federation.trusts.dependents import end_dependents
from gateway.federation.trusts.errors import TrustActRefused, TrustUnusable
from gateway.federation.trusts.model import Trust
from gateway.federation.trusts.registry import TrustRegistry
from gateway.housekeeping import Housekeeping, Sleep
from gateway.store import AuditEvent, DutyLease, Store, StoreError, TrustRecord
from settings import UnusableFile, read_regular

log = structlog.get_logger()

INTERVAL = 5.0
"""Seconds between two looks: a file is in force after two of them."""
LEASE = 60.0
"""Seconds; of the duty, which is taken only where something has to be written."""
ACTOR = "relay"
REMOVED = "its file was removed"


@dataclass(frozen=True, slots=True)
class TrustFile:
    """What was read of a file."""

    stamp: FileStamp
    content: bytes = b""
    trust: Trust | None = None
    problem: str = ""

    @property
    def digest(self) -> bytes:
        """Of its content."""
        return hashlib.sha256(self.content).digest()


class TrustFolder:
    """Follows a folder. registry: this node's copy of the trusts. clock: Unix seconds."""

    def __init__(self, folder: Path, store: Store, registry: TrustRegistry, clock: Callable[[], float]) -> None:
        self._folder, self._store, self._registry, self._clock = folder, store, registry, clock
        self._holder = f"{store.node}-{secrets.token_hex(4)}"
        self._stamps: Mapping[str, FileStamp] | None = None
        self._files: dict[str, TrustFile] = {}
        self._told: dict[str, tuple[FileStamp, str]] = {}
        self._found: dict[str, str] = {}
        self.problems: Mapping[str, str] = {}
        """Why a file is not in force, by name, as of the last look; the folder itself as the empty name."""

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Look again and again, for as long as the relay serves."""

        async def keep_looking() -> None:
            while True:
                await sleep(INTERVAL)
                try:
                    await self.look()
                except StoreError as error:
                    log.warning("trust_files.not_kept", error=str(error))

        housekeeping.beside("relay-trust-files", keep_looking)

    async def look(self) -> None:
        """Read what has changed and is whole. Raises StoreError; then the next look tries again."""
        stamps = await asyncio.to_thread(_stamps, self._folder)
        before, self._stamps = self._stamps, stamps
        if stamps is None:
            log.error("trust_files.no_folder", folder=str(self._folder))  # a disk that is not there disables nothing
            self.problems = {"": _no_folder(self._folder)}
            return
        settled = {name: stamp for name, stamp in stamps.items() if before and before.get(name) == stamp}
        self._files = {name: file for name, file in self._files.items() if name in stamps}
        for name, stamp in settled.items():
            if name not in self._files or self._files[name].stamp != stamp:
                self._files[name] = await asyncio.to_thread(_read, self._folder / name, stamp)
        gone = [] if before is None else list(self._gone({*stamps, *before}))
        self._found = {}
        finished = await self._apply(settled, gone)
        unseen = {_told_as(name) for name in stamps if name not in settled or not finished}
        self.problems = {name: problem for name, problem in self.problems.items() if name in unseen} | self._found

    def _gone(self, names: set[str]) -> Iterator[TrustRecord]:
        """Trusts whose files are in neither of two looks."""
        for record in self._registry.records.values():
            if record.origin.startswith("file:") and not record.disabled and record.origin[5:] not in names:
                yield record

    async def _apply(self, settled: Mapping[str, FileStamp], gone: list[TrustRecord]) -> bool:
        """False where another node does it: then what hinders a file is not seen here."""
        due = [name for name in sorted(settled) if self._is_due(name)]
        if not due and not gone:
            return True
        now = self._clock()
        lease = await self._store.duties.take("trust files", self._holder, now=now, until=now + LEASE)
        if lease is None:
            return False
        try:
            await self._registry.load()
            for name in due:
                if self._is_due(name):  # another node may have done it meanwhile
                    await self._keep(name, lease)
            for record in gone:
                await self._disable(record.id, lease)
            await self._registry.load()
        finally:
            await self._store.duties.give_up(lease)
        return True

    def _is_due(self, name: str) -> bool:
        """Whether what a file says is not what is in force."""
        file = self._files[name]
        if file.trust is None:
            self._tell(name, file.problem)
            return False
        record, parsed = self._registry.records.get(file.trust.id), self._registry.parsed.get(file.trust.id)
        if record is None or parsed is None:
            return True
        if record.origin != f"file:{name}" and not record.disabled:
            self._tell(name, f"id: the trust {record.id} was added by command; remove it, or choose another id")
            return False
        return bool(record.disabled) or parsed.digest != file.digest

    async def _keep(self, name: str, lease: DutyLease) -> None:
        file = self._files[name]
        if file.trust is None:
            return
        before = await self._store.trusts.get(file.trust.id)
        if before is None and len(self._registry.records) >= MOST:
            self._tell(name, f"there are {MOST} trusts already")
            return
        try:
            change = plan_change(file.trust, file.content, before, self._registry.parsed)
        except TrustActRefused as error:
            self._tell(name, str(error))
            return
        if before is None:
            await end_dependents(self._store, file.trust.id)
        now, origin, unit = self._clock(), f"file:{name}", self._store.unit()
        unit.hold(lease)
        unit.put_trust(change.record(origin, now, ACTOR))
        unit.record(change.event(now, ACTOR, origin))
        await unit.commit()
        await self._registry.load()  # the next file may want a name that this one gave up
        if not file.trust.enabled:
            await end_dependents(self._store, file.trust.id)
        log.info("trust_file.read", file=name, trust=file.trust.id, version=change.version)

    async def _disable(self, trust_id: str, lease: DutyLease) -> None:
        before = await self._store.trusts.get(trust_id)
        if before is None or before.disabled:
            return
        now, unit = self._clock(), self._store.unit()
        next_version = before.version + 1
        unit.hold(lease)
        unit.put_trust(replace(before, version=next_version, disabled=REMOVED, changed_at=now, changed_by=ACTOR))
        detail = {"version": str(next_version), "origin": before.origin, "detail": REMOVED}
        unit.record(AuditEvent(time=now, kind="trust.disabled", actor=ACTOR, subject=trust_id, detail=detail))
        await unit.commit()
        await end_dependents(self._store, trust_id)
        log.warning("trust_file.removed", trust=trust_id, origin=before.origin)

    def _tell(self, name: str, problem: str) -> None:
        """In the log once for each state of a file."""
        self._found[_told_as(name)] = _told_as(problem)
        told = (self._files[name].stamp, problem)
        if self._told.get(name) != told:
            self._told[name] = told
            log.error("trust_file.unusable", file=str(self._folder / name), problem=problem)


def file_problems(folder: Path) -> dict[str, str]:
    """What is wrong with the files themselves, as `TrustFolder.problems`, where no relay follows the folder. Blocks."""
    stamps = _stamps(folder)
    if stamps is None:
        return {"": _no_folder(folder)}
    files = {name: _read(folder / name, stamp) for name, stamp in stamps.items()}
    return {_told_as(name): _told_as(file.problem) for name, file in sorted(files.items()) if file.problem}


def _told_as(text: str) -> str:
    """A file's name may be no UTF-8 (PEP 383), and JSON is."""
    return text.encode(errors="backslashreplace").decode()


def _no_folder(folder: Path) -> str:
    return f"{folder} cannot be listed: create it, or correct server.federation.trusts_dir; no trust was disabled"


def read_trust_file(path: Path) -> tuple[bytes, Trust]:
    """A trust file: its content and what it says. The file is named after the trust. Raises TrustUnusable."""
    try:
        content, _ = read_regular(path, LARGEST)
    except UnusableFile as error:
        raise TrustUnusable(str(error)) from error
    trust = read_document(content, path)
    if path.name != f"{trust.id}.toml":
        raise TrustUnusable(
            f"{path} cannot be used:\n  id: is {trust.id!r}; name the file {trust.id}.toml, or change the id"
        )
    return content, trust


def _stamps(folder: Path) -> dict[str, FileStamp] | None:
    """None where the folder is not there."""
    try:
        paths = [path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith(".")]
    except OSError:
        return None
    return {path.name: stamp for path in paths if (stamp := stamp_of(path)) is not None}


def _read(path: Path, stamp: FileStamp) -> TrustFile:
    try:
        content, trust = read_trust_file(path)
    except TrustUnusable as error:
        return TrustFile(stamp, problem=str(error))
    if stamp_of(path) != stamp:  # written to meanwhile: the next look sees another stamp
        return TrustFile(stamp, problem=f"{path} was changed while it was read")
    return TrustFile(stamp, content, trust)
