"""Functions of distinguished names (RFC 4514)."""

from __future__ import annotations

import re
from typing import Final

from sync.rules.expressions.errors import UnfitValue
from sync.rules.expressions.operators import too_long
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import LONGEST_TEXT, Reference

NAMES: Final = FunctionTable("Directory")
_COMPONENT: Final = re.compile(r"(?:[^,\\]|\\.)+", re.DOTALL)
_SPECIAL: Final = re.compile(r'[,+"\\<>;=]')


@NAMES.function("str DNComponent(ref dn, num number)", Basis.EXAMPLE)
def dn_component(dn: Reference, number: int) -> str | None:
    r"""The value of a component of a DN, from 1 at the left, as it is written there: with its escapes, so that the name of a
    conflict has `\0ACNF:` in it. NULL where there are fewer."""
    return _value(_components(dn), number)


@NAMES.function("str DNComponentRev(ref dn, num number[, str options])", Basis.EXAMPLE)
def dn_component_rev(dn: Reference, number: int, options: str = "") -> str | None:
    """The same from the right. With "DC", components of domains are not counted."""
    if options not in {"", "DC"}:
        raise UnfitValue("the option is unknown", 'Write "DC", or leave it out')
    components = _components(dn)
    if options:
        components = [component for component in components if not component.lower().startswith("dc=")]
    return _value(components[::-1], number)


@NAMES.function("str EscapeDNComponent(str component)", Basis.EXAMPLE)
def escape_dn_component(component: str) -> str:
    """One component of a DN, such as "cn=" & [displayName], with its value escaped by RFC 4514."""
    attribute, equals, value = component.partition("=")
    if not equals:
        attribute, value = "", component
    if len(value) * 3 > LONGEST_TEXT:
        raise too_long()
    escaped = _SPECIAL.sub(r"\\\g<0>", value).replace("\0", r"\00")
    if len(value) > 1 and value.endswith(" "):
        escaped = escaped[:-1] + "\\ "
    if value.startswith(("#", " ")):
        escaped = "\\" + escaped
    return f"{attribute}{equals}{escaped}"


def _components(dn: Reference) -> list[str]:
    found = [component.strip() for component in _COMPONENT.findall(dn.target)]
    if any("=" not in component for component in found):
        raise UnfitValue("the reference is not a DN", "Take the attribute dn, or another that has DNs")
    return found


def _value(components: list[str], number: int) -> str | None:
    if not 1 <= number <= len(components):
        return None
    return components[number - 1].partition("=")[2]
