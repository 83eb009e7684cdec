"""What an agent reports of its health: the bodies of `?report`, maps whose unknown keys are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from gateway.protocol.messages import ControllerName, Domain, StateWord, decode_with

DIRECTORIES_REPORT: Final = ("directories", 1)
"""Kind and version of the report on domain controllers."""
READINESS_REPORT: Final = ("readiness", 1)
"""Kind and version of the report on whether each directory can serve a sign-in."""
READINESS: Final = "readiness"
"""The capability of an agent that makes this report: until it has come, its directories cannot."""
READY: Final = "ready"
"""The condition of a directory that can serve a sign-in; any other word says what stands in the way."""
_WIRE_STATES: Final = {"up": "closed", "down": "open", "probing": "half_open"}
"""The words of version 1 for these states."""
_STATES: Final = {word: state for state, word in _WIRE_STATES.items()}


class DirectoriesReport(Struct, frozen=True):
    """Body of the report `directories`."""

    controllers: Annotated[Mapping[ControllerName, StateWord], Meta(max_length=1000)]
    """By domain controller: `closed` (up), `open` (down), `half_open` (probing)."""
    in_flight: Annotated[int, Meta(ge=0)]
    """Requests that this connection has not answered yet."""

    @classmethod
    def of(cls, states: Mapping[str, str], in_flight: int) -> DirectoriesReport:
        """states: `up`, `down` or `probing`, by domain controller."""
        return cls({name: _WIRE_STATES[state] for name, state in states.items()}, in_flight)

    @property
    def states(self) -> dict[str, str]:
        """`up`, `down` or `probing`, by domain controller; a word that is not known here as it came."""
        return {name: _STATES.get(word, word) for name, word in self.controllers.items()}


class DirectoryState(Struct, frozen=True):
    """Whether one directory of an agent can serve a sign-in."""

    name: ControllerName
    """Of the directory, in the agent's settings."""
    domains: Annotated[tuple[Domain, ...], Meta(max_length=1000)]
    """Of the agent's domains those whose users are in it; `*` for names without a domain."""
    condition: StateWord
    """`ready`, or what stands in the way: `not_checked`, `no_controller`, `service_account`, `base_dn`."""


class ReadinessReport(Struct, frozen=True):
    """Body of the report `readiness`."""

    directories: Annotated[tuple[DirectoryState, ...], Meta(max_length=1000)]


_readiness_report = msgspec.msgpack.Decoder(ReadinessReport)
_directories_report = msgspec.msgpack.Decoder(DirectoriesReport)


def decode_directories_report(data: bytes) -> DirectoriesReport:
    """Read the body of a report `directories`, version 1; raises MalformedFrame."""
    return decode_with(_directories_report, data)


def decode_readiness_report(data: bytes) -> ReadinessReport:
    """Read the body of a report `readiness`, version 1; raises MalformedFrame."""
    return decode_with(_readiness_report, data)
