"""What the running relay says, asked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    problems: Sequence[Finding] = ()


async def ask_live(admin: Administrator, state_dir: Path, user: str, password: str) -> LiveRelay:
    """How the relay is, and what comes of a sign-in; without a user there is none. Raises NotPermitted."""
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
