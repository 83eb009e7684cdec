"""A plan as a file: JSON lines, for people and programs, of any size.

    header                what it is, what it was made from (`marks`), counts, causes, stops
    operation …           in the order of writes: an operation's place among them is its id
    problem, rewritten …
    footer                number of lines, and a digest of every byte before it

`PlanWriter` holds no operation in memory but those of unique values that move: lines are laid aside in one unnamed file for
each phase, and joined at the end. What is at the path is a whole plan, or what was there before.

The digest makes every byte show that was changed, left out, added or exchanged. Made with the state's key, it cannot be
computed anew by somebody who does not have the state. That a plan was applied already is not seen from its file: the world
has moved then.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import msgspec
from msgspec import structs

from certs import sync_directory
from sync.model import AccountOperation, OperationKind
from sync.plan.causes import CauseTable
from sync.plan.entries import PlanEntry, PlanLine, PlanPhase
from sync.plan.errors import PlanDamaged, PlanNotWritten
from sync.plan.guard import GuardStop
from sync.plan.header import CAUSES_LISTED, PLAN_FORMAT, PLAN_VERSION, PlanFooter, PlanHeader
from sync.plan.lines import LINE_LIMIT, LineDamaged, decode_line, encode_line
from sync.plan.order import MoveFinder, UniqueAttributes, ordered_moves, phase_of

_EDITED: Final = "was changed after it was made, or is damaged: its digest does not fit"
_NO_PLAN: Final = "is not a plan of synchronisation, or is damaged"
_NOTES: Final = "notes"
"""Where problems and rewritten values are laid aside."""
_PLACES: Final = (*PlanPhase, _NOTES)


class PlanWriter:
    """Takes what is planned in any order, and writes it in the order of writes. A context manager; without `finish`,
    nothing is left behind."""

    def __init__(self, path: Path, unique: UniqueAttributes, *, key: bytes = b"") -> None:
        """key: of the digest, at most 64 bytes; without one it guards against accidents only. Raises PlanNotWritten."""
        self._path, self._unique, self._key = path, unique, key
        self._finder, self._causes = MoveFinder(unique), CauseTable()
        self._counts: dict[str, Counter[str]] = {}
        self._spools: dict[str, IO[bytes]] = {}
        self._lines: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for spool in self._spools.values():
            with contextlib.suppress(OSError):  # a full disk: what could not be written is not wanted any more
                spool.close()

    def add(self, line: PlanLine) -> None:
        """One operation, held or not, one problem, or one rewritten value. Raises PlanNotWritten."""
        if not isinstance(line, PlanEntry):
            self._lay_aside(_NOTES, line)
            self._lines[type(line).__name__] += 1
            return
        phase = PlanPhase.HELD if line.held else phase_of(line.operation)
        if not line.held:
            index = self._lines[phase] * len(_PLACES) + _PLACES.index(phase)
            self._finder.note(index, line.operation)
            self._count(line, 1)
        self._causes.add(line)
        self._lines[phase] += 1
        self._lay_aside(phase, structs.replace(line, phase=phase))

    def finish(
        self, plan: str, *, made_at: float, made_by: str, marks: Mapping[str, str], stops: tuple[GuardStop, ...] = ()
    ) -> PlanHeader:
        """Write the file, mode 0600, in place of what is at its path. plan: its identifier. Raises PlanNotWritten."""
        moving, duplicates = self._finder.moves(), self._finder.duplicates()
        moves = self._moves({index for index in moving if index not in duplicates})
        named = self._named(duplicates)
        causes = self._causes.rows()
        header = PlanHeader(
            id=plan,
            made_at=made_at,
            made_by=made_by,
            marks=dict(marks),
            operations={target: _counted(kinds) for target, kinds in sorted(self._counts.items())},
            held=self._lines[PlanPhase.HELD] + len(duplicates),
            problems=self._lines["AccountProblem"],
            rewritten=self._lines["RewrittenValue"],
            causes=causes[:CAUSES_LISTED],
            causes_count=len(causes),
            stops=stops,
        )
        try:
            self._write(header, moves, duplicates, named, {*moving, *duplicates})
        except OSError as error:
            raise PlanNotWritten(self._path, str(error.strerror)) from error
        return header

    def _count(self, entry: PlanEntry, number: int) -> None:
        operation = entry.operation
        self._counts.setdefault(operation.target, Counter())[operation.kind] += number

    def _lay_aside(self, place: str, line: PlanLine) -> None:
        try:
            if place not in self._spools:
                self._spools[place] = tempfile.TemporaryFile(dir=self._path.parent)  # closed by __exit__  # noqa: SIM115
            self._spools[place].write(encode_line(line))
        except LineDamaged as error:
            person = line.operation.person if isinstance(line, PlanEntry) else line.person
            raise PlanNotWritten(self._path, f"person {person}: {error}") from error
        except OSError as error:
            raise PlanNotWritten(self._path, str(error.strerror)) from error

    def _laid_aside(self, place: str) -> Iterator[tuple[int, bytes]]:
        """Lines with their index."""
        if place in self._spools:
            spool, number = self._spools[place], _PLACES.index(place)
            spool.seek(0)
            for at, text in enumerate(spool):
                yield at * len(_PLACES) + number, text

    def _chosen(self, wanted: set[int]) -> Iterator[tuple[int, PlanEntry]]:
        if not wanted:
            return
        for phase in PlanPhase:
            for index, text in self._laid_aside(phase):
                if index in wanted:
                    yield index, _entry(text)

    def _moves(self, wanted: set[int]) -> list[PlanEntry]:
        found = [entry for _, entry in self._chosen(wanted)]
        entries = {_identity(entry.operation): entry for entry in found}
        moves = []
        for operation in ordered_moves([entry.operation for entry in found], self._unique):
            entry = structs.replace(entries[_identity(operation)], operation=operation, phase=PlanPhase.MOVES)
            if operation.temporary:
                self._count(entry, 1)
            moves.append(entry)
        return moves

    def _named(self, duplicates: Mapping[int, int]) -> dict[int, str]:
        """Whom others are in the way of. They are counted no longer."""
        others, named = set(duplicates.values()), {}
        for index, entry in self._chosen(set(duplicates)):
            self._count(entry, -1)
            if index in others:
                named[index] = f"{entry.name or 'another'} (person {entry.operation.person})"
        return named

    def _write(
        self,
        header: PlanHeader,
        moves: list[PlanEntry],
        duplicates: Mapping[int, int],
        named: Mapping[int, str],
        placed: set[int],
    ) -> None:
        with _replacement(self._path) as file:
            output = _Output(file, self._key)
            output.write(msgspec.json.encode(header) + b"\n")
            for phase in PlanPhase:
                if phase is PlanPhase.MOVES:
                    for entry in moves:
                        output.write(encode_line(entry))
                for index, text in self._laid_aside(phase):
                    if index not in placed:
                        output.write(text)
            for index, entry in self._chosen(set(duplicates)):
                output.write(encode_line(self._duplicate(entry, named[duplicates[index]])))
            for _, text in self._laid_aside(_NOTES):
                output.write(text)
            file.write(msgspec.json.encode(PlanFooter(lines=output.lines, digest=output.digest)) + b"\n")

    def _duplicate(self, entry: PlanEntry, other: str) -> PlanEntry:
        """Two are to get the same value: neither does, until somebody decides."""
        attributes = sorted({*entry.operation.set} & {*self._unique[entry.operation.target]})
        why = f"DuplicateInSource: {other} is to get the same value ({', '.join(attributes)})"
        return structs.replace(entry, phase=PlanPhase.HELD, held=why)


class PlanFile:
    """A plan that was written, read in pieces. Its bytes were checked when it was opened, and are in each pass."""

    def __init__(self, path: Path, *, key: bytes = b"") -> None:
        """key: as for `PlanWriter`. Raises PlanDamaged."""
        self._path, self._key = path, key
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise PlanDamaged(path, f"cannot be read ({error.strerror})") from error
        try:
            self.header = self._checked_header()
            for _ in self._texts():
                pass
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def lines(self) -> Iterator[PlanLine]:
        """Operations in the order of writes, held ones behind them, then problems and rewritten values. Raises PlanDamaged
        if the file is being changed."""
        number = 0
        for text in self._texts():
            line = self._decoded(text)
            if isinstance(line, PlanEntry):
                number += 1
                line = structs.replace(line, operation=structs.replace(line.operation, id=number))
            yield line

    def entries(self) -> Iterator[PlanEntry]:
        """Operations that are to be written, in their order."""
        for line in self.lines():
            if isinstance(line, PlanEntry) and not line.held:
                yield line

    def _checked_header(self) -> PlanHeader:
        text = self._line()
        try:
            content = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PlanDamaged(self._path, _NO_PLAN) from error
        if not isinstance(content, dict) or content.get("format") != PLAN_FORMAT:
            raise PlanDamaged(self._path, _NO_PLAN)
        if (version := content.get("version")) != PLAN_VERSION:
            raise PlanDamaged(self._path, f"is a plan of version {version!r:.20}; this Isthmus knows {PLAN_VERSION}")
        try:
            return msgspec.convert(content, PlanHeader)
        except (msgspec.ValidationError, RecursionError) as error:
            raise PlanDamaged(self._path, f"{_NO_PLAN} ({error})") from error

    def _texts(self) -> Iterator[bytes]:
        """Lines between header and footer. What is yielded is checked only when all were."""
        self._file.seek(0)
        digest = _digest(self._key)
        text, count = self._line(), 1
        digest.update(text)
        text = self._line()
        while following := self._line():
            digest.update(text)
            count += 1
            yield text
            text = following
        try:
            footer = msgspec.json.decode(text, type=PlanFooter)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PlanDamaged(
                self._path, "is cut off or was changed: its last line is not the one that ends a plan"
            ) from error
        if footer.digest != digest.hexdigest() or footer.lines != count:
            raise PlanDamaged(self._path, _EDITED)

    def _line(self) -> bytes:
        text = self._file.readline(LINE_LIMIT + 1)
        if len(text) > LINE_LIMIT:
            raise PlanDamaged(self._path, _NO_PLAN)
        return text

    def _decoded(self, text: bytes) -> PlanLine:
        try:
            return decode_line(text)
        except LineDamaged as error:  # the digest fits: another release wrote it, or somebody who has the key
            raise PlanDamaged(self._path, f"{_NO_PLAN} ({error})") from error


def _entry(text: bytes) -> PlanEntry:
    line = decode_line(text)
    if not isinstance(line, PlanEntry):
        raise TypeError(f"{type(line).__name__} among operations")
    return line


class _Output:
    """Counts and digests what is written."""

    def __init__(self, file: IO[bytes], key: bytes) -> None:
        self._file, self._digest = file, _digest(key)
        self.lines = 0

    @property
    def digest(self) -> str:
        return str(self._digest.hexdigest())

    def write(self, text: bytes) -> None:
        self._file.write(text)
        self._digest.update(text)
        self.lines += 1


def _counted(kinds: Counter[str]) -> dict[str, int]:
    return {kind: number for kind, number in sorted(kinds.items()) if number}


def _digest(key: bytes) -> Any:
    return hashlib.blake2b(key=key, digest_size=32)


def _identity(operation: AccountOperation) -> tuple[str, int, OperationKind]:
    return operation.target, operation.person, operation.kind


@contextlib.contextmanager
def _replacement(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of another one when it is whole. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync_directory(path.parent)
