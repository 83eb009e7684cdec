"""What is sealed: one struct for each operation, and the answer.

All are maps on the wire: a field that is not known is ignored, one that is missing has its default. So either end may
say more than the other understands. The operation itself stands in the clear envelope (see `messages.Request`), where
dispatch and whoever carries a request can read it; the seal is bound to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from gateway.protocol.accounts import AccountId, Part
from gateway.protocol.errors import MalformedFrame
from gateway.protocol.outcome import Identity, NewPasswordRules, Outcome

Text = Annotated[str, Meta(max_length=1024)]
AttributeName = Annotated[str, Meta(min_length=1, max_length=256, pattern="^[A-Za-z0-9;.-]+\\Z")]
"""An attribute's name or OID, with options (RFC 4512 section 2.5)."""
AttributeNames = Annotated[tuple[AttributeName, ...], Meta(max_length=64)]
ReplyKey = Annotated[bytes, Meta(min_length=32, max_length=32)]


class SealedRequest(Struct, frozen=True):
    """What the request of any operation holds, known or not: enough to refuse it so that nobody else could have."""

    reply_key: ReplyKey
    """AES-256 key of what the agent says on this request, and of nothing else."""
    correlation_id: Annotated[str, Meta(max_length=64)] = ""

    def __repr__(self) -> str:
        return f"SealedRequest({self.correlation_id!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "correlation_id", self.correlation_id


class VerifyRequest(SealedRequest, frozen=True, kw_only=True):
    """Operation `verify`: is this the person's password, and who is it?"""

    operation: ClassVar[str] = "verify"
    user_name: Text
    """As typed."""
    password: Text

    def __repr__(self) -> str:
        return f"VerifyRequest({self.user_name!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "user_name", self.user_name


class ChangeRequest(SealedRequest, frozen=True, kw_only=True):
    """Operation `change`: set another password, proving the one before."""

    operation: ClassVar[str] = "change"
    user_name: Text
    password: Text
    new_password: Text

    def __repr__(self) -> str:
        return f"ChangeRequest({self.user_name!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "user_name", self.user_name


class LookUpRequest(SealedRequest, frozen=True, kw_only=True):
    """Operation `look_up`: who is it, and does the account live? Without a password: nothing is bound.

    Exactly one of `object_guid`, `sid` and `user_name` says who. Another number of them is malformed.
    """

    operation: ClassVar[str] = "look_up"
    directory: Part = ""
    """With `object_guid`: the directory part of the account (see `AccountId`)."""
    object_guid: Part = ""
    sid: Annotated[str, Meta(max_length=256)] = ""
    user_name: Text = ""
    """userPrincipalName, DOMAIN\\name or an alternate login."""
    domain: Annotated[str, Meta(max_length=253)] = ""
    """Which of the agent's directories is asked; empty: the one of `user_name`, or the only one."""
    attributes: AttributeNames = ()
    """Attributes wanted beside the identity's own fields."""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.object_guid, self.sid, self.user_name))) != 1:
            raise ValueError("exactly one of object_guid, sid and user_name")

    def __repr__(self) -> str:
        return f"LookUpRequest({self.person!r}, …)"

    @property
    def person(self) -> str:
        """Whom it is about, as it was asked."""
        return self.object_guid or self.sid or self.user_name


RequestBody = VerifyRequest | ChangeRequest | LookUpRequest


class AnswerBody(Struct, frozen=True, omit_defaults=True):
    """What came of a request at the directory; sealed for the relay node that asked. Unknown fields are ignored."""

    outcome: Outcome
    identity: Identity | None = None
    password_proven: bool = False
    """The password was right, whatever else stood in the way."""
    detail: Text = ""
    """For the operator: sub-code, domain controller; never a secret."""
    milliseconds: float = 0.0
    """Time spent at the directory."""
    account: AccountId | None = None
    """Whom the name belongs to, whatever the outcome, where no identity says it; None where nobody was found."""
    rule: Annotated[str, Meta(max_length=64)] = ""
    """With `password_rejected`: `min_length`, `history`, `complexity`, `min_age`, `not_permitted`; empty where it
    is not known. Whoever reads it must bear others."""
    rule_value: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """Characters, passwords, kinds of characters, seconds that are left; 0 where it is not known."""
    controller: Text = ""
    """host:port of the domain controller that answered; empty where none did, and of older agents."""
    new_password: NewPasswordRules | None = None
    """With `success`, `password_expired` and `must_change`: what the next one has to be, where it is known."""

    password_set: Annotated[float, Meta(ge=0, le=2**40)] = 0.0
    """With `success` of `verify` and `look_up`: when the password was set, Unix seconds; 0 where that is not known."""
    status: Annotated[str, Meta(max_length=64, pattern="^[a-z_]*\\Z")] = ""
    """With `success` of `look_up`: `live`, `must_change`, `locked`, `expired`, `disabled`, `gone`. Whoever reads it must
    bear others."""
    withheld: AttributeNames = ()
    """With `success` of `look_up`: wanted attributes that the agent does not give to any relay."""

    @property
    def subject(self) -> AccountId | None:
        """Whose account the answer is about."""
        return self.identity.account if self.identity is not None else self.account


_T = TypeVar("_T")
_encode = msgspec.msgpack.Encoder().encode
_sealed_request = msgspec.msgpack.Decoder(SealedRequest)
_requests: Final[Mapping[str, msgspec.msgpack.Decoder[Any]]] = {
    VerifyRequest.operation: msgspec.msgpack.Decoder(VerifyRequest),
    ChangeRequest.operation: msgspec.msgpack.Decoder(ChangeRequest),
    LookUpRequest.operation: msgspec.msgpack.Decoder(LookUpRequest),
}
_answer = msgspec.msgpack.Decoder(AnswerBody)

OPERATIONS: Final = tuple(_requests)
"""The operations whose requests are known here; an agent states those it does as capabilities."""


def encode_body(body: SealedRequest | AnswerBody) -> bytes:
    """To MessagePack, as it is sealed."""
    return _encode(body)


def decode_request(operation: str, data: bytes) -> SealedRequest:
    """Read what a sealed request held: a RequestBody where the operation is known here. Raises MalformedFrame."""
    body: SealedRequest = _decode(_requests.get(operation, _sealed_request), data)
    return body


def decode_answer(data: bytes) -> AnswerBody:
    """Read what a sealed answer held; raises MalformedFrame, for an outcome that is not known here as well."""
    return _decode(_answer, data)


def _decode(decoder: msgspec.msgpack.Decoder[_T], data: bytes) -> _T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # `from None`: the decoder's error may quote what it read, and that may be a secret
        raise MalformedFrame(type(error).__name__) from None
