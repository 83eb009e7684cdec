"""Requests that somebody else carries: what another node can do with this one's session, and what a hostile carrier cannot.

The carrier sits inside the records: it repeats, bends and invents messages at will. It has no reply key and no identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from certs import Role
from gateway.protocol import (
    AccountId,
    AnswerBody,
    AnswerUnreadable,
    CloseCode,
    Identity,
    Outcome,
    RelayRequests,
    make_pair,
    request_body,
)
from gateway.protocol.agent_session import MAX_PAIRS
from gateway.protocol.errors import SealBroken, UnexpectedMessage
from gateway.protocol.events import (
    Announcement,
    Answered,
    BegunReceived,
    CarriedReceived,
    Closed,
    Event,
    Ignored,
    Opened,
    RequestCancelled,
    RequestReceived,
    RequestRefused,
)
from gateway.protocol.messages import Answer, Begun, Cancel, PairKey, Refuse, Request
from gateway.protocol.sealing import unsealable_text
from gateway.protocol.session import SessionState
from tests.gateway.protocol.test_session import NOW, Ends, World, ask, closed, of

ANNA = Identity("3f1c", "anna", "corp", directory="9d1c")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def received(events: list[Event]) -> list[RequestReceived]:
    return [event for event in events if isinstance(event, RequestReceived)]


def ignored(events: list[Event]) -> list[str]:
    return [event.detail for event in events if isinstance(event, Ignored)]


def under_way(world: World, **kinds: Any) -> tuple[Ends, Request]:
    """An open session, one request that the agent has taken, and that request as it was sent."""
    ends = world.open(**kinds)
    ask(ends)
    (request,) = ends.relay.unsent
    assert len(received(ends.pump())) == 1
    return ends, request


# -- what is not the agent's word


def words(ends: Ends, number: int = 1) -> dict[str, Any]:
    """Everything that the agent could say on a request, each said honestly."""
    reply = ends.agent._open[of(number)].reply
    return {
        "begun": Begun("relay1", number, reply.prove_begun()),
        "refuse": Refuse("relay1", number, "busy", reply.prove_refusal("busy")),
        "answer": Answer("relay1", number, reply.seal(number, "agent1", AnswerBody(Outcome.SUCCESS))),
    }


@pytest.mark.parametrize(
    "forged",
    [
        lambda said, _: replace(said["begun"], proof=bytes(16)),
        lambda said, _: replace(said["begun"], proof=said["refuse"].proof),
        lambda said, _: replace(said["begun"], proof=said["answer"].sealed),
        lambda said, other: replace(said["begun"], proof=other["begun"].proof),
        lambda said, _: replace(said["refuse"], proof=bytes(16)),
        lambda said, _: replace(said["refuse"], proof=said["begun"].proof),
        lambda said, _: replace(said["refuse"], reason="late"),
        lambda said, _: replace(said["refuse"], reason="unsealable"),
        lambda said, other: replace(said["refuse"], proof=other["refuse"].proof),
        lambda said, _: replace(said["answer"], sealed=said["begun"].proof),
        lambda said, other: replace(said["answer"], sealed=other["answer"].sealed),
    ],
)
def test_a_word_that_the_agent_did_not_say_is_not_taken(world: World, forged: Any) -> None:
    """A forged `begun` would lose a sign-in, a forged `refuse` would have a second agent bind, an answer is the answer."""
    ends, _ = under_way(world)
    ask(ends, 2)
    ends.pump()
    ends.agent.unsent.append(forged(words(ends, 1), words(ends, 2)))
    events = ends.pump()
    assert [type(event) for event in events] == [Closed, Closed]
    assert closed(ends).code == CloseCode.SEAL


def test_each_word_is_taken_when_it_is_the_agents(world: World) -> None:
    """The ones that the forgeries above start from."""
    for word, event in (("begun", BegunReceived(1)), ("refuse", RequestRefused(1, "busy"))):
        ends, _ = under_way(world)
        ends.agent.unsent.append(words(ends)[word])
        assert ends.pump() == [event]


@pytest.mark.parametrize(
    ("agent", "session", "node", "number", "key"),
    [
        ("agent2", None, "relay1", 1, None),
        ("agent1", "another", "relay1", 1, None),
        ("agent1", None, "relay2", 1, None),
        ("agent1", None, "relay1", 2, None),
        ("agent1", None, "relay1", 1, bytes(8)),
    ],
)
def test_unsealable_is_said_of_one_request_under_one_key(
    world: World, agent: str, session: str | None, node: str, number: int, key: bytes | None
) -> None:
    """By the agent's identity; of another it is nothing, though the agent did sign it."""
    ends, request = under_way(world)
    signature = world.agent.sign(unsealable_text(agent, session or ends.relay.session_id, node, number, key or request.key))
    ends.agent.unsent.append(Refuse("relay1", 1, "unsealable", signature))
    ends.pump()
    assert closed(ends).code == CloseCode.SEAL
    assert closed(ends).detail == "signature of agent1 does not fit what was said"


