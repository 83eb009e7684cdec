"""A replacement of keys that does not go as it should is told: in checks, as an alarm once a day, and to monitoring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from certs import KeyState
from foundation.procedures import ActFailed
from gateway.federation.keys.rollover import ROLLOVER_STATES, KeyGauges, Rollovers
from gateway.federation.keys.rollover.executor import RingExecutor
from gateway.federation.keys.rollover.health import ALERTS, LOOKS, RingHealth, health
from gateway.federation.keys.rollover.state import ObservedRing
from gateway.federation.trusts import KeyNotice
from gateway.store import AuditEvent, SigningKeyRecord
from tests.gateway.federation.keys.conftest import NOW, SetClock
from tests.gateway.federation.keys.rolling import SETTINGS, Applications, RollingNode, saml
from tests.gateway.federation.keys.test_rollover import NOTICE
from tests.gateway.federation.keys.test_rollover import applications as applications
from tests.gateway.federation.keys.test_rollover import first_keys as first_keys
from tests.gateway.federation.keys.test_rollover import node as node
from tests.gateway.federation.keys.test_rollover import pair as pair

PAYROLL = saml("payroll", KeyNotice(learns="by hand"), contact="ann@example.com")
KEY = SigningKeyRecord(
    id="k1",
    ring="saml",
    algorithm="RSA",
    certificate=b"",
    private=b"",
    state=KeyState.ACTIVE.value,
    since=NOW,
    created_at=NOW,
    not_after=NOW + SETTINGS.saml_lifetime,
)


def of_saml(node: RollingNode) -> RingHealth:
    return next(ring for ring in node.rollovers.health if ring.ring == "saml")


def alerts(ring: RingHealth) -> list[str]:
    return [problem.alert for problem in ring.problems]


async def ring_of(node: RollingNode, *records: SigningKeyRecord) -> ObservedRing:
    return replace(await node.context.observe("saml"), records=records)


async def test_what_goes_as_it_should_is_told_as_that(node: RollingNode, clock: SetClock) -> None:
    """Idle, and at every stage of a replacement; the stage is named."""
    await node.look()
    assert {(ring.stage, ring.findings[0].status) for ring in node.rollovers.health} == {("", "pass")}
    await node.rollovers.start("saml")
    stages = []
    for _ in range(40):
        await node.look()
        stages.append(of_saml(node).stage)
        assert [finding.status for finding in of_saml(node).findings] == ["pass"]
        clock.now += 50
    assert list(dict.fromkeys(stages)) == ["notice", "switch", "retire", ""]
    assert await node.store.audit.entries(kind="alert.signing_keys.stopped") == []


async def test_an_application_that_nobody_acknowledges(
    node: RollingNode, applications: Applications, clock: SetClock
) -> None:
    """Told when its time is over, not before; no longer once it is acknowledged, or signs all the same."""
    applications.trusts = (PAYROLL,)
    await node.rollovers.start("saml")
    clock.now += NOTICE - 1
    await node.look()
    assert alerts(of_saml(node)) == []
    clock.now += 1
    await node.look()
    (finding,) = of_saml(node).findings
    assert (finding.status, finding.where) == ("warn", "saml")
    assert "payroll not acknowledged" in finding.seen
    assert finding.remedy.endswith("isthmus certs acknowledge saml --trust payroll")
    assert (await node.rollovers.view("saml")).findings == (finding,)
    await node.rollovers.acknowledge("saml", "payroll")
    await node.look()
    assert alerts(of_saml(node)) == []


async def test_an_act_that_fails_again_and_again(
    node: RollingNode, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the third look in a row: once may be a database that is away. When it is over, nobody is told any more."""

    async def fail(_self: RingExecutor, act: Any) -> None:
        raise ActFailed(act.place, "the disk is full", "none")

    with monkeypatch.context() as broken:
        broken.setattr(RingExecutor, "do", fail)
        await node.rollovers.start("saml")
        for look in range(1, LOOKS + 1):
            await node.look()
            assert alerts(of_saml(node)) == (["signing_keys.stopped"] if look == LOOKS else [])
            clock.now += 60
        assert "the disk is full" in of_saml(node).findings[0].seen
        assert of_saml(node).findings[0].status == "fail"
    await node.look()
    assert alerts(of_saml(node)) == []


