"""What the running relay says of itself, of its agents and domains, and of a sign-in, judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from findings import Finding, difference, failed, passed, warned
from foundation.times import DAY, day, minute
from gateway.relay import AgentView, NodeHealthView, SignInView
from isthmus.outcomes import REFUSED_BY_ADMISSION, cause_of

CLOCK_WARNING = 60.0
"""Seconds by which the clocks of relay and agents may differ; they judge each other's certificates with a leeway of 300."""
CLOCK_FAILURE = 300.0
RENEWED_BY = 7 * DAY
"""An agent asks for its next certificate ten days before the end of this one."""
_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "no_agent": (
        "no agent for it is connected",
        "Start one. If none is to serve it any more, revoke those that did: isthmus relay revoke NAME",
    ),
    "no_controller": ("its agents reach no domain controller", "On an agent's machine: isthmus agent check"),
    "service_account": (
        "its domain controllers refuse the agents' service account",
        "On an agent's machine: isthmus agent check",
    ),
    "base_dn": ("the directory has nothing at the agents' `base_dn`", "Correct it in the agents' settings."),
    "not_checked": (
        "its agents have not checked their domain controllers yet",
        "Check again in ten seconds. If it stays so, the domain is in none of their directories.",
    ),
}
_OLDER = "Users of this domain cannot sign in; see docs/operators/troubleshooting.md."


def judge_node(health: NodeHealthView, installed: str) -> Finding:
    """installed: the version of the files, which an upgrade may have replaced under a running process."""
    seen = f"{health.node} runs version {health.software}"
    if health.defect:
        return failed("relay", "", f"{health.node} cannot serve: {health.defect}", "See the relay's log.")
    if health.software != installed:
        return warned("relay", "", f"{seen}, installed is {installed}", "Restart it: systemctl restart isthmus-relay")
    return passed("relay", "", seen)


def judge_clocks(health: NodeHealthView, agents: Sequence[AgentView]) -> list[Finding]:
    """Of agents that are connected here, and of the database where it has a clock of its own."""
    found = []
    if health.clock_skew is not None:
        seen = f"{difference(health.clock_skew, 1)} from the database's"
        remedy = "Set the clocks of both by NTP."
        # how much is too much the relay decides, and says so as its defect
        wrong = "clock" in health.defect
        found.append(failed("clock", "database", seen, remedy) if wrong else passed("clock", "database", seen))
    for agent in agents:
        if agent.connections and abs(agent.clock_skew) > CLOCK_WARNING:
            seen = f"its clock is {difference(agent.clock_skew)} from this one"
            judge = failed if abs(agent.clock_skew) > CLOCK_FAILURE else warned
            found.append(judge("clock", agent.name, seen, "Set both by NTP, then restart the agent."))
    here = [agent for agent in agents if agent.connections]
    if here and not any(finding.where != "database" for finding in found):
        most = max((agent.clock_skew for agent in here), key=abs)
        found.append(passed("clock", "", f"at most {difference(most, 1)} from the agents'"))
    return found


def judge_agents(agents: Sequence[AgentView], now: float) -> Iterator[Finding]:
    """Each that is not revoked. now: Unix seconds."""
    enrolled = [agent for agent in agents if agent.revoked_at is None]
    if not enrolled:
        yield failed("agents", "", "none is enrolled", "isthmus relay token --name NAME --domain DOMAIN")
    for agent in enrolled:
        yield _judge_agent(agent, now)


def _judge_agent(agent: AgentView, now: float) -> Finding:
    if now > agent.not_after:
        seen = f"its certificate expired {minute(agent.not_after)}"
        return failed("agent", agent.name, seen, f"Enrol it again: isthmus relay token --name {agent.name}")
    if not agent.connections:
        if agent.nodes:
            seen = f"connected to {', '.join(agent.nodes)}, not to this node"
            return warned("agent", agent.name, seen, "Name this node's address in its `relays`.")
        seen = f"not connected; it came last {minute(agent.seen_at)}" if agent.seen_at else "never connected"
        remedy = f"Start it. If it is gone permanently: isthmus relay revoke {agent.name}"
        return warned("agent", agent.name, seen, remedy)
    if agent.not_after - now < RENEWED_BY:
        seen = f"its certificate ends {minute(agent.not_after)}, and should have been renewed"
        return warned("agent", agent.name, seen, "See its log for certificate.renewal_failed.")
    down = [name for name, state in agent.directories.items() if state != "up"]
    if down:
        seen = f"connected; domain controllers not up: {', '.join(down)}"
        return warned("agent", agent.name, seen, "On its machine: isthmus agent check")
    controllers = f", domain controllers up: {len(agent.directories)}" if agent.directories else ""
    seen = f"connections: {agent.connections}, version {agent.software or 'unknown'}{controllers}"
    return passed("agent", agent.name, f"{seen}, certificate ends {day(agent.not_after)}")


def judge_domains(domains: Mapping[str, str]) -> Iterator[Finding]:
    """Whether users of each can sign in at this node, as `/readyz` says. `*`: names without a domain."""
    for domain, condition in domains.items():
        where = "names without a domain" if domain == "*" else domain
        if condition == "ready":
            yield passed("domain", where, "users can sign in")
        else:
            seen, remedy = _CONDITIONS.get(condition, (condition, _OLDER))
            yield failed("domain", where, seen, remedy)


def judge_trust_files(problems: Mapping[str, str]) -> Iterator[Finding]:
    """Files of `trusts_dir` that are not in force. problems: by the file's name."""
    for name, problem in problems.items():
        yield failed("trust file", name, problem, "Correct it: it is read within ten seconds. The trust stays as it was.")


def judge_sign_in(user: str, view: SignInView) -> Finding:
    """Whatever came of it, with what it means and its reference."""
    name, said = f"sign-in of {user}", view.outcome + (f" ({view.detail})" if view.detail else "")
    asked = f" by {view.agent}" if view.agent else ""
    at = f" at {view.controller}" if view.controller else ""
    seen = f"{said} after {view.milliseconds:.0f} ms{asked}{at}; reference {view.reference}"
    if view.outcome == "success":
        return passed(name, "", f"{seen}; {view.user_name} of {view.domain}, {view.groups} groups")
    if view.outcome == REFUSED_BY_ADMISSION:
        wait = f"Try again in {view.retry_after:.0f} s, or: isthmus relay unlock USER"
        return failed(name, "", f"smart lockout refused it, and nobody was asked; reference {view.reference}", wait)
    cause = cause_of(view.outcome, view.detail)
    return failed(name, "", f"{seen}. {cause.meaning}", cause.next)
