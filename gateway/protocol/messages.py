"""The messages of `isthmus.agent.v1`: tagged structs in MessagePack, and their limits.

Handshake messages travel in the clear inside TLS, one in a frame. Afterwards every frame is a record
(see `records`) that holds a batch of messages.

On the wire a message is an array, `[tag, field, field, …]`, in the order in which the fields stand here: names do not
travel, the order does. The tags are wire format too, whatever a class is called.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from gateway.protocol.errors import MalformedFrame
from gateway.protocol.outcome import Identity, Outcome

_T = TypeVar("_T")

SUBPROTOCOL = "isthmus.agent.v1"
VERSION = 1
MAX_HANDSHAKE = 64 * 1024
"""Bytes of one handshake frame: two certificates and a post-quantum key fit many times."""
MAX_FRAME = 1024 * 1024
"""Bytes of one record: an identity with AD's most (1,015) groups takes about 100 KiB."""
MAX_BATCH = 256
"""Messages in one record."""

Name = Annotated[str, Meta(min_length=1, max_length=253)]
Text = Annotated[str, Meta(max_length=1024)]
Nonce = Annotated[bytes, Meta(min_length=32, max_length=32)]
Der = Annotated[bytes, Meta(min_length=1, max_length=8192)]
Signature = Annotated[bytes, Meta(min_length=1, max_length=512)]
SealedBytes = Annotated[bytes, Meta(min_length=16, max_length=MAX_FRAME - 1024)]
SealKeyBytes = Annotated[bytes, Meta(min_length=1216, max_length=1216)]
KeyId = Annotated[bytes, Meta(min_length=8, max_length=8)]
RequestId = Annotated[int, Meta(ge=1, le=2**62)]
Seconds = Annotated[float, Meta(ge=0, le=2**40)]


