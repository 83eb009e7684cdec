"""Keys are replaced: in order, in time, with everybody told, back again, and in an emergency."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from certs import KeyState
from foundation.procedures import Act, ActFailed, Refused, plan_text
from gateway.federation.keys.material import make_key
from gateway.federation.keys.model import ALGORITHMS, Ring
from gateway.federation.keys.rollover.acts import PublishKeys
from gateway.federation.keys.rollover.executor import RingExecutor
from gateway.federation.keys.rollover.rollovers import marks_of
from gateway.federation.trusts import KeyNotice, Trust
from gateway.store import SigningKeyRecord, StoreUnavailable, open_store
from tests.gateway.federation.keys.conftest import NOW, SetClock
from tests.gateway.federation.keys.rolling import HOST, SETTINGS, Applications, RollingNode, saml

NOTICE = SETTINGS.lead + SETTINGS.publish_for
BY_HAND = KeyNotice(learns="by hand")


@pytest.fixture
def applications() -> Applications:
    return Applications()


@pytest.fixture(scope="module")
def first_keys() -> list[SigningKeyRecord]:
    """Of a new relay; made once, because making them takes time."""
    return [
        make_key(ring, name, host=HOST, state=KeyState.ACTIVE, now=NOW, lifetime=SETTINGS.lifetime(ring))
        for ring, names in ALGORITHMS.items()
        for name in names
    ]


@pytest.fixture
async def pair(
    tmp_path: Path, clock: SetClock, applications: Applications, first_keys: list[SigningKeyRecord]
) -> AsyncIterator[tuple[RollingNode, RollingNode]]:
    """Two nodes with their first keys."""
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    stores = [open_store(url, secret=b"k" * 32, node=name, clock=clock) for name in ("relay1", "relay2")]
    here, there = (RollingNode(store, applications, clock, clock.sleep) for store in stores)
    unit = stores[0].unit()
    for record in first_keys:
        unit.put_signing_key(record)
    await unit.commit()
    await here.keys.load()
    await there.keys.load()
    yield here, there
    for store in stores:
        await store.close()


@pytest.fixture
def node(pair: tuple[RollingNode, RollingNode]) -> RollingNode:
    return pair[0]


def signing(node: RollingNode) -> str:
    return node.keys.active("saml", "RSA").id


# -- in order


async def test_a_key_is_replaced_step_by_step(pair: tuple[RollingNode, RollingNode], clock: SetClock) -> None:
    """Published, then signing from one moment on for every node, then deleted: each after its time and not before."""
    here, there = pair
    old = signing(here)
    await here.rollovers.start("saml")
    await there.store.generations.look()
    new = next(key for key in await here.states("saml") if key != old)
    assert await here.states("saml") == {old: KeyState.ACTIVE, new: KeyState.PUBLISHED}
    assert [key.id for key in there.keys.published("saml")] == [old, new]

    clock.now = NOW + NOTICE - 1
    await there.look()
    assert (await here.states("saml"))[new] is KeyState.PUBLISHED

    clock.now = NOW + NOTICE
    await there.look()
    assert await here.states("saml") == {old: KeyState.RETIRING, new: KeyState.ACTIVE}
    assert signing(there) == old  # until every node has read of it
    clock.now += SETTINGS.lead
    await here.store.generations.look()
    assert signing(here) == signing(there) == new
    assert here.keys.find(old) is not None

    clock.now += SETTINGS.retire_after - 1
    await here.look()
    assert here.keys.find(old) is not None
    clock.now += 1
    await here.look()
    assert await here.states("saml") == {new: KeyState.ACTIVE}
    assert here.keys.find(old) is None
    view = next(view for view in await here.rollovers.rings() if view.ring == "saml")
    assert view.rollover is not None
    assert view.rollover.outcome == "done"


async def test_all_algorithms_of_a_ring_are_replaced_together(node: RollingNode, clock: SetClock) -> None:
    """One moment for all: a partner reads the key set once."""
    before = set(await node.states("oidc"))
    await node.rollovers.start("oidc")
    for _ in range(40):
        clock.now += 100
        await node.look()
    after = await node.records("oidc")
    assert not before & {record.id for record in after}
    assert {record.algorithm for record in after} == {"RS256", "ES256", "PS256"}
    assert len({record.since for record in after}) == 1


async def test_every_change_is_in_the_audit_trail_without_a_secret(node: RollingNode, clock: SetClock) -> None:
    """Who, which key, what became of it."""
    await node.rollovers.start("saml")
    for _ in range(40):
        clock.now += 100
        await node.look()
    entries = await node.store.audit.entries(limit=100)
    saml_keys = [entry.event for entry in reversed(entries) if entry.event.detail.get("ring") == "saml"]
    told = [(event.kind, event.detail["state"]) for event in saml_keys if "state" in event.detail]
    assert told[:2] == [("signing_key.made", "next"), ("signing_key.changed", "published")]
    assert told[-1] == ("signing_key.deleted", "retiring")
    secrets = [record.private.hex() for record in await node.store.signing_keys.all()]
    assert not any(secret[:40] in repr(entry) for entry in entries for secret in secrets)


# -- when


async def test_a_successor_is_made_in_time_and_not_before(node: RollingNode, clock: SetClock) -> None:
    """The duty starts it by itself, `create_before` the end of the key."""
    old = signing(node)
    clock.now = NOW + 10_000 - 3000 - 1
    await node.look()
    assert set(await node.states("saml")) == {old}
    clock.now += 1
    await node.look()
    assert len(await node.states("saml")) == 2


async def test_the_slowest_application_decides_how_long_a_key_is_published(
    node: RollingNode, clock: SetClock, applications: Applications
) -> None:
    """Its interval, and a copy of the metadata that was made just before."""
    applications.trusts = (
        saml("quick", KeyNotice(learns="automatic", within=10.0)),
        saml("slow", KeyNotice(learns="automatic", within=2000.0)),
    )
    await node.rollovers.start("saml")
    clock.now = NOW + SETTINGS.lead + 2000 + SETTINGS.max_age - 1
    await node.look()
    assert KeyState.PUBLISHED in (await node.states("saml")).values()
    clock.now += 1
    await node.look()
    assert KeyState.PUBLISHED not in (await node.states("saml")).values()


async def test_a_slow_application_is_given_its_time_before_the_key_ends(
    node: RollingNode, clock: SetClock, applications: Applications
) -> None:
    """The successor is made earlier than `create_before` says where that would be too late."""
    applications.trusts = (saml("slow", KeyNotice(learns="automatic", within=5000.0)),)
    clock.now = NOW + 10_000 - (SETTINGS.lead + 5000 + SETTINGS.max_age + SETTINGS.critical)
    await node.look()
    assert len(await node.states("saml")) == 2


async def test_a_key_waits_for_those_who_install_it_by_hand(
    node: RollingNode, clock: SetClock, applications: Applications
) -> None:
    """Promotion waits for each acknowledgement; who has none is named with whom to ask."""
    applications.trusts = (saml("hr", BY_HAND, "ann@example.com"), saml("wiki", BY_HAND), saml("quick"))
    await node.rollovers.start("saml")
    clock.now = NOW + NOTICE
    await node.look()
    view = await node.rollovers.acknowledge("saml", "wiki")
    assert view.rollover is not None
    assert "hr has not acknowledged the new keys (contact: ann@example.com)" in view.rollover.standing
    assert "wiki has not" not in view.rollover.standing
    assert KeyState.PUBLISHED in (await node.states("saml")).values()
    await node.rollovers.acknowledge("saml", "hr")
    assert KeyState.PUBLISHED not in (await node.states("saml")).values()


async def test_an_acknowledgement_does_not_shorten_the_notice(
    node: RollingNode, clock: SetClock, applications: Applications
) -> None:
    """Others read by themselves."""
    applications.trusts = (saml("hr", BY_HAND),)
    await node.rollovers.start("saml")
    await node.rollovers.acknowledge("saml", "hr")
    clock.now = NOW + NOTICE - 1
    await node.look()
    assert KeyState.PUBLISHED in (await node.states("saml")).values()


async def test_a_trust_that_is_gone_is_not_waited_for(
    node: RollingNode, clock: SetClock, applications: Applications
) -> None:
    """Or a removed application would block every rollover."""
    applications.trusts = (saml("hr", BY_HAND),)
    await node.rollovers.start("saml")
    applications.trusts = ()
    clock.now = NOW + NOTICE
    await node.look()
    assert KeyState.PUBLISHED not in (await node.states("saml")).values()


async def test_close_to_the_end_of_a_key_nobody_is_waited_for(
    node: RollingNode, clock: SetClock, applications: Applications
) -> None:
    """One application that does not answer must not stop all others when the key ends."""
    applications.trusts = (saml("hr", BY_HAND),)
    clock.now = NOW + 7000
    await node.look()
    clock.now = NOW + 10_000 - SETTINGS.critical - 1
    await node.look()
    assert KeyState.PUBLISHED in (await node.states("saml")).values()
    clock.now += 1
    await node.look()
    assert KeyState.PUBLISHED not in (await node.states("saml")).values()


async def test_nobody_is_acknowledged_who_is_not_waited_for(node: RollingNode, applications: Applications) -> None:
    """A mistyped name is no silent success."""
    applications.trusts = (saml("hr", BY_HAND),)
    view = await node.rollovers.start("saml")
    assert view.rollover is not None
    assert "is waited for" not in view.rollover.standing, "its conditions say it"
    with pytest.raises(Refused, match="no key waits for it; keys wait for hr"):
        await node.rollovers.acknowledge("saml", "rh")


async def test_a_plan_depends_on_keys_applications_and_periods(node: RollingNode, applications: Applications) -> None:
    """Each is told apart; a contact is none of them: nobody has to plan anew because of that."""
    before = marks_of(await node.context.observe("saml"))
    applications.trusts = (saml("payroll", KeyNotice(learns="automatic", within=60.0)),)
    other = marks_of(await node.context.observe("saml"))
    assert {name for name in before if before[name] != other[name]} == {"applications"}
    applications.trusts = (saml("payroll", KeyNotice(learns="automatic", within=60.0), contact="ann@example.com"),)
    assert marks_of(await node.context.observe("saml")) == other
    slower = replace(await node.context.observe("saml"), settings=replace(SETTINGS, publish_for=1001.0))
    assert {name for name in other if other[name] != marks_of(slower)[name]} == {"settings"}
    await node.rollovers.start("saml")
    assert marks_of(await node.context.observe("saml"))["keys"] != before["keys"]


async def test_a_plan_names_those_of_whom_nobody_knows_how_they_learn(node: RollingNode, applications: Applications) -> None:
    """And changes nothing."""
    applications.trusts = (saml("wiki"), saml("hr", BY_HAND))
    before = await node.states("saml")
    text = plan_text(await node.rollovers.plan("saml"))
    assert "nobody has said how wiki learns of new keys" in text
    assert "make a new RSA key" in text
    assert "hr learns" not in text
    assert "hr is waited for until the new certificate is installed there and acknowledged" in text
    assert "isthmus certs acknowledge saml --trust hr" in text
    assert "before they sign" in text
    assert await node.states("saml") == before


async def test_an_openid_connect_client_reads_the_key_set_by_itself(node: RollingNode, applications: Applications) -> None:
    """Unless its trust says otherwise; and it is no partner of the SAML ring."""
    applications.trusts = (Trust(id="app", name="app", protocol="oidc"),)
    assert "nobody has said" not in plan_text(await node.rollovers.plan("oidc"))
    applications.trusts = (Trust(id="app", name="app", protocol="oidc", keys=BY_HAND),)
    assert await _waiting(node, "saml") == set()
    assert await _waiting(node, "oidc") == {"app"}


async def _waiting(node: RollingNode, ring: Ring) -> set[str]:
    view = await node.rollovers.start(ring)
    return {name for key in view.keys for name in key.waiting_for}


# -- one at a time


async def test_a_second_rollover_of_a_ring_is_refused(node: RollingNode) -> None:
    """There is one successor at a time; other rings are free."""
    await node.rollovers.start("saml")
    with pytest.raises(Refused, match="is in progress"):
        await node.rollovers.start("saml")
    await node.rollovers.start("decrypting")


async def test_an_order_waits_for_the_duty_and_gives_up(node: RollingNode, clock: SetClock) -> None:
    """It says so instead of working beside another node."""
    await node.store.duties.take("signing keys", "other", now=clock(), until=clock() + 600)
    with pytest.raises(Refused, match="another node is changing keys"):
        await node.rollovers.start("saml")


async def test_the_duty_of_another_node_is_respected(node: RollingNode, clock: SetClock) -> None:
    """Nothing is done twice."""
    clock.now = NOW + 7000
    await node.store.duties.take("signing keys", "other", now=clock(), until=clock() + 50)
    await node.rollovers.run()
    assert len(await node.states("saml")) == 1


async def test_a_node_that_slept_past_its_lease_changes_no_key(
    pair: tuple[RollingNode, RollingNode], clock: SetClock
) -> None:
    """Every write names the fencing number; an old one fails, and nothing of it is kept."""
    here, there = pair
    lease = await here.store.duties.take("signing keys", "relay1", now=clock(), until=clock() + 50)
    assert lease is not None
    executor = RingExecutor(here.context, "saml", lease, "relay")
    clock.now += 60
    await there.rollovers.start("saml")
    before = await here.records("saml")
    with pytest.raises(ActFailed, match="no longer held"):
        await executor.do(Act(place="keys", what=PublishKeys()))
    assert await here.records("saml") == before


# -- back


async def _promoted(node: RollingNode, clock: SetClock) -> tuple[str, str]:
    old = signing(node)
    await node.rollovers.start("saml")
    clock.now = NOW + NOTICE
    await node.look()
    clock.now += SETTINGS.lead
    await node.look()
    return old, signing(node)


async def test_the_old_key_signs_again_and_the_new_one_tries_later(node: RollingNode, clock: SetClock) -> None:
    """A partner broke: back at once; after the same notice as before it goes forward again."""
    old, new = await _promoted(node, clock)
    await node.rollovers.roll_back("saml", "published")
    await node.keys.load()
    assert signing(node) == old
    assert await node.states("saml") == {old: KeyState.ACTIVE, new: KeyState.PUBLISHED}
    clock.now += NOTICE - 1
    await node.look()
    assert signing(node) == old
    clock.now += 1
    await node.look()
    clock.now += SETTINGS.lead
    assert signing(node) == new


async def test_all_the_way_back_the_new_key_is_deleted(node: RollingNode, clock: SetClock) -> None:
    """Whether it signed already or was only published."""
    old, _new = await _promoted(node, clock)
    view = await node.rollovers.roll_back("saml", "start")
    assert await node.states("saml") == {old: KeyState.ACTIVE}
    assert view.rollover is not None
    assert view.rollover.outcome == "rolled back"
    await node.rollovers.start("saml")
    await node.rollovers.roll_back("saml", "start")
    assert await node.states("saml") == {old: KeyState.ACTIVE}


async def test_there_is_nothing_to_go_back_to_once_the_old_key_is_deleted(node: RollingNode, clock: SetClock) -> None:
    """The work is over then."""
    await _promoted(node, clock)
    clock.now += SETTINGS.retire_after
    await node.look()
    with pytest.raises(Refused, match="no replacement is in progress"):
        await node.rollovers.roll_back("saml", "start")


async def test_nobody_goes_back_to_a_key_that_has_ended(node: RollingNode, clock: SetClock) -> None:
    """Partners would refuse what it signs."""
    clock.now = NOW + 9_700
    await node.look()
    clock.now = NOW + 9_900
    await node.look()
    clock.now = NOW + 10_001
    await node.store.generations.look()
    with pytest.raises(Refused, match="nobody would accept it"):
        await node.rollovers.roll_back("saml", "start")


# -- emergency


async def test_in_an_emergency_every_key_of_the_ring_is_replaced_within_minutes(
    pair: tuple[RollingNode, RollingNode], clock: SetClock
) -> None:
    """Only the nodes are waited for; then nothing that the old keys have signed is accepted."""
    here, there = pair
    old = signing(here)
    await here.rollovers.start("saml", emergency_=True)
    await there.store.generations.look()
    assert signing(there) == old
    clock.now += SETTINGS.lead
    await there.look()
    await here.store.generations.look()
    assert signing(here) == signing(there) != old
    assert here.keys.find(old) is there.keys.find(old) is None
    assert len(await here.states("saml")) == 1


async def test_an_emergency_ends_a_rollover_and_trusts_neither_of_its_keys(node: RollingNode, clock: SetClock) -> None:
    """Who has the store's keys has the successor too."""
    await node.rollovers.start("saml")
    known = set(await node.states("saml"))
    await node.rollovers.start("saml", emergency_=True)
    clock.now += SETTINGS.lead
    await node.look()
    assert not known & set(await node.states("saml"))
    with pytest.raises(Refused, match="no replacement is in progress"):
        await node.rollovers.roll_back("saml", "start")


