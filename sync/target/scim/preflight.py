"""What preflight says of a SCIM service: whether it can be reached, takes our token, and can do what is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from findings import Finding, failed, passed, warned
from sync.causes import CAUSES
from sync.model import ObjectKind
from sync.target.errors import TargetError, UnusableAnswer
from sync.target.scim.capabilities import Capabilities
from sync.target.scim.settings import ScimSettings


def check_service(
    name: str,
    error: TargetError | None,
    capabilities: Capabilities | None = None,
    settings: ScimSettings | None = None,
) -> Sequence[Finding]:
    """error: what went wrong when it was asked. Without capabilities, it could not even be asked for them."""
    if error is not None and not isinstance(error, UnusableAnswer):
        return (failed("credentials", name, error.problem, CAUSES[error.cause].remedy),)
    if error is not None:
        return (failed("search", name, error.problem, CAUSES[error.cause].remedy),)
    if capabilities is None or settings is None:
        return ()
    return (
        passed("credentials", name, "it takes the token"),
        *_changes(name, capabilities, settings),
        *_search(name, capabilities),
        *_kinds(name, capabilities),
        *_attributes(name, capabilities),
        *_description(name, capabilities),
    )


def _changes(name: str, capabilities: Capabilities, settings: ScimSettings) -> Iterator[Finding]:
    if capabilities.patch:
        yield passed("changes", name, "PATCH")
    elif settings.put:
        yield warned(
            "changes", name, "whole resources (PUT)", "what others change at the same moment is lost: sync at quiet times"
        )
    else:
        yield failed("changes", name, "it does not take PATCH", "set put = true, and read what that costs")


def _search(name: str, capabilities: Capabilities) -> Iterator[Finding]:
    if capabilities.filter:
        yield passed("search", name, "filters are understood")
    else:
        yield warned("search", name, "it cannot search", "expect the first run to read all accounts for each person")


def _kinds(name: str, capabilities: Capabilities) -> Iterator[Finding]:
    missing = [kind.value for kind in (ObjectKind.USER, ObjectKind.GROUP) if kind not in capabilities.endpoints]
    if missing:
        yield warned("kinds", name, f"it keeps no {' and no '.join(missing)}", "leave their rules out for this target")
    else:
        yield passed("kinds", name, "users and groups")


def _attributes(name: str, capabilities: Capabilities) -> Iterator[Finding]:
    if capabilities.left_out:
        seen = f"its schemas have no place for {', '.join(capabilities.left_out)}"
        yield warned("attributes", name, seen, "leave their flows out, or give them other paths in user_attributes")
    else:
        yield passed("attributes", name, "each has its place")


def _description(name: str, capabilities: Capabilities) -> Iterator[Finding]:
    if capabilities.missing:
        seen = f"it does not tell of itself: {', '.join(capabilities.missing)}"
        yield warned(
            "description", name, seen, "compare patch, filter and members_a_request in the settings with its manual"
        )
