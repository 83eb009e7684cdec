"""Two nodes on one store: what one does counts on the other, and requests in a row may go to either."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.typing import EventDict

from certs import EnrolmentToken, MachineIdentity, prove
from directory import CheckResult
from gateway.agent import EnrolmentFailed, enrol
from gateway.app import Relay, ServerSettings, serving
from gateway.protocol import Outcome
from gateway.relay.agents import FRESH
from gateway.relay.credentials.admission.admission import AdmissionRequest, Admitted, AttemptRefused
from gateway.relay.credentials.shared import SharedAdmissionStore
from gateway.signin.cookies import SESSION
from gateway.store import StoreUnavailable
from tests.support.fakes import FakeDirectories
from tests.support.nodes import NodeProcess, TwoNodes, Visitor, address_of, is_connected, second_node, trusting_client
from tests.support.relay_and_agent import agent, agent_settings, attempt, enrolled, eventually
from tests.support.visitors import Clock, events

pytestmark = pytest.mark.postgres

ANNA, BEN = "anna@corp.example.com", "ben@corp.example.com"
THRESHOLD = 4


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right"})


async def name_shown(visitor: Visitor) -> bool:
    """Whether the account page shows who is signed in."""
    status, page, _ = await visitor.get("/account")
    assert status == 200
    return "Anna" in page


# -- people and their sessions


async def test_a_sign_in_of_several_requests_may_change_nodes_with_each(
    two_nodes: TwoNodes, people: FakeDirectories
) -> None:
    """Page, form, redirect, account page; the session is good at both."""
    async with two_nodes.agent(people), two_nodes.visitor() as visitor:
        status, page, _ = await visitor.sign_in(ANNA, "right")
        assert (status, "Anna" in page) == (200, True)
        assert [relay.store.node for relay in visitor.asked] == ["relay1", "relay2", "relay1"]
        assert [await name_shown(visitor) for _ in range(3)] == [True] * 3


async def test_an_expired_password_is_changed_over_both_nodes(two_nodes: TwoNodes, people: FakeDirectories) -> None:
    """What one node was told the other one shows, and what one has sealed the other one opens."""
    people.expired.add(ANNA)
    async with two_nodes.agent(people), two_nodes.visitor() as visitor:
        page = (await visitor.sign_in(ANNA, "right"))[1]
        for new, words in (("short", "isn&#39;t allowed"), ("Longer-2026!", "Your password was changed.")):
            (kept,) = re.findall(r'name="kept" value="([^"]+)"', page)
            fields = {"step": "change", "user_name": ANNA, "kept": kept, "new_password": new, "again": new}
            status, page, _ = await visitor.post("/signin", **fields)
            assert (status, words in page) == (200, True)
        assert [await name_shown(visitor) for _ in range(2)] == [True] * 2


async def test_a_sign_out_ends_the_session_at_the_other_node(two_nodes: TwoNodes, people: FakeDirectories) -> None:
    """At once: also for somebody who kept the cookie."""
    async with two_nodes.agent(people), two_nodes.visitor() as visitor:
        await visitor.sign_in(ANNA, "right")
        kept = dict(visitor.cookies)
        assert (await visitor.post("/signout"))[0] == 200
        assert SESSION not in visitor.cookies
        visitor.cookies = kept
        assert [await name_shown(visitor) for _ in range(2)] == [False] * 2


async def test_a_changed_password_ends_the_sessions_elsewhere(two_nodes: TwoNodes, people: FakeDirectories) -> None:
    """At whichever node they were made; the new password is good at both, the old one at none."""
    async with two_nodes.agent(people), two_nodes.visitor() as own, two_nodes.visitor() as other:
        for visitor in (own, other):
            await visitor.sign_in(ANNA, "right")
        fields = {"user_name": ANNA, "password": "right", "new_password": "Longer-2026!", "again": "Longer-2026!"}
        status, page, _ = await own.post("/account/password", **fields)
        assert (status, "Anna" in page) == (200, True)
        assert [await name_shown(other) for _ in range(2)] == [False] * 2
        assert [await name_shown(own) for _ in range(2)] == [True] * 2
        for relay in two_nodes.relays:
            checks = [attempt(ANNA, password) for password in ("Longer-2026!", "right")]
            verdicts = [(await relay.authenticator.authenticate(check)).outcome for check in checks]
            assert verdicts == [Outcome.SUCCESS, Outcome.WRONG_CREDENTIAL]


async def test_a_form_that_one_node_made_is_taken_by_the_other_after_keys_were_rolled(
    two_nodes: TwoNodes, people: FakeDirectories
) -> None:
    """The new keys are known everywhere before they are in use."""
    await two_nodes.here.administration.roll_keys("test")
    await two_nodes.there.store.generations.look()
    async with two_nodes.agent(people), two_nodes.visitor() as visitor:
        assert (await visitor.sign_in(ANNA, "right"))[0] == 200
    assert two_nodes.here.store.keyring.valid("forms") == two_nodes.there.store.keyring.valid("forms")


# -- smart lockout


async def test_wrong_passwords_count_at_both_nodes(two_nodes: TwoNodes, people: FakeDirectories) -> None:
    """One at each in turn: the threshold is that of one node, the lock is on both, and so is the end of it."""
    async with two_nodes.agent(people):
        verdicts = [await two_nodes.check(ANNA, f"wrong{number}") for number in range(THRESHOLD)]
        assert {verdict.outcome for verdict in verdicts} == {Outcome.WRONG_CREDENTIAL}
        for relay in two_nodes.relays:
            refused = await two_nodes.check(ANNA, "right")
            assert refused.outcome is None
            assert 55 < refused.retry_after <= 60
            assert [view.user for view in await relay.administration.locks()] == [ANNA]
        assert len(people.binds) == THRESHOLD
        assert await two_nodes.here.administration.unlock(ANNA, "test")
        assert (await two_nodes.there.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        assert await two_nodes.there.store.admission.all() == []


async def test_a_flood_over_both_nodes_gets_no_further_than_the_threshold(
    two_nodes: TwoNodes, people: FakeDirectories
) -> None:
    """Counted at the directory, over HTTP, from as many addresses as there are guesses."""
    key = (await two_nodes.here.administration.create_api_key("crm", None, "test")).secret
    headers = {"Authorization": f"Bearer {key}"}
    people.delay = 0.05  # so that all are under way together
    async with two_nodes.agent(people), two_nodes.agent(people, "agent2"), two_nodes.visitor() as visitor:

        async def guess(number: int) -> int:
            order = {"user_name": ANNA, "password": f"guess{number}", "client_address": f"192.0.2.{number}"}
            return (await visitor.request("POST", "/api/v1/authenticate", json=order, headers=headers))[0]

        statuses = await asyncio.gather(*(guess(number) for number in range(48)))
    assert sorted(statuses) == [200] * THRESHOLD + [429] * (48 - THRESHOLD)
    assert people.binds == [ANNA] * THRESHOLD


# -- agents


async def test_an_agent_that_is_revoked_at_one_node_leaves_the_other(two_nodes: TwoNodes, people: FakeDirectories) -> None:
    """Within two seconds, without any notice from node to node; at the one where it happens at once."""
    async with two_nodes.agent(people):
        await two_nodes.here.administration.revoke("agent1", "stolen", "test")
        began = time.monotonic()
        assert not any(connection.usable for connection in two_nodes.here.endpoint.connections)
        await eventually(lambda: not is_connected(two_nodes.there, "agent1"), 5)
        assert time.monotonic() - began < 2
        assert (await two_nodes.check(ANNA, "right")).outcome is Outcome.NO_AGENT


async def test_a_revoked_agent_leaves_whatever_else_cannot_be_read(
    two_nodes: TwoNodes, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which domains were claimed is read after it is gone."""

    async def refuse() -> None:
        raise StoreUnavailable("store", "no answer within 3.5 s", "see whether its server runs")

    async with two_nodes.agent(people):
        monkeypatch.setattr(two_nodes.there.store.presence, "claimed", refuse)
        await two_nodes.here.administration.revoke("agent1", "stolen", "test")
        await eventually(lambda: not is_connected(two_nodes.there, "agent1"), 5)


