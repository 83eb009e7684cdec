"""pypsrp's recorded sessions with real Windows hosts, which come with its source distribution: `make test` fetches it.

    build/pypsrp-0.9.1/tests/tests_pypsrp/responses/*.yml       request and response of each exchange, as SOAP envelopes

They are read here into what counts: the action, the fault, the state of the command, the PSRP messages by name.
"""

from __future__ import annotations

import base64
import os
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped]

NAMED = os.environ.get("ISTHMUS_PYPSRP_SOURCES", "")
"""The unpacked source distribution. Whoever sets this says that it is there."""
_BUILT = sorted((Path(__file__).parents[3] / "build").glob("pypsrp-*/"))
SOURCES = Path(NAMED) if NAMED else _BUILT[-1] if _BUILT else None

_HEAD = struct.Struct(">QQBI")
_END = 2
_CAPABILITY, _PRIVATE, _POOL_STATE, _SESSION_KEY = 0x00010002, 0x00021009, 0x00021005, 0x00010006
OUTPUT = 0x00041004
ERROR = 0x00041005
PIPELINE_STATE = 0x00041006
POOL = {_CAPABILITY: "capability", _PRIVATE: "private data", _POOL_STATE: "state", _SESSION_KEY: "session key"}
"""MS-PSRP 2.2.1: what a pool tells, by type."""


def paths() -> list[Path]:
    """Every recording; none without the sources."""
    return sorted((SOURCES / "tests" / "tests_pypsrp" / "responses").glob("test_*.yml")) if SOURCES else []


@dataclass(frozen=True, slots=True)
class Answer:
    """What counts of a response."""

    fault: str = ""
    """Windows's number."""
    action: str = ""
    state: str = ""
    """Of a command, or of a shell that was asked for."""
    streams: tuple[bytes, ...] = ()
    """Fragments."""

    @property
    def messages(self) -> tuple[bytes, ...]:
        """Whole PSRP messages."""
        return tuple(defragment(self.streams))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One of a session."""

    request: str
    answer: Answer
    broken: bool = False
    """There was no answer: a fault that somebody wrote into the file."""

    @property
    def action(self) -> str:
        """The last part of it, as in `Receive`."""
        found = re.search(r"/(\w+)</(?:\w+:)?Action>", self.request)
        assert found is not None, self.request
        return found.group(1)

    @property
    def command_id(self) -> str:
        """Of the command that it is about; empty for the pool."""
        found = re.search(r'CommandId="([^"]+)"', self.request)
        return found.group(1).upper() if found else ""


def session(path: Path) -> list[Exchange]:
    """One recording."""
    messages = yaml.safe_load(path.read_text(encoding="utf-8"))["messages"]
    return [
        Exchange(each["request"], read_answer(each.get("response") or ""), broken=bool(each.get("http_error")))
        for each in messages
    ]


def read_answer(envelope: str) -> Answer:
    """Of a host, real or simulated."""
    fault = re.search(r'WSManFault [^>]*Code="(\d+)"', envelope)
    action = re.search(r"/(\w+)</(?:\w+:)?Action>", envelope)
    state = re.search(r'State="[^"]*/(\w+)"', envelope) or re.search(r"State>(\w+)<", envelope)
    streams = re.findall(r"<(?:\w+:)?Stream[^>]*>([^<]+)<", envelope)
    return Answer(
        fault=fault.group(1) if fault else "",
        action=action.group(1) if action and not fault else "",
        state=state.group(1) if state else "",
        streams=tuple(base64.b64decode(each) for each in streams),
    )


def defragment(streams: Iterable[bytes]) -> Iterator[bytes]:
    """MS-PSRP 2.2.4."""
    begun: dict[int, bytes] = {}
    data = b"".join(streams)
    while len(data) >= _HEAD.size:
        number, _, flags, length = _HEAD.unpack(data[: _HEAD.size])
        begun[number] = begun.get(number, b"") + data[_HEAD.size : _HEAD.size + length]
        data = data[_HEAD.size + length :]
        if flags & _END:
            yield begun.pop(number)


def kind(message: bytes) -> int:
    """Its type."""
    found: int = struct.unpack("<I", message[4:8])[0]
    return found


def told(path: Path, wanted: int = OUTPUT) -> list[bytes]:
    """Every message of this type that the host sent in a session."""
    streams = [stream for each in session(path) for stream in each.answer.streams]
    return [message for message in defragment(streams) if kind(message) == wanted]
