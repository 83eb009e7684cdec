"""Lines of a plan file: what stands in a plan, as JSON and back. Pure.

JSON has no bytes, and text is what most values are: bytes stand as `{"base64": "…"}`, text as text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from sync.model import AccountOperation, ObjectKind, OperationKind, Plain
from sync.plan.entries import (
    AccountProblem,
    ChangeCause,
    DepartureEvidence,
    Fingerprint,
    PlanEntry,
    PlanLine,
    PlanPhase,
    RewrittenValue,
)

LINE_LIMIT: Final = 64 << 20
"""Bytes of the longest line: an account of Active Directory with all it may have is far below."""
_BASE64: Final = "base64"


class LineDamaged(ValueError):
    """What is wrong with a line."""


def encode_line(line: PlanLine) -> bytes:
    """With its line end. Raises LineDamaged for a text that is no Unicode, or a line that nobody could read back."""
    data = msgspec.to_builtins(line, builtin_types=(bytes,), order="deterministic")
    if isinstance(line, PlanEntry):
        operation = data["operation"]
        for name in ("set", "before"):
            if name in operation:
                operation[name] = {attribute: _encoded(value) for attribute, value in operation[name].items()}
    elif isinstance(line, RewrittenValue):
        data |= {"sent": _encoded(line.sent), "kept": None if line.kept is None else _encoded(line.kept)}
    try:
        text = msgspec.json.encode(data) + b"\n"
    except UnicodeEncodeError as error:
        raise LineDamaged("a text is not valid Unicode (half of a surrogate pair)") from error
    if len(text) > LINE_LIMIT:
        raise LineDamaged(f"its values are larger than {LINE_LIMIT >> 20} MiB")
    return text


def decode_line(text: bytes) -> PlanLine:
    """What `encode_line` made. Raises LineDamaged."""
    try:
        line: _EntryLine | AccountProblem | _RewrittenLine = _DECODER.decode(text)
        if isinstance(line, _EntryLine):
            operation = line.operation
            fields = structs.asdict(operation) | {"set": _values(operation.set), "before": _values(operation.before)}
            return PlanEntry(**structs.asdict(line) | {"operation": AccountOperation(**fields)})
        if isinstance(line, _RewrittenLine):
            kept = None if line.kept is None else _decoded(line.kept)
            return RewrittenValue(**structs.asdict(line) | {"sent": _decoded(line.sent), "kept": kept})
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, RecursionError) as error:
        raise LineDamaged(str(error)) from error
    return line


def _encoded(value: Any) -> Any:
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, bytes):
        return {_BASE64: base64.b64encode(value).decode()}
    return [_encoded(single) for single in value]


def _values(values: Mapping[str, Any]) -> dict[str, Plain | tuple[Plain, ...]]:
    return {name: _decoded(value) for name, value in values.items()}


def _decoded(value: Any) -> Plain | tuple[Plain, ...]:
    if isinstance(value, str):
        return value
    return tuple(map(_single, value)) if isinstance(value, list) else _single(value)


def _single(value: Any) -> Plain:
    if isinstance(value, (str, int)):  # bool is an int
        return value
    if isinstance(value, dict) and isinstance(data := value.get(_BASE64), str) and len(value) == 1:
        return base64.b64decode(data, validate=True)
    raise LineDamaged(f"{str(value)[:40]!a} is no value of an attribute")


# The same as in `sync.plan.entries`, but for values: msgspec reads no union of text and bytes


class _OperationLine(Struct, frozen=True, forbid_unknown_fields=True):
    id: int
    kind: OperationKind
    target: str
    person: int
    object: ObjectKind
    anchor: str
    remote: str = ""
    set: dict[str, Any] = {}
    clear: frozenset[str] = frozenset()
    added: dict[str, tuple[int, ...]] = {}
    removed: dict[str, tuple[int, ...]] = {}
    before: dict[str, Any] = {}
    enabled: bool = True
    temporary: bool = False


class _EntryLine(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="operation"):
    operation: _OperationLine
    name: str = ""
    causes: tuple[ChangeCause, ...] = ()
    objects: tuple[tuple[str, bytes], ...] = ()
    evidence: tuple[DepartureEvidence, ...] = ()
    protected: str = ""
    links: int = 0
    fingerprint: Fingerprint = Fingerprint()
    phase: PlanPhase = PlanPhase.ACCOUNTS
    held: str = ""


class _RewrittenLine(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="rewritten"):
    target: str
    person: int
    attribute: str
    sent: Any
    kept: Any
    name: str = ""


_DECODER: Final = msgspec.json.Decoder(_EntryLine | AccountProblem | _RewrittenLine)
