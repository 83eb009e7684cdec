"""What an agent says of itself: forms and bounds of the fields that are stored and shown."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.protocol.errors import MalformedFrame
from gateway.protocol.messages import AgentIntroduction
from gateway.protocol.reports import decode_directories_report


def convert_introduction(**said: Any) -> AgentIntroduction:
    """As it comes from the wire; the rest of it is as it should be."""
    rest = {
        "version": 1,
        "instance": "i1",
        "nonce": bytes(32),
        "certificate": b"x",
        "seal_key": bytes(1216),
        "capacity": 4,
        "time": 1.0,
    }
    return msgspec.msgpack.decode(msgspec.msgpack.encode({**rest, **said}), type=AgentIntroduction)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("domains", (text,))
            for text in ("", "a b", "x\n", "[/b]", "corp\x1b[2J", "\x9b", "\u202ecorp", "corp\u200b", "a<b")
        ),
        ("domains", ("d" * 254,)),
        *(("software", text) for text in ("[/0.1.0]", "1\n", "1\x1b", "\u202e1", "<b>", "1" * 65)),
    ],
)
def test_what_an_agent_says_of_itself_has_a_form(field: str, value: object) -> None:
    """It is stored, and shown to administrators."""
    said = {"domains": ("corp.example.com", "CORP_1", "müller.example", "*"), "software": "0.1.0.dev3+g1 (x)"}
    convert_introduction(**said)
    with pytest.raises(msgspec.ValidationError):
        convert_introduction(**{**said, field: value})


@pytest.mark.parametrize("report", [{"dc1\x1b[2J": "closed"}, {"dc1\n": "closed"}, {"": "closed"}, {"d" * 513: "closed"}])
@pytest.mark.parametrize("name", [True, False])
def test_what_an_agent_says_of_its_controllers_has_a_form(report: dict[str, str], name: bool) -> None:
    """Names and words; what has none is unreadable, and costs nobody anything."""
    good = {"controllers": {"corp.example.com dc1.corp.example.com:636": "half_open"}, "in_flight": 0}
    assert decode_directories_report(msgspec.msgpack.encode(good)).controllers == good["controllers"]
    controllers = report if name else {"dc1": next(iter(report))}
    with pytest.raises(MalformedFrame):
        decode_directories_report(msgspec.msgpack.encode({"controllers": controllers, "in_flight": 0}))