def test_unsealable_under_the_agents_identity_gives_a_request_back(world: World) -> None:
    """Another agent may take it."""
    ends, request = under_way(world)
    signature = world.agent.sign(unsealable_text("agent1", ends.relay.session_id, "relay1", 1, request.key))
    ends.agent.unsent.append(Refuse("relay1", 1, "unsealable", signature))
    assert ends.pump() == [RequestRefused(1, "unsealable")]


def test_what_another_session_of_the_agent_cannot_open_is_under_way_in_this_one(world: World) -> None:
    """Sent a copy, the other one says so truly, and signs it: it is no word on the request here."""
    ends, request = under_way(world)
    other = world.open()
    other.relay.unsent.append(request)
    for frame in other.relay.frames():
        other.agent.receive(frame, NOW)
    (refusal,) = other.agent.unsent
    assert refusal.reason == "unsealable"
    ends.agent.unsent.append(refusal)
    ends.pump()
    assert closed(ends).code == CloseCode.SEAL


def test_a_request_that_holds_nothing_readable_is_given_back(world: World) -> None:
    """Too long a name, say: without a reply key, so by the agent's identity."""
    ends = world.open()
    body = request_body("verify", "a" * 1025, "x", "", "c0ffee")
    ends.relay.send_request(1, begin_by=NOW + 4, deadline=NOW + 15, body=body)
    assert ends.pump() == [RequestRefused(1, "unsealable")]


# -- repeated and bent requests: the relay must not be told of a copy what is not true of the request


def test_a_copy_of_a_request_that_is_under_way_gets_no_word(world: World) -> None:
    """Neither where there is room nor where there is none, nor when it drains or is late."""
    for capacity, drains, now in ((8, False, NOW), (1, False, NOW), (8, True, NOW), (8, False, NOW + 15)):
        ends, request = under_way(world, capacity=capacity)
        assert ends.agent.begin(of(1), NOW)
        ends.agent.frames()
        if drains:
            ends.agent.drain()
            ends.agent.frames()
        ends.agent.receive(_record(ends, request), now)
        assert ends.agent.unsent == []
        assert ends.agent.in_flight == 1


def _record(ends: Ends, *batch: Any) -> bytes:
    ends.relay.unsent.extend(batch)
    (frame,) = ends.relay.frames()
    return frame


@pytest.mark.parametrize("change", [{"key": bytes(8)}, {"node": "relay2"}])
def test_a_copy_under_another_key_does_not_give_the_request_back(world: World, change: dict[str, Any]) -> None:
    """While it is under way nothing is said; what is said of a copy that names another node is that node's."""
    ends, request = under_way(world)
    ends.relay.unsent.append(replace(request, **change))
    events = ends.pump()
    assert not any(isinstance(event, (RequestRefused, RequestReceived)) for event in events)
    assert ends.agent.begin(of(1), NOW)
    assert ends.pump() == [BegunReceived(1)]


def test_a_refused_request_cannot_be_sent_again(world: World) -> None:
    """The relay has given it to another agent by now: two would bind."""
    ends, _ = under_way(world, capacity=1)
    ask(ends, 2)
    (request,) = ends.relay.unsent
    assert ends.pump() == [RequestRefused(2, "busy")]
    ends.agent.answer(of(1), AnswerBody(Outcome.SUCCESS))
    ends.relay.unsent.append(request)
    events = ends.pump()
    assert received(events) == []
    assert ignored(events) == ["request 2 of relay1 came twice"]


def test_a_number_is_forgotten_after_its_deadline_and_refused_all_the_same(world: World) -> None:
    """The memory of what was opened has a bound: what comes once more is late."""
    ends, request = under_way(world)
    ask(ends, 2, begin_by=NOW + 20, deadline=NOW + 30)
    for frame in ends.relay.frames():
        ends.agent.receive(frame, NOW + 16)
    ends.agent.receive(_record(ends, request), NOW + 16)
    (refusal,) = ends.agent.unsent
    assert (refusal.number, refusal.reason) == (1, "late")