async def test_an_agent_that_was_enrolled_at_one_node_is_let_in_by_the_other_at_once(
    two_nodes: TwoNodes, people: FakeDirectories, tmp_path: Path, logs: list[EventDict]
) -> None:
    """Before that one has looked by itself what is new: an agent that was refused waits for seconds, up to a minute."""
    state = await enrolled(tmp_path, two_nodes.here, "agent1")
    async with two_nodes.agent(people, at=(two_nodes.there,), state_dir=state):
        assert (await two_nodes.there.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
    assert not events(logs, "agent.refused_by_relay")


async def places(relay: Relay) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Of each agent: its connections to this node, and the nodes at which it is."""
    return {view.name: (view.connections, view.nodes) for view in await relay.administration.agents()}


async def test_each_node_tells_at_which_nodes_agents_are(shared: ServerSettings, tmp_path: Path) -> None:
    """One that leaves, and those of a node that stops, are gone within two seconds."""
    people = FakeDirectories({})
    async with serving(shared) as here:
        async with serving(second_node(shared)) as there:
            nodes = TwoNodes(here, there, tmp_path)
            async with nodes.agent(people, "both"), nodes.agent(people, "one", at=(there,)):
                expected = {"both": (1, ("relay1", "relay2")), "one": (0, ("relay2",))}
                await eventually(lambda: shows(here, expected), 4)
                await eventually(lambda: shows(there, {**expected, "one": (1, ("relay2",))}), 4)
            await eventually(lambda: shows(here, {"both": (0, ()), "one": (0, ())}), 2)
            async with nodes.agent(people, "late", at=(there,)):
                await eventually(lambda: is_at(here, "late", "relay2"), 4)
        assert not await is_at(here, "late", "relay2")


async def shows(relay: Relay, expected: dict[str, tuple[int, tuple[str, ...]]]) -> bool:
    return await places(relay) == expected


async def is_at(relay: Relay, agent_name: str, node: str) -> bool:
    return node in (await places(relay)).get(agent_name, (0, ()))[1]


async def test_a_domain_that_is_claimed_at_one_node_is_not_handed_to_others_at_the_other(two_nodes: TwoNodes) -> None:
    """Its agents are at the one, those that take all at the other: which would say that the password is wrong."""
    here, there = two_nodes.relays
    rest = FakeDirectories({ANNA: "right"}, domains=("*",))
    async with two_nodes.agent(FakeDirectories({}), "corp", at=(here,)), two_nodes.agent(rest, "rest", at=(there,)):
        outcome = Outcome.NO_AGENT

        async def answered() -> bool:
            verdict = await there.authenticator.authenticate(attempt(ANNA, "right", throttled=False))
            return verdict.outcome is outcome

        await eventually(answered, 4)
        outcome = Outcome.SUCCESS
        await here.administration.revoke("corp", "gone", "test")
        await eventually(answered, 4)


async def test_a_token_that_is_redeemed_at_both_nodes_at_once_is_good_for_one(two_nodes: TwoNodes, tmp_path: Path) -> None:
    """One certificate, one entry, known at both within two seconds; the others are told that the token is used."""
    here, there = two_nodes.relays
    text = (await here.administration.create_token("agent1", "test", any_domain=True)).text
    token = EnrolmentToken.parse(text)

    async def redeem(relay: Relay, number: int, client: aiohttp.ClientSession) -> tuple[int, str]:
        csr = MachineIdentity.begin(tmp_path / f"try{number}", name="agent1")
        proof = prove(token.key, "enrol", csr)
        order = {"token": token.id, "csr": base64.b64encode(csr).decode(), "proof": base64.b64encode(proof).decode()}
        async with client.post(f"{address_of(relay)}/agent/v1/enrol", json=order) as response:
            return response.status, json.loads(await response.read()).get("detail", "")

    async with trusting_client(tmp_path) as client:
        tries = (redeem(relay, number, client) for number, relay in enumerate([here, there] * 4))
        results = await asyncio.gather(*tries)
    assert sorted(results) == [(200, ""), *[(403, "the token is used")] * 7]
    (record,) = await here.store.agents.all()
    assert len(await there.administration.audit(limit=9, before=None, kind="agent.enrolled", subject="")) == 1
    for relay in two_nodes.relays:
        await eventually(lambda relay=relay: relay.registry.status("agent1", int(record.serial, 16)) == "enrolled", 2)  # type: ignore[misc]
    with pytest.raises(EnrolmentFailed, match="the token is used"):  # as its operator reads it
        await enrol(agent_settings(tmp_path), tmp_path / "late", text, time.time())


# -- back ends


async def test_an_api_key_that_is_revoked_at_one_node_is_refused_by_the_other(
    two_nodes: TwoNodes, people: FakeDirectories
) -> None:
    """Within two seconds, although the other one has it in memory."""
    key = await two_nodes.here.administration.create_api_key("crm", None, "test")
    order, headers = {"user_name": ANNA, "password": "right"}, {"Authorization": f"Bearer {key.secret}"}
    async with two_nodes.agent(people), two_nodes.visitor() as visitor:

        async def status() -> int:
            return (await visitor.request("POST", "/api/v1/authenticate", json=order, headers=headers))[0]

        assert [await status() for _ in range(2)] == [200, 200]
        await two_nodes.here.administration.revoke_api_key(key.id, "test")

        async def refused() -> bool:
            return [await status() for _ in range(2)] == [401, 401]

        await eventually(refused, 2)


# -- a node that dies


class Gated(FakeDirectories):
    """Answers when the test lets it; the bind has been made by then."""

    def __init__(self, people: dict[str, str]) -> None:
        super().__init__(people)
        self.open = asyncio.Event()
        self.open.set()

    async def verify(self, *credential: Any, **kinds: Any) -> CheckResult:
        result = await super().verify(*credential, **kinds)
        await self.open.wait()
        return result


@pytest.mark.system
async def test_a_node_killed_in_mid_sign_in_costs_a_retry_and_no_count(shared: ServerSettings, tmp_path: Path) -> None:
    """Both binds are made when it dies: the other node takes the retries, a failure counts once, and what was under way at
    the dead one counts as a failure until its deadline and no longer. That its agents are there is not believed for long."""
    people = Gated({ANNA: "right", BEN: "right"})
    clock, settings = Clock(), second_node(shared)
    async with (
        NodeProcess(shared) as dying,
        serving(settings, clock=clock) as there,
        trusting_client(tmp_path) as client,
    ):
        key = (await there.administration.create_api_key("crm", None, "test")).secret

        async def check(node: Relay | NodeProcess, user: str, password: str) -> str:
            order, headers = {"user_name": user, "password": password}, {"Authorization": f"Bearer {key}"}
            async with client.post(f"{address_of(node)}/api/v1/authenticate", json=order, headers=headers) as response:
                return str((await response.json())["outcome"])

        relays = (address_of(dying), address_of(there))
        state = await enrolled(tmp_path, there, "agent1", relays=relays[1:])
        async with agent(tmp_path, there, people, "agent1", state, relays=relays, connections=1) as made:
            await eventually(lambda: all(made.state.connected.values()))
            assert await check(dying, ANNA, "wrong0") == "wrong_credential"
            assert await check(there, ANNA, "wrong1") == "wrong_credential"
            await eventually(lambda: is_at(there, "agent1", dying.name), 4)
            people.open.clear()
            lost = [asyncio.create_task(check(dying, *order)) for order in ((ANNA, "wrong2"), (BEN, "right"))]
            await eventually(lambda: sorted(people.binds) == [ANNA] * 3 + [BEN])
            dying.kill()
            results = await asyncio.gather(*lost, return_exceptions=True)
            assert all(isinstance(result, aiohttp.ClientError) for result in results)
            people.open.set()
            assert await check(there, BEN, "right") == "success"
            assert await check(there, ANNA, "wrong2") == "wrong_credential"
        clock.ahead = FRESH / 2
        assert await is_at(there, "agent1", dying.name)
        clock.ahead = FRESH + 1
        assert not await is_at(there, "agent1", dying.name)
        kept = await SharedAdmissionStore(shared.admission, there.store.admission).records()
        records = [record for _, record in kept if record.failures]
        assert [(record.failures, record.locks, len(record.leases)) for record in records] == [(3, 0, 1)]
        (lease,) = records[0].leases
        asked = AdmissionRequest(user_name=ANNA, password="right", address="192.0.2.7", throttled=False)
        busy = await there.admission.check(asked, lease.deadline - 0.1)
        assert isinstance(busy, AttemptRefused)
        assert busy.reason == "busy"
        assert isinstance(await there.admission.check(asked, lease.deadline), Admitted)
        assert people.binds.count(ANNA) == THRESHOLD
