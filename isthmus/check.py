"""`isthmus agent check`: this machine, the way to each relay, the directories, and one sign-in end to end."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import directory
from certs import CertsError, MachineIdentity, check_closed
from findings import Finding, failed, passed, warned
from foundation.times import minute
from gateway.agent import AgentError, make_routes, read_withheld
from isthmus.agent_settings import AgentSettings
from isthmus.page_sign_in import sign_in_at_page
from isthmus.relay_way import TIMEOUT, check_relay

_LEEWAY = 300.0
"""Seconds with which a certificate is judged (docs/reference/protocol.md)."""
_ENROL = "Enrol: isthmus agent enrol --token-file -"


@dataclass(frozen=True, slots=True)
class TrialSignIn:
    """Somebody whose password is checked. at_page: at the relay's page as well, through whichever agent it asks."""

    user: str
    password: str = field(repr=False)
    at_page: bool = False


async def check_agent(
    settings: AgentSettings,
    sign_in: TrialSignIn | None,
    *,
    on_finding: Callable[[Finding], None] | None,
    clock: Callable[[], float] = time.time,
) -> list[Finding]:
    """Every check, in the order in which things depend on each other; never raises for what it finds.

    clock: Unix seconds.
    """
    found: list[Finding] = []
    async for finding in _checks(settings, sign_in, clock):
        found.append(finding)
        if on_finding is not None:
            on_finding(finding)
    return found


async def _checks(
    settings: AgentSettings, sign_in: TrialSignIn | None, clock: Callable[[], float]
) -> AsyncIterator[Finding]:
    if (ownership := check_owner(settings.state_dir)) is not None:
        yield ownership
    identity, finding = _identity(settings, clock())
    yield finding
    try:
        directories = directory.Directories(settings.directories, clock=clock)
    except directory.DirectoryError as error:
        yield failed("directories", "", str(error))
        return
    try:
        async for finding in _relays(settings, identity, directories.domains, clock):
            yield finding
        for finding in await directories.check():
            yield finding
        yield check_look_ups(settings, clock())
        if sign_in is not None:
            finding = await _sign_in(directories, sign_in, clock)
            yield finding
            if sign_in.at_page and finding.status == "pass":  # a wrong password would count once more
                yield await _sign_in_at_page(settings, sign_in)
    finally:
        await directories.close()


async def _relays(
    settings: AgentSettings, identity: MachineIdentity | None, domains: tuple[str, ...], clock: Callable[[], float]
) -> AsyncIterator[Finding]:
    try:
        routes = make_routes(settings.core, settings.state_dir)
    except AgentError as error:
        yield failed("relay", "", str(error))
        return
    for route in routes:
        async for finding in check_relay(route, identity, domains, clock):
            yield finding


def check_owner(state_dir: Path) -> Finding | None:
    """Whether this is the user whose files these are; what another user can read and reach says nothing. None on Windows,
    and where there is no state directory yet."""
    try:
        owner = state_dir.stat().st_uid
    except OSError:
        return None
    if os.name != "posix":
        return None
    if owner == os.geteuid():
        return passed("user", "", user_name(owner))
    seen = f"this runs as {user_name(os.geteuid())}, the agent as {user_name(owner)}, who owns {state_dir}"
    remedy = f"Run it as root or {user_name(owner)}: another user's permissions differ from the agent's."
    return failed("user", "", seen, remedy)


def check_look_ups(settings: AgentSettings, now: float) -> Finding:
    """What this agent says about users without a password, and what applications want and do not get. now: Unix seconds."""
    look_up = settings.look_up
    if not look_up.lookups_per_minute:
        return passed("look-ups", "", "none are answered: sessions and tokens end after the relay's unchecked_lifetime")
    offered = {name.lower(): name for one in settings.directories for name in one.attributes}
    missing = [name for name in read_withheld(settings.state_dir, now) if name.lower() not in offered]
    if missing:
        return warned(
            "look-ups",
            "",
            f"applications want attributes that this agent does not let out: {', '.join(missing)}",
            "Add them to `attributes` under [[directories]] and restart the agent, or remove them from the claims.",
        )
    whom = "all users" if look_up.any_person else "users who signed in through this agent in the last 30 days"
    names = ", ".join(offered.values()) or "none"
    return passed("look-ups", "", f"about {whom}, at most {look_up.lookups_per_minute} a minute; attributes: {names}")


def user_name(number: int) -> str:
    """A user's name, the number where there is none."""
    import pwd  # not on Windows

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _identity(settings: AgentSettings, now: float) -> tuple[MachineIdentity | None, Finding]:
    path = settings.state_dir / "identity"
    try:
        check_closed(settings.state_dir)
    except FileNotFoundError:
        pass
    except (CertsError, OSError) as error:
        return None, failed("state_dir", "", str(error), "The agent does not start before that.")
    try:
        identity = MachineIdentity.load(path)
    except FileNotFoundError:
        return None, failed("identity", "", f"none in {path}", _ENROL)
    except CertsError as error:
        return None, failed("identity", "", str(error), _ENROL)
    seen = f"{identity.name}, certificate ends {minute(identity.not_after)}"
    if now > identity.not_after:
        return None, failed("identity", "", f"{seen}: expired", f"{_ENROL}. But check this machine's clock first.")
    if now < identity.not_before - _LEEWAY:
        seen = f"{identity.name}, certificate begins {minute(identity.not_before)}, and it is {minute(now)} here"
        return identity, failed("identity", "", seen, "Correct this machine's clock.")
    return identity, passed("identity", "", seen)


async def _sign_in(directories: directory.Directories, sign_in: TrialSignIn, clock: Callable[[], float]) -> Finding:
    started = clock()
    user, credential = sign_in.user, directory.Credential(sign_in.user, sign_in.password)
    result = await directories.verify(credential, deadline=started + TIMEOUT)
    milliseconds = (clock() - started) * 1000
    said = f"{result.outcome.value} ({result.detail})" if result.detail else result.outcome.value
    seen = f"{said} after {milliseconds:.0f} ms at {result.controller or 'no controller'}"
    if result.identity is None:
        return failed(f"sign-in of {user}", "", seen, "The sign-in page shows less than this.")
    return passed(f"sign-in of {user}", "", f"{seen}, {len(result.identity.groups)} groups")


async def _sign_in_at_page(settings: AgentSettings, sign_in: TrialSignIn) -> Finding:
    """At the first of the relay's addresses: all lead to the same relay."""
    try:
        route = make_routes(settings.core, settings.state_dir)[0]
    except AgentError as error:
        return failed(f"sign-in of {sign_in.user} at the page", "", str(error))
    return await sign_in_at_page(route, sign_in.user, sign_in.password)