# -- another node


@dataclass
class Node:
    """A relay node without a session: what it says goes through that of `relay1`."""

    ends: Ends
    requests: RelayRequests
    pair: PairKey

    def ask(self, number: int = 1, now: float = NOW) -> None:
        body = request_body("verify", "berta@corp", "hers", "", "beef")
        self.ends.relay.carry(self.requests.seal(number, begin_by=now + 4, deadline=now + 15, body=body))

    def hear(self, events: list[Event]) -> list[Event]:
        """What this node understands of what was carried to it."""
        return [
            told
            for event in events
            if isinstance(event, CarriedReceived) and event.node == "relay2"
            for told in self.requests.take(event.message)
        ]


def announcement(events: list[Event]) -> Announcement:
    (announced,) = [event for event in events if isinstance(event, Announcement)]
    return announced


def still_announced(ends: Ends) -> Announcement:
    """The agent's seal key of now."""
    return Announcement("agent1", ends.relay.session_id, ends.agent._seal_key.public)


def second_node(world: World, **kinds: Any) -> Node:
    """An open session of relay1, through which relay2 has made a pair key."""
    ends = world.ends(**kinds)
    events = ends.pump()
    return join(world, ends, events)


def join(world: World, ends: Ends, events: list[Event]) -> Node:
    pair, sealer = make_pair(world.identity("relay2", Role.RELAY), announcement(events))
    (peer,) = [event.peer for event in events if isinstance(event, Opened) and event.instance] or [ends.relay._peer]
    requests = RelayRequests(sealer, ends.relay.session_id, peer)
    ends.relay.carry(pair)
    assert ends.pump() == []
    return Node(ends, requests, pair)


def test_a_node_without_a_session_asks_through_another(world: World) -> None:
    """Both use the same number, at the same time, and neither sees the other's; then both are answered."""
    node = second_node(world)
    ends = node.ends
    ask(ends)
    node.ask()
    taken = received(ends.pump())
    assert [(request.id, request.body.user_name) for request in taken] == [
        (("relay1", 1), "anna@corp"),
        (("relay2", 1), "berta@corp"),
    ]
    for request in taken:
        assert ends.agent.begin(request.id, NOW)
    events = ends.pump()
    assert [event for event in events if isinstance(event, BegunReceived)] == [BegunReceived(1)]
    assert node.hear(events) == [BegunReceived(1)]
    ends.agent.answer(("relay2", 1), AnswerBody(Outcome.WRONG_CREDENTIAL))
    ends.agent.answer(("relay1", 1), AnswerBody(Outcome.SUCCESS))
    events = ends.pump()
    assert Answered(1, AnswerBody(Outcome.SUCCESS)) in events
    assert node.hear(events) == [Answered(1, AnswerBody(Outcome.WRONG_CREDENTIAL))]
    assert ends.relay.state is ends.agent.state is SessionState.OPEN


def test_a_node_takes_its_request_back_through_another(world: World) -> None:
    """And no other node's."""
    node = second_node(world)
    ask(node.ends)
    node.ask()
    node.ends.pump()
    cancel = node.requests.give_up(1)
    assert cancel == Cancel("relay2", 1)
    assert node.requests.give_up(1) is None
    node.ends.relay.carry(cancel)
    assert node.ends.pump() == [RequestCancelled(("relay2", 1))]
    assert node.ends.agent.begin(of(1), NOW)


def test_a_carrier_cannot_speak_for_the_agent(world: World) -> None:
    """The node that asked verifies for itself: the one in between has no reply key."""
    node = second_node(world)
    node.ask()
    node.ends.pump()
    for forged in (
        Begun("relay2", 1, bytes(16)),
        Refuse("relay2", 1, "busy", bytes(16)),
        Refuse("relay2", 1, "unsealable", world.relay.sign(b"whatever")),
        Answer("relay2", 1, bytes(64)),
    ):
        with pytest.raises(SealBroken):
            node.requests.take(forged)
    with pytest.raises(UnexpectedMessage, match="request 2 was never sent"):
        node.requests.take(Begun("relay2", 2, bytes(16)))


