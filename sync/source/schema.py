"""Values as rules see them: text, whole numbers, booleans and bytes, several as a tuple. Pure.

A value that does not fit its attribute's type is left out and reported with its object: one bad value neither ends a
reading nor reaches a target.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sync.model import Plain
from sync.source.attributes import BUILT_IN, AttributeType

_NUMBER = re.compile(r"\s*[+-]?\d{1,19}\s*")
_LARGEST = 2**63
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SHOWN = 40
"""Characters of a bad value that a report repeats."""


class SourceAttribute(NamedTuple):
    """One that is read."""

    name: str
    """As the schema spells it."""
    type: AttributeType


class NotOfItsType(ValueError):
    """A value that does not fit; the text says which, and what was expected."""


class Schema:
    """The attributes that are read, with their types.

    names: those that rules name, in any spelling. declared: types that differ from the built-in ones, by name.
    """

    def __init__(self, names: Iterable[str], declared: Mapping[str, AttributeType] | None = None) -> None:
        said = {name.lower(): kind for name, kind in (declared or {}).items()}
        self.attributes: dict[bytes, SourceAttribute] = {}
        """By name in lower case."""
        for name in names:
            spelt, kind = BUILT_IN.get(name.lower(), (name, AttributeType.TEXT))
            self.attributes[name.lower().encode()] = SourceAttribute(spelt, said.get(name.lower(), kind))
        for key, known in tuple(self.attributes.items()):
            if known.type is AttributeType.BINARY:  # as some servers send it (RFC 4522)
                self.attributes.setdefault(key + b";binary", known)

    def names(self) -> tuple[str, ...]:
        """What to ask a directory for."""
        return tuple(known.name for name, known in self.attributes.items() if b";" not in name)


def read_values(
    schema: Schema, entry: Mapping[bytes, Sequence[bytes]], values: dict[str, Plain | tuple[Plain, ...]]
) -> dict[str, str]:
    """Puts the values of an LDAP entry into `values`; links are not among them. What was left out, and why."""
    known = schema.attributes
    invalid: dict[str, str] = {}
    for name, octets in entry.items():
        attribute = known.get(name)
        if attribute is None or attribute.type is AttributeType.LINK:
            continue
        if len(octets) == 1 and attribute.type is AttributeType.TEXT:  # nearly always
            try:
                values[attribute.name] = octets[0].decode()
                continue
            except UnicodeDecodeError:
                pass
        good, problem = _good_values(octets, attribute.type)
        if good:
            values[attribute.name] = several(good)
        if problem:
            invalid[attribute.name] = problem
    return invalid


def _good_values(octets: Sequence[bytes], kind: AttributeType) -> tuple[list[Plain], str]:
    """Sorted, because a directory's values have no order of their own, and full and delta must agree; and what was wrong."""
    good: list[Plain] = []
    problem = ""
    for value in sorted(octets) if len(octets) > 1 else octets:
        try:
            good.append(from_octets(value, kind))
        except NotOfItsType as error:
            problem = problem or str(error)
    return good, problem


def several(values: Sequence[Plain]) -> Plain | tuple[Plain, ...]:
    """One value by itself, several as a tuple."""
    return values[0] if len(values) == 1 else tuple(values)


def from_octets(value: bytes, kind: AttributeType) -> Plain:
    """One value as LDAP carries it. Raises NotOfItsType."""
    if kind is AttributeType.BINARY:
        return value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        problem = f"a value is not UTF-8 text ({value[:10].hex()}…); if it is binary, declare it so in `attribute_types`"
        raise NotOfItsType(problem) from None
    if kind is AttributeType.NUMBER:
        return _number(text)
    if kind is AttributeType.BOOLEAN:
        if text.upper() not in ("TRUE", "FALSE"):  # RFC 4517 section 3.3.3
            raise NotOfItsType(f"{_shown(text)} is not TRUE or FALSE")
        return text.upper() == "TRUE"
    return text


def from_text(text: str, kind: AttributeType) -> Plain:
    """One value as a file or a table has it: numbers in decimal, booleans in words, bytes in base64. Raises NotOfItsType."""
    if kind is AttributeType.NUMBER:
        return _number(text)
    if kind is AttributeType.BOOLEAN:
        word = _WORDS.get(text.strip().lower())
        if word is None:
            raise NotOfItsType(f"{_shown(text)} is not true or false, yes or no, 1 or 0")
        return word
    if kind is AttributeType.BINARY:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise NotOfItsType(f"{_shown(text)} is not base64") from None
    return text


def _number(text: str) -> int:
    if text.isascii() and _NUMBER.fullmatch(text) and -_LARGEST <= int(text) < _LARGEST:
        return int(text)
    raise NotOfItsType(f"{_shown(text)} is not a whole number of 64 bits")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
