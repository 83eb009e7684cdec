"""What the running relay says, asked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from findings import Finding, failed
from gateway.administrator import Administrator
from gateway.relay import AgentView, NodeHealthView, NotPermitted, RelayAbsent, RelayError, SignInView


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRelay:
    """Whatever could be asked. What could not has a finding instead."""

    health: NodeHealthView | None = None
    agents: Sequence[AgentView] = ()
    sign_in: SignInView | None = None
    trust_files: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with files of `trusts_dir`, by name."""
    problems: Sequence[Finding] = ()


async def ask_live(admin: Administrator, state_dir: Path, user: str, password: str) -> LiveRelay:
    """How the relay is, and what comes of a sign-in; without a user there is none. Raises NotPermitted."""
    live = await _ask(admin, state_dir, user, password)
    try:
        return replace(live, trust_files=await admin.trust_files())
    except NotPermitted:
        raise
    except RelayError:  # told of already
        return live


async def _ask(admin: Administrator, state_dir: Path, user: str, password: str) -> LiveRelay:
    try:
        health = await admin.health()
        agents = await admin.agents()
    except RelayAbsent:
        remedy = "Start it: systemctl start isthmus-relay. Why it is not running: journalctl -u isthmus-relay"
        return LiveRelay(problems=[failed("relay", "", f"no relay is running on {state_dir}", remedy), *_untried(user)])
    except NotPermitted:
        raise
    except RelayError as error:
        return LiveRelay(problems=[failed("relay", "", str(error), "See the relay's log."), *_untried(user)])
    if not user:
        return LiveRelay(health=health, agents=agents)
    try:
        return LiveRelay(health=health, agents=agents, sign_in=await admin.sign_in(user, password))
    except RelayError as error:
        return LiveRelay(health=health, agents=agents, problems=[failed(f"sign-in of {user}", "", str(error))])


def _untried(user: str) -> list[Finding]:
    return [failed(f"sign-in of {user}", "", "not tried: no relay answers")] if user else []