def test_a_request_is_of_the_node_whose_key_seals_it(world: World) -> None:
    """Whoever carries it cannot say that it is another's; nor can that node."""
    node = second_node(world)
    node.ask()
    (request,) = node.ends.relay.unsent
    node.ends.relay.unsent[:] = [replace(request, node="relay1")]
    ask(node.ends)
    node.ends.relay.unsent.pop()  # number 1 is under way at relay1, and was lost on its way
    events = node.ends.pump()
    assert received(events) == []
    assert closed(node.ends).code == CloseCode.SEAL  # unsealable, it says, under a key that relay1 did not name


def test_a_node_that_was_started_anew_counts_from_the_beginning(world: World) -> None:
    """Its number is under way here for its life before: busy, until that is over."""
    node = second_node(world)
    node.ask()
    node.ends.pump()
    again = join(world, node.ends, [still_announced(node.ends)])
    again.ask()
    assert again.hear(node.ends.pump()) == [RequestRefused(1, "busy")]
    node.ends.agent.refuse(("relay2", 1), "late")
    node.ends.pump()
    again.ask(2)
    assert len(received(node.ends.pump())) == 1


# -- pair keys


def test_a_second_pair_key_replaces_nobodys(world: World) -> None:
    """Not the end of the session, as it once was: both nodes' requests open, and those that are on their way."""
    node = second_node(world)
    ask(node.ends, 1)
    node.ask(1)
    pair, sealer = make_pair(world.identity("relay2", Role.RELAY), still_announced(node.ends))
    other = Node(node.ends, RelayRequests(sealer, node.ends.relay.session_id, node.ends.relay._peer), pair)
    node.ends.relay.carry(pair)
    other.ask(7)
    ask(node.ends, 2)
    assert len(received(node.ends.pump())) == 4
    assert set(node.ends.agent._open) == {("relay1", 1), ("relay2", 1), ("relay2", 7), ("relay1", 2)}


def test_a_pair_key_that_is_repeated_makes_nothing_new(world: World) -> None:
    """It would come without a memory of what was opened under it: every request could be sent again."""
    node = second_node(world)
    node.ask()
    (request,) = node.ends.relay.unsent
    node.ends.pump()
    node.ends.relay.unsent.extend([node.pair, request])
    events = node.ends.pump()
    assert ignored(events) == ["pair key of relay2 came twice", "request 1 of relay2 came twice"]
    assert received(events) == []
    assert node.ends.agent.state is SessionState.OPEN


def test_a_repeated_pair_key_makes_nothing_new_after_others_either(world: World) -> None:
    """Its opener is gone by then, its id is remembered for as long as it could be opened."""
    node = second_node(world)
    node.ask()
    (request,) = node.ends.relay.unsent
    node.ends.pump()
    announced = still_announced(node.ends)
    for _ in range(2):
        join(world, node.ends, [announced])
    node.ends.agent.refuse(("relay2", 1), "late")
    node.ends.pump()
    node.ends.relay.unsent.extend([node.pair, request])
    events = node.ends.pump()
    assert ignored(events) == ["pair key of relay2 came twice"]
    assert received(events) == []


def test_pair_keys_under_one_seal_key_have_a_bound(world: World) -> None:
    """The one beyond it is left alone, and the session goes on; the next seal key begins anew."""
    node = second_node(world)
    agent = node.ends.agent
    agent._paired.update((number.to_bytes(8, "big"), "relay3") for number in range(MAX_PAIRS - len(agent._paired) - 1))
    announced = still_announced(node.ends)
    identity = world.identity("relay2", Role.RELAY)
    for expected in ([], [f"pair key of relay2, after {MAX_PAIRS} under one seal key"]):
        pair, _ = make_pair(identity, announced)
        node.ends.relay.carry(pair)
        assert ignored(node.ends.pump()) == expected
    assert len(agent._paired) == MAX_PAIRS


def test_a_pair_key_for_a_seal_key_of_before_is_left_alone(world: World) -> None:
    """It crossed the announcement: the node makes another, and its requests under this one are given back."""
    ends = world.ends()
    events = ends.pump()
    pair, sealer = make_pair(world.identity("relay2", Role.RELAY), announcement(events))
    ends.exchange_words(NOW + 600)
    ends.agent.tick(NOW + 600)
    ends.pump(NOW + 600)
    node = Node(ends, RelayRequests(sealer, ends.relay.session_id, ends.relay._peer), pair)
    ends.relay.carry(pair)
    assert ignored(ends.pump(NOW + 600)) == ["pair key for a seal key that is not announced (any more)"]
    node.ask(now=NOW + 600)
    assert node.hear(ends.pump(NOW + 600)) == [RequestRefused(1, "unsealable")]
    assert ends.agent.state is SessionState.OPEN