async def test_a_key_that_is_about_to_end(node: RollingNode, clock: SetClock) -> None:
    """With nothing in progress from `create_before` on, with a replacement in progress from `critical` on."""
    ring = await ring_of(node, KEY)
    due_at, critical_at = (KEY.not_after - before for before in (ring.policy.create_before, SETTINGS.critical))
    slack = ring.policy.create_before / 10
    for now, expected in ((due_at, []), (due_at + slack - 1, []), (due_at + slack, ["signing_keys.not_replaced"])):
        assert alerts(health(ring, None, now, stage="", looks=0)) == expected
    await node.rollovers.start("saml")
    record = await node.store.procedures.read("signing keys saml", ROLLOVER_STATES)
    for now, expected in (
        (due_at + slack, []),
        (critical_at, []),
        (critical_at + SETTINGS.critical / 10, ["signing_keys.not_replaced"]),
    ):
        assert alerts(health(ring, record, now, stage="make", looks=0)) == expected


async def test_keys_that_contradict_each_other(node: RollingNode) -> None:
    """Two in use: nobody guesses which, so nothing goes on."""
    other = replace(KEY, id="k2")
    (problem,) = health(await ring_of(node, KEY, other), None, NOW, stage="", looks=0).problems
    assert (problem.alert, "k1 is active too" in problem.seen) == ("signing_keys.stopped", True)


async def test_an_alarm_is_raised_once_a_day_by_whichever_node(
    pair: tuple[RollingNode, RollingNode], applications: Applications, clock: SetClock
) -> None:
    """The trail says when it was raised last, for which ring."""
    applications.trusts = (PAYROLL,)
    raised: list[AuditEvent] = []

    def alarm(event: str, fields: Mapping[str, str]) -> None:
        raised.append(AuditEvent(time=clock(), kind=f"alert.{event}", actor="relay", detail=dict(fields)))

    rollovers = [Rollovers(one.context, sleep=clock.sleep, alarm=alarm) for one in pair]
    await rollovers[0].start("saml")
    await rollovers[0].start("decrypting")
    clock.now += NOTICE
    for turn in (*rollovers, *rollovers):
        before = len(raised)
        await turn.run()
        for entry in raised[before:]:
            await pair[0].store.audit.append(entry)
        clock.now += 10
    assert [(entry.kind, entry.detail["ring"]) for entry in raised] == [
        ("alert.signing_keys.not_acknowledged", "saml"),
        ("alert.signing_keys.not_acknowledged", "decrypting"),
    ]


async def test_monitoring_is_told_by_ring(node: RollingNode, applications: Applications, clock: SetClock) -> None:
    """Age and end of each key in use, one stage of each replacement, and what an operator must see to."""
    applications.trusts = (PAYROLL,)
    await node.rollovers.start("saml")
    clock.now += NOTICE
    await node.look()
    registry = CollectorRegistry()
    registry.register(KeyGauges(node.keys, lambda: node.rollovers.health, clock))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("isthmus_signing_key_age_seconds", ring="saml", algorithm="RSA") == NOTICE
    assert value("isthmus_signing_key_end_seconds", ring="oidc", algorithm="ES256") == NOW + SETTINGS.oidc_lifetime
    stages = {stage: value("isthmus_signing_keys_stage", ring="saml", stage=stage) for stage in ("make", "notice", "spread")}
    assert stages == {"make": 0.0, "notice": 1.0, "spread": 0.0}
    assert value("isthmus_signing_keys_stage", ring="oidc", stage="notice") == 0.0
    problems = {event: value("isthmus_signing_keys_problem", ring="saml", event=event) for event in ALERTS}
    assert problems == {event: float(event == "signing_keys.not_acknowledged") for event in ALERTS}
