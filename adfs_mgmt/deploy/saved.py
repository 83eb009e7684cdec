"""Plans as files: JSON, for a reviewer to read and for somebody else to apply. They hold no secret."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import msgspec

from adfs_mgmt.deploy.model import Plan, Wish
from adfs_mgmt.deploy.plan import VERSION
from adfs_mgmt.rollover.errors import PlanUnusable
from certs import CertsError
from certs.files import atomic_write

MAX_BYTES = 4 * 1024 * 1024


def with_id(plan: Plan) -> Plan:
    """Its id is the digest of all that is in it: a plan that was edited after the review has another."""
    return replace(plan, id=_digest(plan))


def _digest(plan: Plan) -> str:
    return hashlib.sha256(msgspec.json.encode(replace(plan, id=""), order="sorted")).hexdigest()[:16]


def save(plan: Plan, path: Path) -> None:
    """Write it, readable for others. Raises PlanUnusable."""
    try:
        atomic_write(path, msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n", mode=0o644)
    except CertsError as error:
        raise PlanUnusable(path, str(error)) from error


def load(path: Path) -> Plan:
    """Read it. Raises PlanUnusable for one that is damaged, edited, or of another version."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PlanUnusable(path, "is too long for a plan")
        content = path.read_bytes()
        version = msgspec.json.decode(content, type=_Version).version
        if version != VERSION:
            raise PlanUnusable(path, f"has version {version}, this Isthmus knows {VERSION}")
        plan = msgspec.json.decode(content, type=Plan)
    except OSError as error:
        raise PlanUnusable(path, f"cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, RecursionError) as error:
        raise PlanUnusable(path, f"is no plan ({error})") from error
    if plan.id != _digest(plan):
        raise PlanUnusable(path, "was changed after it was made")
    return plan


def wish_text(wish: Wish) -> str:
    """For the journal."""
    return msgspec.json.encode(wish).decode()


def wish_from(text: str, path: Path) -> Wish:
    """From the journal. Raises PlanUnusable."""
    try:
        return msgspec.json.decode(text, type=Wish)
    except msgspec.MsgspecError as error:
        raise PlanUnusable(path, f"its journal holds no wish ({error})") from error


class _Version(msgspec.Struct):
    version: int
