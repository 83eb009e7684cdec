"""What may never be sent, whatever made it: a request that takes more members from a group than it names.

RFC 7644 section 3.5.2.2: a removal of `members` without a value filter removes all of them. The same do a replacement of the
attribute, and a resource that is put without it.
"""

from __future__ import annotations

import re
from typing import Any

from sync.target.scim.paths import GROUP_SCHEMA

_ONE = re.compile(r'members\[value eq "(?:[^"\\]|\\.)+"\]')


class UnsafeRequest(Exception):
    """A fault in this program, noticed before anything was sent."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem}; nothing was sent: report this as a fault of the program"


def check_patch(body: Any) -> None:
    """Raises UnsafeRequest for a PATCH that touches members without naming each of them."""
    for operation in body["Operations"]:
        kind, path, value = operation.get("op"), operation.get("path"), operation.get("value")
        if not path:
            raise UnsafeRequest("a PATCH operation has no path")
        bare = re.sub(re.escape(f"{GROUP_SCHEMA}:"), "", path.strip(), flags=re.IGNORECASE)
        if not bare.casefold().startswith("members"):
            continue
        named = isinstance(value, list) and bool(value) and all(_names_one(member) for member in value)
        if kind == "add" and bare == "members" and named:
            continue
        if kind == "remove" and (_ONE.fullmatch(bare) or (bare == "members" and named)):
            continue
        raise UnsafeRequest(f"{kind} of {path} does not name the members that it is about")


def check_put(body: Any) -> None:
    """Raises UnsafeRequest for a group without the list of its members, even an empty one: whoever made it forgot them."""
    if GROUP_SCHEMA in body.get("schemas", ()) and not isinstance(body.get("members"), list):
        raise UnsafeRequest("a group would be put without its members")


def _names_one(member: Any) -> bool:
    return isinstance(member, dict) and isinstance(member.get("value"), str) and bool(member["value"].strip())
