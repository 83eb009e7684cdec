"""An authorization request on its way through pages of ours: what `Transaction.request` holds. Kind of state: carried."""

from __future__ import annotations

from typing import Literal

import msgspec


class PendingRequest(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The request as it came, and what the person has answered meanwhile."""

    query: str
    pushed: bool = False
    """Whether the application's server sent it ahead (RFC 9126)."""
    answer: Literal["", "allow", "deny"] = ""
    """To the question of consent."""
    scope: tuple[str, ...] = ()
    """That was asked about."""
    subject: str = ""
    """Who answered, as this application knows them: the answer is nobody else's."""

    def __repr__(self) -> str:
        return f"PendingRequest(answer={self.answer!r}, …)"

    def answer_of(self, subject: str) -> str:
        """What that person has answered; empty for somebody else."""
        return self.answer if self.subject == subject else ""


write_pending = msgspec.msgpack.Encoder().encode
_pending = msgspec.msgpack.Decoder(PendingRequest)


def read_pending(data: bytes) -> PendingRequest | None:
    """None for what a node of another version has written."""
    try:
        return _pending.decode(data)
    except msgspec.MsgspecError:
        return None
