"""What a relay says of itself, its agents and domains, judged."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from findings import Finding, warned, worst
from gateway.relay import AgentView, NodeHealthView, SignInView
from isthmus.relay_check import LiveRelay
from isthmus.relay_check.checks import judge_live
from isthmus.relay_check.fleet import judge_agents, judge_clocks, judge_domains, judge_node, judge_sign_in, judge_trust_files

NOW = 1_800_000_000.0
DAY = 86400.0


def health(**fields: Any) -> NodeHealthView:
    given: dict[str, Any] = {"node": "relay1", "software": "1.0", "defect": "", "clock_skew": None, "domains": {}}
    return NodeHealthView(**{**given, **fields})


def agent(name: str = "dc1-agent", **fields: Any) -> AgentView:
    """One that is connected and well."""
    given: dict[str, Any] = {"serial": "1", "not_after": NOW + 20 * DAY, "connections": 2, "software": "1.0"}
    given["directories"] = {"dc1:636": "up"}
    return AgentView(name=name, **{**given, **fields})


_WHO: dict[str, Any] = {"user_name": "anna", "domain": "corp", "groups": 3}


def only(findings: Any) -> Finding:
    (finding,) = findings
    assert isinstance(finding, Finding)
    return finding


def test_how_the_signing_keys_stand_is_said_as_the_relay_says_it() -> None:
    """A relay of an older release says nothing of them."""
    waiting = warned("signing keys", "saml", "payroll not acknowledged", "isthmus certs acknowledge saml --trust payroll")
    found = judge_live(LiveRelay(health=health(software=version("isthmus"), signing_keys=[waiting])), "", NOW)
    assert waiting in found
    assert not [one for one in judge_live(LiveRelay(health=health()), "", NOW) if one.name == "signing keys"]


@pytest.mark.parametrize(
    ("defect", "installed", "status"),
    [("", "1.0", "pass"), ("", "1.1", "warn"), ("the database does not answer", "1.0", "fail")],
)
def test_a_relay_serves_and_is_the_version_that_is_installed(defect: str, installed: str, status: str) -> None:
    """An upgrade without a restart leaves the old one running."""
    finding = judge_node(health(defect=defect), installed)
    assert finding.status == status
    assert defect in finding.seen


@pytest.mark.parametrize(
    ("fields", "status", "word"),
    [
        ({}, "pass", "connections: 2"),
        ({"not_after": NOW - 1}, "fail", "expired"),
        ({"not_after": NOW + 6 * DAY}, "warn", "should have been renewed"),
        ({"not_after": NOW + 8 * DAY}, "pass", "connections: 2"),
        ({"connections": 0, "seen_at": NOW - DAY}, "warn", "not connected; it came last 2027-01-14"),
        ({"connections": 0}, "warn", "never connected"),
        ({"connections": 0, "nodes": ("relay2",)}, "warn", "connected to relay2, not to this node"),
        ({"directories": {"dc1:636": "up", "dc2:636": "down", "dc3:636": "probing"}}, "warn", "not up: dc2:636, dc3:636"),
    ],
)
def test_each_agent_is_judged_by_itself(fields: dict[str, Any], status: str, word: str) -> None:
    """Whatever is wrong says what to do."""
    finding = only(judge_agents([agent(**fields)], NOW))
    assert (finding.status, finding.where) == (status, "dc1-agent")
    assert word in finding.seen
    assert bool(finding.remedy) == (status != "pass")


def test_revoked_agents_are_nobodys_business_and_none_is_a_failure() -> None:
    """Without an agent nobody can sign in."""
    gone = agent("old", connections=0, revoked_at=NOW - DAY)
    assert [finding.where for finding in judge_agents([gone, agent()], NOW)] == ["dc1-agent"]
    assert only(judge_agents([gone], NOW)).status == "fail"


@pytest.mark.parametrize(
    ("skews", "statuses"),
    [
        ([0.1, -59.0], {"": "pass"}),
        ([0.1, -61.0], {"agent1": "warn"}),
        ([301.0, 61.0], {"agent0": "fail", "agent1": "warn"}),
    ],
)
def test_agents_clocks_are_compared(skews: list[float], statuses: dict[str, str]) -> None:
    """Beyond the leeway certificates are refused. One that is not connected tells nothing."""
    agents = [agent(f"agent{number}", clock_skew=skew) for number, skew in enumerate(skews)]
    away = agent("away", connections=0, clock_skew=1e6)
    assert {finding.where: finding.status for finding in judge_clocks(health(), [*agents, away])} == statuses
    assert judge_clocks(health(), [away]) == []


def test_the_databases_clock_is_judged_by_the_relay() -> None:
    """It knows how much is too much."""
    assert only(judge_clocks(health(clock_skew=1.0), [])).status == "pass"
    finding = only(judge_clocks(health(clock_skew=-7.0, defect="the clock differs from the database's by -7 s"), []))
    assert (finding.status, finding.seen) == ("fail", "-7.0 s from the database's")


def test_every_domain_is_there_and_what_is_in_the_way_of_it() -> None:
    """A condition of a newer agent too; `*` in words."""
    found = list(judge_domains({"*": "ready", "corp": "no_agent", "east": "service_account", "west": "moved"}))
    assert [(finding.where, finding.status) for finding in found] == [
        ("names without a domain", "pass"),
        ("corp", "fail"),
        ("east", "fail"),
        ("west", "fail"),
    ]
    assert all(finding.remedy for finding in found[1:])
    assert found[3].seen == "moved"


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        (
            {**_WHO, "outcome": "success", "agent": "a1", "controller": "dc1:636"},
            "pass",
            ("success after 40 ms by a1 at dc1:636", "anna of corp, 3 groups"),
        ),
        ({"outcome": "wrong_credential", "detail": "data 52e", "agent": "a1"}, "fail", ("wrong_credential (data 52e)",)),
        ({"outcome": "refused_by_admission", "retry_after": 59.6}, "fail", ("smart lockout", "nobody was asked")),
        ({"outcome": "no_agent"}, "fail", ("no_agent",)),
        ({"outcome": "unheard_of"}, "fail", ("unheard_of",)),
    ],
)
def test_a_sign_in_tells_what_came_of_it(fields: dict[str, Any], status: str, words: tuple[str, ...]) -> None:
    """With the reference that leads to its entry."""
    finding = judge_sign_in("anna", SignInView(reference="c0ffee", milliseconds=40.0, **fields))
    assert (finding.status, finding.name) == (status, "sign-in of anna")
    assert all(word in finding.seen for word in (*words, "reference c0ffee"))
    assert bool(finding.remedy) == (status != "pass")
    assert worst([finding]) == status


def test_each_file_that_is_not_in_force_fails() -> None:
    """With what is wrong, as it is known: file, line, key, remedy."""
    assert list(judge_trust_files({})) == []
    finding = only(judge_trust_files({"wiki.toml": "wiki.toml cannot be used:\n  oidc.x (line 7): no such setting"}))
    assert (finding.status, finding.where, "line 7" in finding.seen) == ("fail", "wiki.toml", True)