def test_a_node_that_makes_no_new_pair_key_is_forgotten(world: World) -> None:
    """One seal key later its requests still open, two later they do not; the others' go on."""
    node = second_node(world)
    for start, opens in ((NOW + 600, True), (NOW + 1200, False)):
        node.ends.exchange_words(start)
        node.ends.agent.tick(start)
        node.ends.pump(start)
        node.ask(int(start), now=start)
        ask(node.ends, int(start), begin_by=start + 4, deadline=start + 15)
        nodes = {request.id[0] for request in received(node.ends.pump(start))}
        assert nodes == ({"relay1", "relay2"} if opens else {"relay1"})


def test_a_pair_key_must_be_a_relays_and_signed(world: World) -> None:
    """An agent's certificate makes none, and a relay's only with its key."""
    for identity, signer in (
        (world.identity("agent2", Role.AGENT), None),
        (world.identity("relay2", Role.RELAY), world.agent),
    ):
        ends = world.ends()
        pair, _ = make_pair(identity, announcement(ends.pump()))
        if signer is not None:
            pair = replace(pair, signature=signer.sign(b"whatever"))
        ends.relay.carry(pair)
        ends.pump()
        assert closed(ends).code == CloseCode.REFUSED


def test_carrying_needs_an_open_session(world: World) -> None:
    """As asking does."""
    with pytest.raises(UnexpectedMessage, match=r"^unexpected message: carrying needs an open session$"):
        world.ends().relay.carry(Cancel("relay2", 1))
    ends = world.open()
    ends.relay.close(CloseCode.GOING_AWAY, "bye")
    with pytest.raises(UnexpectedMessage, match="open session"):
        ends.relay.carry(Cancel("relay2", 1))


# -- accounts


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_answer_says_whose_account_it_is_about(world: World, outcome: Outcome) -> None:
    """In clear within the seal, refusals included; of nobody there is none."""
    ends, _ = under_way(world)
    ends.agent.answer(of(1), AnswerBody(outcome, detail="dc1"), ANNA.account)
    assert ends.pump() == [Answered(1, AnswerBody(outcome, detail="dc1", account=ANNA.account))]
    ask(ends, 2)
    ends.pump()
    ends.agent.answer(of(2), AnswerBody(outcome))
    assert ends.pump() == [Answered(2, AnswerBody(outcome))]


def test_an_answer_is_about_the_person_that_it_identifies(world: World) -> None:
    """Whatever else it says: else a success of one would clear what is counted against another."""
    ends, _ = under_way(world)
    ends.agent.answer(of(1), AnswerBody(Outcome.SUCCESS, ANNA, account=AccountId("9d1c", "another")), ANNA.account)
    (answered,) = ends.pump()
    assert isinstance(answered, Answered)
    assert answered.body.subject == ANNA.account


def test_an_answer_that_is_too_large_says_it_too(world: World) -> None:
    """It is counted by it."""
    ends, _ = under_way(world)
    huge = Identity("g", "anna", "x" * 1_100_000, directory="9d1c")
    ends.agent.answer(of(1), AnswerBody(Outcome.SUCCESS, huge), huge.account)
    (answered,) = ends.pump()
    assert isinstance(answered, Answered)
    assert (answered.body.outcome, answered.body.subject) == (Outcome.NO_DIRECTORY, AccountId("9d1c", "g"))


@pytest.mark.parametrize("part", ["\0", "a\x1b[2J", "x" * 1025])
def test_an_account_that_nobody_could_keep_is_unreadable(world: World, part: str) -> None:
    """PostgreSQL takes no NUL, a terminal takes too much."""
    for body in (
        AnswerBody(Outcome.WRONG_CREDENTIAL, account=AccountId(part, "3f1c")),
        AnswerBody(Outcome.WRONG_CREDENTIAL, account=AccountId("9d1c", part)),
        AnswerBody(Outcome.SUCCESS, Identity(part, "anna", "corp")),
        AnswerBody(Outcome.SUCCESS, Identity("3f1c", "anna", "corp", directory=part)),
    ):
        ends, _ = under_way(world)
        ends.agent.answer(of(1), body)
        (event,) = ends.pump()
        assert isinstance(event, AnswerUnreadable)