async def test_an_emergency_cannot_be_rolled_back(node: RollingNode) -> None:
    """The old keys may be known to somebody else."""
    await node.rollovers.start("saml", emergency_=True)
    with pytest.raises(Refused, match="may be known to somebody else"):
        await node.rollovers.roll_back("saml", "start")


async def test_an_emergency_says_who_breaks_until_somebody_acts(
    node: RollingNode, clock: SetClock, applications: Applications
) -> None:
    """Before it is done; afterwards those who learn by hand are listed until they have acknowledged."""
    applications.trusts = (saml("hr", BY_HAND, "ann@example.com"), saml("auto", KeyNotice(learns="automatic")))
    text = plan_text(await node.rollovers.plan("saml", emergency_=True))
    assert "hr signs nobody in until its new certificate is installed (contact: ann@example.com)" in text
    assert "auto signs nobody in" not in text
    await node.rollovers.start("saml", emergency_=True)
    clock.now += SETTINGS.lead
    await node.look()
    view = next(view for view in await node.rollovers.rings() if view.ring == "saml")
    assert [key.waiting_for for key in view.keys] == [("hr",)]
    view = await node.rollovers.acknowledge("saml", "hr")
    assert [key.waiting_for for key in view.keys] == [()]


# -- what fails


async def test_a_store_that_does_not_answer_is_tried_again(
    node: RollingNode, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The duty logs it and goes on at the next look."""

    async def fail() -> None:
        raise StoreUnavailable("relay.db", "is locked", "wait")

    clock.now = NOW + 7000
    with monkeypatch.context() as patched:
        patched.setattr(node.store.signing_keys, "all", fail)
        await node.rollovers.run()
    clock.now += 60
    await node.rollovers.run()
    assert len(await node.states("saml")) == 2


async def test_one_ring_that_cannot_go_on_stops_no_other(node: RollingNode, clock: SetClock) -> None:
    """Two active keys are a contradiction, which nobody resolves by a guess."""
    second = make_key("oidc", "ES256", host="x", state=KeyState.ACTIVE, now=NOW, lifetime=1e5)
    unit = node.store.unit()
    unit.put_signing_key(second)
    await unit.commit()
    clock.now = NOW + 7000
    await node.look()
    assert len(await node.states("saml")) == 2
    assert len(await node.records("oidc")) == 4


def test_the_duty_looks_often_enough_for_its_periods(node: RollingNode) -> None:
    """Periods of seconds are for a demonstration; then it looks every second."""
    assert node.rollovers.pace == 25.0
