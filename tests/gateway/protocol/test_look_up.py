"""The operation `look_up`: what may be asked, what is answered, and what becomes of anything else."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.protocol import (
    AccountId,
    AnswerBody,
    Answered,
    Identity,
    LookUpRequest,
    MalformedFrame,
    Outcome,
    RequestReceived,
    RequestRefused,
    look_up_body,
)
from gateway.protocol.bodies import decode_answer, decode_request, encode_body
from gateway.protocol.messages import encode
from tests.gateway.protocol.test_session import NOW, World, of


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


GUID = "3f1c5a0e-0000-4000-8000-000000000001"


def test_a_look_up_and_its_answer_cross_the_wire(world: World) -> None:
    """Sealed like any other request; nothing has to be begun for it."""
    ends = world.open()
    body = look_up_body("c0ffee", directory="9d1c", object_guid=GUID, domain="corp.example.com", attributes=("department",))
    ends.relay.send_request(1, begin_by=NOW + 4, deadline=NOW + 5, body=body)
    (received,) = ends.pump()
    assert isinstance(received, RequestReceived)
    assert received.body == body
    identity = Identity(object_guid=GUID, user_name="anna@corp.example.com", domain="corp.example.com", directory="9d1c")
    answer = AnswerBody(Outcome.SUCCESS, identity, password_set=12.5, status="live", withheld=("department",))
    ends.agent.answer(of(1), answer)
    assert ends.pump() == [Answered(1, answer)]


@pytest.mark.parametrize("reason", ["not_mine", "limit"])
def test_a_look_up_that_is_not_answered_is_given_back(world: World, reason: str) -> None:
    """With the agent's proof, so that nobody in between can say it."""
    ends = world.open()
    ends.relay.send_request(1, begin_by=NOW + 4, deadline=NOW + 5, body=look_up_body("c0ffee", sid="S-1-5-21-1-2-3-4"))
    ends.pump()
    ends.agent.refuse(of(1), reason)
    assert ends.pump() == [RequestRefused(1, reason)]


NOBODY: dict[str, Any] = {"reply_key": bytes(32), "correlation_id": "c0ffee"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"object_guid": GUID, "sid": "S-1-5-21-1-2-3-4"},
        {"object_guid": GUID, "user_name": "anna"},
        {"user_name": "a" * 1025},
        {"object_guid": "a\0b"},
        {"sid": "S" * 257},
        {"user_name": "anna", "domain": "d" * 254},
        {"user_name": "anna", "attributes": ["mail"] * 65},
        {"user_name": "anna", "attributes": [""]},
        {"user_name": "anna", "attributes": ["a b"]},
        {"user_name": "anna", "attributes": ["mail\n"]},
        {"user_name": "anna", "attributes": ["*"]},
        {"user_name": "anna", "attributes": "mail"},
    ],
)
def test_what_says_not_who_or_too_much_is_malformed(fields: dict[str, Any]) -> None:
    """Exactly one key, within bounds; `*` is no attribute's name, so nobody asks for all."""
    with pytest.raises(MalformedFrame):
        decode_request("look_up", encode({**NOBODY, **fields}))
    if "user_name" not in fields and len(fields) != 1:
        with pytest.raises(ValueError, match="exactly one"):
            look_up_body("c0ffee", **fields)


@pytest.mark.parametrize(
    "who", [{"object_guid": GUID, "directory": "9d1c"}, {"sid": "S-1-5-21-1-2-3-4"}, {"user_name": "anna"}]
)
def test_each_way_to_say_who_stays_what_it_is(who: dict[str, str]) -> None:
    """And each request has a reply key of its own."""
    first, second = (look_up_body("c0ffee", **who, domain="example.com", attributes=("mail",)) for _ in range(2))
    given = {name: getattr(first, name) for name in ("directory", "object_guid", "sid", "user_name")}
    assert {name: value for name, value in given.items() if value} == who
    assert (first.correlation_id, first.domain, first.attributes) == ("c0ffee", "example.com", ("mail",))
    assert first.reply_key != second.reply_key


def test_what_a_newer_relay_adds_is_ignored() -> None:
    """In a request as in an answer."""
    body = decode_request("look_up", encode({**NOBODY, "user_name": "anna", "devices": True}))
    assert isinstance(body, LookUpRequest)
    assert (body.person, body.attributes) == ("anna", ())
    answer = decode_answer(encode({"outcome": "success", "status": "on_leave", "until": 7}))
    assert answer.status == "on_leave"


@pytest.mark.parametrize("status", ["a" * 65, "gone\n", "LIVE", "li ve"])
def test_a_status_that_is_no_word_cannot_be_read(status: str) -> None:
    """It is logged, and shown."""
    with pytest.raises(MalformedFrame):
        decode_answer(encode({"outcome": "success", "status": status}))


def test_an_answer_to_a_sign_in_may_say_when_the_password_was_set() -> None:
    """An older end leaves it out, and reads an answer with it."""
    answer = AnswerBody(Outcome.SUCCESS, account=AccountId("9d1c", GUID), password_set=1_700_000_000.0)
    assert decode_answer(encode_body(answer)) == answer
    assert decode_answer(encode({"outcome": "success"})).password_set == 0.0
