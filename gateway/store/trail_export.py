"""An export of the audit trail: its entries in a file, as they were checked, with what is needed to check them again.

Each line has an entry twice: its fields to read, and the bytes that the chain covers (`facts`, `personal`, `salt`) with
the hash before it and its own. The last line says what was exported, under a seal of the relay over everything before it.
To check an export each line is made anew from the covered bytes, and has to be the same to the byte: a field that says
something else shows, and one that is there twice, or that no export has.

    jsonl   one JSON object a line; the last has `export` in the place of `id`
    csv     the same as columns; what a spreadsheet would take for a formula begins with an apostrophe. The last row has
            `export` and the same JSON

That is all: no key is in it, and only who has the relay's keys can check it.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal

import msgspec

from gateway.store.audit import AuditReport, CheckedEntry, event_fields
from gateway.store.chain import digest_of, link, open_event
from gateway.store.errors import ExportBroken
from gateway.store.keyring import Keyring

ExportForm = Literal["jsonl", "csv"]

USE = "audit export"
"""Of the keyring."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
"""What a cell must not begin with; the apostrophe itself, so that one of ours can be told."""
_END = "export"


class ExportLine(msgspec.Struct, kw_only=True):
    """An entry in an export. Fields may be added, none may be renamed."""

    id: str
    """`<chain>-<number>`."""
    time: str
    """ISO 8601, UTC, to the microsecond."""
    kind: str
    actor: str
    subject: str
    directory: str
    object_guid: str
    outcome: str
    address: str
    agent: str
    controller: str
    correlation_id: str
    via: str
    milliseconds: float
    detail: dict[str, str]
    facts: str
    """What stands in the chain, to the byte."""
    personal: str | None
    """What stands beside it; None where it was removed."""
    salt: str | None
    digest: str
    """SHA-256 of salt and personal part."""
    previous: str
    """Hash of the entry before."""
    hash: str
    key_id: str
    """Of the chain's key."""
    node: str


class ExportEnd(msgspec.Struct, kw_only=True):
    """The last line."""

    export: int
    """Version of the format."""
    made_at: str
    since: str
    until: str
    entries: int
    """That are in the export."""
    trail_entries: int
    """That the trail had, of which all were checked."""
    removed: int
    pruned: int
    heads: list[str]
    """Where its chains ended: `<chain>-<number>:<hash>`."""
    key_id: str = ""
    seal: str = ""


class TrailExport:
    """Writes an export. since, until: Unix seconds; None for all. Raises what the file raises."""

    def __init__(
        self, file: BinaryIO, form: ExportForm, keyring: Keyring, since: float | None = None, until: float | None = None
    ) -> None:
        self._file, self._form, self._keyring = file, form, keyring
        self._since, self._until = since, until
        self._digest = hashlib.sha256()
        self.entries = 0
        """Written so far."""
        if form == "csv":
            self._write(_row(ExportLine.__struct_fields__))

    def take(self, entries: Sequence[CheckedEntry]) -> None:
        """Write those that are wanted."""
        for entry in entries:
            line = _line(entry)
            time = open_event(entry.facts, None).time
            if (self._since is None or time >= self._since) and (self._until is None or time < self._until):
                self._write(_RENDERERS[self._form](line))
                self.entries += 1

    def end(self, report: AuditReport, now: float) -> None:
        """Write the last line. report: of the check."""
        key = self._keyring.current(USE)
        end = ExportEnd(
            export=1,
            made_at=_moment(now),
            since=_moment(self._since) if self._since is not None else "",
            until=_moment(self._until) if self._until is not None else "",
            entries=self.entries,
            trail_entries=report.entries,
            removed=report.removed,
            pruned=report.pruned,
            heads=[head.noted for head in report.heads if head.seq],
            key_id=key.id,
        )
        end.seal = _seal(key.secret, self._digest.digest(), end)
        self._write(_RENDERERS[self._form](end))

    def _write(self, line: bytes) -> None:
        self._digest.update(line)
        self._file.write(line)


def check_export(file: BinaryIO, keyring: Keyring) -> ExportEnd:
    """Whether an export is what a relay with these keys wrote. Raises ExportBroken."""
    try:
        return _check(file, keyring)
    except UnicodeDecodeError as error:
        raise ExportBroken(1, "it is not UTF-8 text") from error


def _check(file: BinaryIO, keyring: Keyring) -> ExportEnd:
    digest, count, end = hashlib.sha256(), 0, None
    form, records = _read(file)
    if form == "csv":
        digest.update(_row(ExportLine.__struct_fields__))
    for number, (record, text) in enumerate(records, 1 if form == "jsonl" else 2):
        if end is not None:
            raise ExportBroken(number, "something follows the last line")
        rendered = _RENDERERS[form](record)
        problem = "" if isinstance(record, ExportEnd) else _problem(record, keyring)
        if problem or rendered != text.encode():  # a field twice, or one more: programs differ in which one they take
            raise ExportBroken(number, problem or "it is not written as a relay writes it")
        if isinstance(record, ExportEnd):
            end = record
            continue
        digest.update(rendered)
        count += 1
    if end is None:
        raise ExportBroken(count + 1, "the last line is missing: it was cut short")
    key = keyring.find(USE, end.key_id)
    if key is None:
        raise ExportBroken(count + 1, "it is sealed with a key that this relay does not have")
    if end.entries != count or not hmac.compare_digest(_seal(key.secret, digest.digest(), end), end.seal):
        raise ExportBroken(count + 1, "lines were changed, removed or added: the seal in the last one does not fit")
    return end