class _Message(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base: compact on the wire, strict when read."""


# --- handshake ---------------------------------------------------------------------------------------------------


class Hello(_Message, frozen=True, tag="hello"):
    """Relay's first word: its certificate, a fresh nonce and its clock. Proves nothing yet; `Welcome` does."""

    versions: Annotated[tuple[int, ...], Meta(min_length=1, max_length=16)]
    relay: Name
    nonce: Nonce
    certificate: Der
    time: Seconds


class AgentIntroduction(_Message, frozen=True, tag="introduction"):
    """What an agent says of itself; signed inside `AgentHello`."""

    version: int
    agent: Name
    instance: Annotated[str, Meta(min_length=1, max_length=64)]
    """Random, one for each process: tells a second connection from a cloned identity."""
    nonce: Nonce
    certificate: Der
    seal_key: SealKeyBytes
    """HPKE public key, ML-KEM-768 + X25519."""
    capacity: Annotated[int, Meta(ge=1, le=100_000)]
    """Requests taken at once on this connection."""
    domains: Annotated[tuple[Name, ...], Meta(max_length=1000)]
    """UPN suffixes and NetBIOS names that this agent answers for, lower case; `*` for all."""
    software: Annotated[str, Meta(max_length=64)]
    time: Seconds


class AgentHello(_Message, frozen=True, tag="agent-hello"):
    """`body` is an encoded `AgentIntroduction`; the signature covers the transcript so far and the body."""

    body: Annotated[bytes, Meta(max_length=MAX_HANDSHAKE)]
    signature: Signature


class Acceptance(_Message, frozen=True, tag="acceptance"):
    """What the relay grants; signed inside `Welcome`."""

    session: Annotated[str, Meta(min_length=1, max_length=64)]
    sealed_secret: SealedBytes
    """32 random bytes under the agent's seal key: records and seals of this session derive from it."""
    ping_interval: Annotated[float, Meta(ge=0.05, le=3600)]
    """Seconds between pings; three without a word and either end gives up."""
    time: Seconds


class Welcome(_Message, frozen=True, tag="welcome"):
    """`body` is an encoded `Acceptance`; the signature covers the transcript so far and the body."""

    body: Annotated[bytes, Meta(max_length=MAX_HANDSHAKE)]
    signature: Signature


class Bye(_Message, frozen=True, tag="bye"):
    """Last word of either end. `reason` is for the peer's operator and says nothing internal."""

    code: int
    reason: Annotated[str, Meta(max_length=256)]


# --- records, relay to agent -------------------------------------------------------------------------------------


class Request(_Message, frozen=True, tag="request"):
    """A sealed credential check. Times are Unix seconds on the relay's clock."""

    id: RequestId
    key: KeyId
    begin_by: Seconds
    """No bind may begin after this: the relay then asks somebody else."""
    deadline: Seconds
    sealed: SealedBytes


class Cancel(_Message, frozen=True, tag="cancel"):
    """Nobody waits for this answer any more; not begun, it is dropped."""

    id: RequestId


class PairKey(_Message, frozen=True, tag="pair-key"):
    """A new sealing secret from one relay node, sealed to the seal key that the agent announced, and signed."""

    relay: Name
    sealed_secret: SealedBytes
    certificate: Der
    signature: Signature


class Renewed(_Message, frozen=True, tag="renewed"):
    """The agent's next certificate (DER), for the key of its `Renew`."""

    certificate: Der


class RenewalDenied(_Message, frozen=True, tag="renewal-refused"):
    """The agent keeps the certificate that it has; `reason` is for its operator."""

    reason: Text


class Ping(_Message, frozen=True, tag="ping"):
    """Asks for a `Pong`; `time` is the sender's Unix seconds."""

    time: Seconds


# --- records, agent to relay -------------------------------------------------------------------------------------


class Begun(_Message, frozen=True, tag="begun"):
    """The agent is about to bind: from here on nobody else may try this request."""

    id: RequestId


class Answer(_Message, frozen=True, tag="answer"):
    """An `AnswerBody` under the reply key of its request."""

    id: RequestId
    sealed: SealedBytes


class Refuse(_Message, frozen=True, tag="refuse"):
    """The agent did not begin and will not: somebody else may."""

    id: RequestId
    reason: Literal["busy", "draining", "late", "unsealable", "cancelled"]


class Capacity(_Message, frozen=True, tag="capacity"):
    """How many requests the agent takes at once from now on."""

    requests: Annotated[int, Meta(ge=0, le=100_000)]


class Announce(_Message, frozen=True, tag="announce"):
    """A new seal key; the signature is the agent's over `announcement_text`."""

    seal_key: SealKeyBytes
    signature: Signature


class Renew(_Message, frozen=True, tag="renew"):
    """A certificate request (PKCS #10, DER) for a key that the agent made."""

    csr: Der


class Status(_Message, frozen=True, tag="status"):
    """The agent's own view, for the operator: state of each domain controller (`closed`, `open`, `half_open`)."""

    directories: Annotated[dict[str, str], Meta(max_length=1000)]
    in_flight: Annotated[int, Meta(ge=0)]


# --- both ways ---------------------------------------------------------------------------------------------------


class Drain(_Message, frozen=True, tag="drain"):
    """Nothing new, please: the sender is about to leave; what is in flight will be finished."""


class Pong(_Message, frozen=True, tag="pong"):
    """`echo` is the ping's time, `time` the sender's own."""

    echo: Seconds
    time: Seconds


ToAgent = Request | Cancel | PairKey | Renewed | RenewalDenied | Ping | Pong | Drain | Bye
ToRelay = Begun | Answer | Refuse | Capacity | Announce | Renew | Status | Ping | Pong | Drain | Bye

# --- sealed bodies -----------------------------------------------------------------------------------------------


class RequestBody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is sealed for the agent: nobody between relay node and agent reads it."""

    operation: Literal["verify", "change"]
    user_name: Text
    password: Text
    new_password: Text
    correlation_id: Annotated[str, Meta(max_length=64)]
    reply_key: Nonce
    """Single-use AES-256 key for the answer."""

    def __repr__(self) -> str:
        return f"RequestBody(operation={self.operation!r}, user_name={self.user_name!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "operation", self.operation
        yield "user_name", self.user_name


class AnswerBody(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What came of a check at the directory; sealed for the relay node that asked."""

    outcome: Outcome
    identity: Identity | None = None
    password_proven: bool = False
    """The password was right, whatever else stood in the way."""
    detail: Text = ""
    """For the operator: sub-code, domain controller; never a secret."""
    milliseconds: float = 0.0
    """Time spent at the directory."""


_encoder = msgspec.msgpack.Encoder()
_handshake_decoder: msgspec.msgpack.Decoder[Hello | AgentHello | Welcome | Bye] = msgspec.msgpack.Decoder(
    Hello | AgentHello | Welcome | Bye
)
_introduction_decoder = msgspec.msgpack.Decoder(AgentIntroduction)
_acceptance_decoder = msgspec.msgpack.Decoder(Acceptance)
_request_body_decoder = msgspec.msgpack.Decoder(RequestBody)
_answer_body_decoder = msgspec.msgpack.Decoder(AnswerBody)
to_agent_decoder: msgspec.msgpack.Decoder[list[ToAgent]] = msgspec.msgpack.Decoder(
    Annotated[list[ToAgent], Meta(max_length=MAX_BATCH)]
)
to_relay_decoder: msgspec.msgpack.Decoder[list[ToRelay]] = msgspec.msgpack.Decoder(
    Annotated[list[ToRelay], Meta(max_length=MAX_BATCH)]
)

encode = _encoder.encode
"""One message, a batch (list) or a sealed body to MessagePack."""


def decode_batch(decoder: msgspec.msgpack.Decoder[_T], data: bytes) -> _T:
    """Read the batch in a record; raises MalformedFrame."""
    return _decode(decoder, data)


def decode_handshake(data: bytes) -> Hello | AgentHello | Welcome | Bye:
    """Read a handshake frame; raises MalformedFrame."""
    if len(data) > MAX_HANDSHAKE:
        raise MalformedFrame(f"handshake frame of {len(data)} bytes, at most {MAX_HANDSHAKE} are taken")
    return _decode(_handshake_decoder, data)


def decode_introduction(data: bytes) -> AgentIntroduction:
    """Read the signed part of an AgentHello; raises MalformedFrame."""
    return _decode(_introduction_decoder, data)


def decode_acceptance(data: bytes) -> Acceptance:
    """Read the signed part of a Welcome; raises MalformedFrame."""
    return _decode(_acceptance_decoder, data)


def decode_request_body(data: bytes) -> RequestBody:
    """Read what a sealed request held; raises MalformedFrame."""
    return _decode(_request_body_decoder, data)


def decode_answer_body(data: bytes) -> AnswerBody:
    """Read what a sealed answer held; raises MalformedFrame."""
    return _decode(_answer_body_decoder, data)


def _decode(decoder: msgspec.msgpack.Decoder[_T], data: bytes) -> _T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # `from None`: the decoder's error may quote what it read, and that may be a secret
        raise MalformedFrame(type(error).__name__) from None
