"""Values of attributes as people write them in TOML: bytes, which TOML does not have, as a table of one key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from settings import Unfit
from sync.model import Plain
from sync.rules.model import plain

_FORMS: Final[Mapping[str, Callable[[str], bytes]]] = {
    "base64": lambda text: base64.b64decode(text, validate=True),
    "hex": bytes.fromhex,
    "guid": lambda text: UUID(text).bytes_le,
}
"""`guid`: as Active Directory stores it."""


def literal(value: object) -> None:
    """Raises Unfit for what is no value: see read_literal."""
    read_literal(value)


Literals = Mapping[str, Annotated[object, literal]]
"""Values by attribute, as a model of settings has them."""


def read_literal(value: Any) -> Plain | tuple[Plain, ...]:
    """Of a text, number, boolean, `{ base64 = "..." }`, `{ hex = "..." }`, `{ guid = "..." }`, or a list. Raises Unfit."""
    return tuple(_one(item) for item in value) if isinstance(value, list) else _one(value)


def write_literal(value: object) -> str:
    """As it would stand in the file."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(write_literal, value))}]"
    if isinstance(value, bytes):
        return f'{{ base64 = "{base64.b64encode(value).decode()}" }}'
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str | int) else "no value"


def _one(value: Any) -> Plain:
    if isinstance(value, dict):
        name, text = next(iter(value.items()), ("", ""))
        if len(value) != 1 or name not in _FORMS or not isinstance(text, str):
            raise Unfit("is not a value", 'write bytes as { base64 = "..." }, { hex = "..." } or { guid = "..." }')
        try:
            return _FORMS[name](text)
        except (ValueError, binascii.Error) as error:
            raise Unfit(f"is not {name}", "correct it") from error
    plain(value)
    found: Plain = value
    return found