def _problem(line: ExportLine, keyring: Keyring) -> str:
    """What is wrong with a line by itself; empty for nothing."""
    try:
        chain, _, seq = line.id.partition("-")
        entry = CheckedEntry(
            chain=int(chain),
            seq=int(seq),
            node=line.node,
            key_id=line.key_id,
            before=bytes.fromhex(line.previous),
            facts=line.facts.encode(),
            personal=line.personal.encode() if line.personal is not None else None,
            salt=bytes.fromhex(line.salt) if line.salt is not None else None,
            digest=bytes.fromhex(line.digest),
            hash=bytes.fromhex(line.hash),
        )
        anew = _line(entry)
        if entry.seq < 1 or entry.seq >= 1 << 63:
            return "it is not an entry"
    except _UNREADABLE:
        return "it is not an entry"
    if anew != line:
        return f"the fields of entry {line.id} are not what its facts and personal part say"
    if entry.personal is not None and digest_of(entry.salt or b"", entry.personal) != entry.digest:
        return f"the personal part of entry {line.id} was changed"
    key = keyring.find("audit", line.key_id)
    if key is None:
        return f"the key of entry {line.id} is not in the keyring"
    if link(key.secret, entry.before, entry.seq, entry.digest, entry.facts) != entry.hash:
        return f"entry {line.id} was changed"
    return ""


def _line(entry: CheckedEntry) -> ExportLine:
    event = open_event(entry.facts, entry.personal)
    said = {**event_fields(event), "time": _moment(event.time)}
    return ExportLine(
        id=f"{entry.chain}-{entry.seq}",
        facts=entry.facts.decode(),
        personal=entry.personal.decode() if entry.personal is not None else None,
        salt=entry.salt.hex() if entry.salt is not None else None,
        digest=entry.digest.hex(),
        previous=entry.before.hex(),
        hash=entry.hash.hex(),
        key_id=entry.key_id,
        node=entry.node,
        **said,
    )


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seal(key: bytes, digest: bytes, end: ExportEnd) -> str:
    unsealed = msgspec.structs.replace(end, seal="")
    return hmac.digest(key, digest + msgspec.json.encode(unsealed), "sha256").hex()


# -- as JSON, as CSV


def _json_line(line: ExportLine | ExportEnd) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _csv_record(line: ExportLine | ExportEnd) -> bytes:
    if isinstance(line, ExportEnd):
        return _row([_END, msgspec.json.encode(line).decode()])
    return _row([_cell(getattr(line, name)) for name in ExportLine.__struct_fields__])


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


_RENDERERS: dict[ExportForm, Callable[[ExportLine | ExportEnd], bytes]] = {"jsonl": _json_line, "csv": _csv_record}
_UNREADABLE = (msgspec.MsgspecError, ValueError, IndexError, OverflowError, OSError, RecursionError, csv.Error)
"""What a file that somebody else made can come to: numbers that are no moment (OSError), nesting without end."""

_Record = tuple[ExportLine | ExportEnd, str]
"""A line, and how it is written."""


def _read(file: BinaryIO) -> tuple[ExportForm, Iterator[_Record]]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    first = text.read(1)
    if first == "{":
        return "jsonl", _read_json(first, text)
    return "csv", _read_csv(first, text)


def _read_json(first: str, text: io.TextIOWrapper) -> Iterator[_Record]:
    number = 0
    while line := first + text.readline():
        number, first = number + 1, ""
        try:
            record: ExportLine | ExportEnd
            if line.startswith('{"export"'):
                record = msgspec.json.decode(line, type=ExportEnd)
            else:
                record = msgspec.json.decode(line, type=ExportLine)
        except _UNREADABLE as error:
            raise ExportBroken(number, "it is not a line of an export") from error
        yield record, line


def _read_csv(first: str, text: io.TextIOWrapper) -> Iterator[_Record]:
    if (first + text.readline()).encode() != _row(ExportLine.__struct_fields__):
        raise ExportBroken(1, "it is not an export of an audit trail")
    lines: list[str] = []  # of one row: a cell may hold ends of lines
    rows, number = csv.reader(_kept(text, lines)), 2
    while True:
        try:
            if (cells := next(rows, None)) is None:
                return
            record = _from_cells(cells)
        except UnicodeDecodeError:
            raise
        except _UNREADABLE as error:
            raise ExportBroken(number, "it is not a row of an export") from error
        yield record, "".join(lines)
        lines.clear()
        number += 1


def _kept(text: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in text:
        lines.append(line)
        yield line


def _from_cells(cells: Sequence[str]) -> ExportLine | ExportEnd:
    if cells[0] == _END:
        return msgspec.json.decode(cells[1], type=ExportEnd)
    named = zip(ExportLine.__struct_fields__, cells, strict=True)
    plain: dict[str, Any] = {name: cell.removeprefix("'") for name, cell in named}
    for name in ("milliseconds", "detail"):
        plain[name] = msgspec.json.decode(plain[name])
    for name in ("personal", "salt"):  # neither is ever empty
        plain[name] = plain[name] or None
    return msgspec.convert(plain, ExportLine)
