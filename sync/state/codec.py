"""Values as they lie in the state: MessagePack, with numbers instead of the names of attributes."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any, Final

import msgspec

from sync.model import AccountOperation, Confirmation, ObjectKind, OperationKind, Plain, WriteOutcome

KINDS: Final = tuple(ObjectKind)
"""A kind's number is its place here: only ever add at the end."""
KIND_NUMBERS: Final = {kind: number for number, kind in enumerate(KINDS)}
GROUP: Final = KIND_NUMBERS[ObjectKind.GROUP]

Numbered = dict[int, Plain | tuple[Plain, ...]]
"""Values by the number of their attribute."""
PersonContent = dict[int, tuple[Plain | tuple[Plain, ...], tuple[tuple[int, int, float], ...]]]
"""By the number of the attribute: value, and where it comes from (objects and rules by number, Unix seconds)."""

encode = msgspec.msgpack.Encoder().encode
_decode_numbered = msgspec.msgpack.Decoder(dict[int, Any]).decode
EMPTY: Final = encode({})


def decode_values(content: bytes) -> Numbered:
    """Values of an object or account. Raises msgspec.MsgspecError."""
    found = _decode_numbered(
        content
    )  # the type of a value could not be told: msgspec takes texts and bytes apart in no union
    return {number: tuple(value) if type(value) is list else value for number, value in found.items()}


def decode_person(content: bytes) -> PersonContent:
    """Values of a person. Raises msgspec.MsgspecError."""
    found = _decode_numbered(content)
    try:
        return {number: (_plain(value), tuple(map(tuple, lineage))) for number, (value, lineage) in found.items()}
    except (TypeError, ValueError) as error:
        raise msgspec.ValidationError("not the values of a person") from error


def _plain(value: Any) -> Any:
    return tuple(value) if type(value) is list else value


def decode_operation(content: bytes) -> AccountOperation:
    """As `encode` wrote it. Raises msgspec.MsgspecError."""
    found: dict[str, Any] = msgspec.msgpack.decode(content, type=dict[str, Any])
    for name in ("set", "before"):
        found[name] = {key: _plain(value) for key, value in found.get(name, {}).items()}
    for name in ("added", "removed"):
        found[name] = {key: tuple(value) for key, value in found.get(name, {}).items()}
    found["kind"], found["object"] = OperationKind(found["kind"]), ObjectKind(found["object"])
    found["clear"] = frozenset(found.get("clear", ()))
    return AccountOperation(**found)


def decode_confirmation(content: bytes) -> Confirmation:
    """As `encode` wrote it. Raises msgspec.MsgspecError."""
    found = msgspec.msgpack.decode(content, type=dict[str, Any])
    values = {key: _plain(value) for key, value in found.pop("values", {}).items()}
    return Confirmation(outcome=WriteOutcome(found.pop("outcome")), values=values, **found)


def folded(value: Plain) -> bytes:
    """16 bytes by which a value is found. Values that some directory takes for equal are found by the same: case, width."""
    if isinstance(value, str):
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).casefold())
        data = b"s" + text.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes):
        data = b"b" + value
    else:
        data = b"i%d" % value
    return hashlib.blake2b(data, digest_size=16).digest()


def same(one: Plain, other: Plain, *, exact: bool) -> bool:
    """Whether two values are equal for a join: texts whatever their case, unless `exact`."""
    if isinstance(one, str) and isinstance(other, str) and not exact:
        return one.casefold() == other.casefold()
    return type(one) is type(other) and one == other


def each_value(value: Plain | tuple[Plain, ...] | None) -> tuple[Plain, ...]:
    """Of an attribute, one by one."""
    return () if value is None else value if isinstance(value, tuple) else (value,)
