"""What `agent check` makes of a relay's clock and of what it says of the agent."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from gateway.agent import RelayVerdict
from gateway.protocol import CloseCode
from isthmus.relay_way import RelayAnswer, judge_answer, judge_clock, judge_verdict

NOW = 1_800_000_000.0
RELAY = "https://signin.example.com"
DOMAINS = ("corp.example.com", "corp", "*")


@pytest.mark.parametrize(
    ("skew", "status"), [(0, "pass"), (60, "pass"), (-61, "warn"), (300, "warn"), (-301, "fail"), (3 * 86400, "fail")]
)
def test_a_clock_that_certificates_cannot_be_judged_by_fails(skew: float, status: str) -> None:
    """Beyond the leeway that both ends give each other; days are told as days."""
    finding = judge_clock(RELAY, formatdate(NOW + skew, usegmt=True), NOW)
    assert finding.status == status
    assert ("(3.0 days)" in finding.seen) is (skew == 3 * 86400)


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT"])
def test_a_relay_that_tells_no_time_is_told_of(date: str) -> None:
    """Something in between may have taken the header out."""
    assert judge_clock(RELAY, date, NOW).status == "warn"


def test_a_clock_that_is_right_differs_by_nothing() -> None:
    """Not by `-0 s`: HTTP's dates have no fractions."""
    assert judge_clock(RELAY, formatdate(NOW, usegmt=True), NOW + 0.3).seen == "0 s from ours"


@pytest.mark.parametrize(
    ("verdict", "status", "words"),
    [
        (None, "warn", "does not support testing"),
        (RelayVerdict(True, None), "pass", "any domain"),
        (RelayVerdict(True, ("corp.example.com", "CORP")), "pass", "corp.example.com, CORP"),
        (RelayVerdict(True, ("corp.example.com",)), "fail", "about corp, only about corp.example.com"),
        (RelayVerdict(True, ("corp.example.com", "corp", "example.org")), "warn", "example.org"),
        (RelayVerdict(True, ("corp.example.com", "corp", "*")), "pass", "let in"),
        (RelayVerdict(False, code=CloseCode.REVOKED, reason="this agent was revoked"), "fail", "revoked"),
        (RelayVerdict(False, code=1001, reason="relay is stopping"), "fail", "stopping"),
    ],
)
def test_what_a_relay_says_of_the_agent(verdict: RelayVerdict | None, status: str, words: str) -> None:
    """Who is not let in cannot serve; names that it is not asked about, or cannot answer for, keep their users out."""
    finding = judge_verdict(RELAY, "dc1-agent", verdict, DOMAINS)
    assert (finding.status, words in finding.seen) == (status, True)
    assert bool(finding.remedy) is (status != "pass")


@pytest.mark.parametrize(
    ("status", "said", "finding"),
    [
        (200, "ok", ("pass", "TLS and relay", "answered in 20 ms")),
        (503, "draining", ("fail", "relay", "it cannot serve: draining")),
        (503, "", ("fail", "relay", "HTTP 503")),
        (404, "", ("fail", "relay", "HTTP 404")),
    ],
)
def test_a_relay_that_cannot_serve_is_one_all_the_same(status: int, said: str, finding: tuple[str, str, str]) -> None:
    """Its own words are told; whoever has none is a proxy, or something else."""
    found = judge_answer(RELAY, RelayAnswer(status, said, "", 0.02))
    assert (found.status, found.name, found.seen) == finding


def test_a_revoked_agent_is_told_how_to_come_back() -> None:
    """The same words as in its log."""
    finding = judge_verdict(RELAY, "a", RelayVerdict(False, code=CloseCode.REVOKED, reason="revoked"), DOMAINS)
    assert "isthmus relay token" in finding.remedy
