"""The messages of `isthmus.agent.v1`: tagged structs in MessagePack, and their limits.

Handshake messages travel in the clear inside TLS, one in a frame. Afterwards every frame is a record
(see `records`) that holds a batch of messages.

On the wire a message is an array, `[tag, field, field, …]`, in the order in which the fields stand here: names do not
travel, the order does. The tags are wire format too, whatever a class is called. How the protocol grows:

- A message gets new fields at its end, with defaults. What stands there and is not known is ignored, in every message.
- `AgentIntroduction` and `Acceptance`, like the sealed bodies (see `bodies`), are maps: unknown keys are ignored.
- A new kind of message has a tag of its own. Where that begins with `?`, an end that does not know it ignores it; any
  other unknown kind ends the session, so the other end must have said that it takes it (a capability).
- What an end does beyond this page, it states as a capability in the handshake. Unknown ones are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from gateway.protocol.errors import MalformedFrame, UnexpectedMessage

_T = TypeVar("_T")

SUBPROTOCOL = "isthmus.agent.v1"
VERSION = 1
MAX_HANDSHAKE = 64 * 1024
"""Bytes of one handshake frame: two certificates and a post-quantum key fit many times."""
MAX_FRAME = 1024 * 1024
"""Bytes of one record: an identity with AD's most (1,015) groups takes about 100 KiB."""
MAX_SEALED = MAX_FRAME - 1024
"""Bytes of one sealed body, its tag included."""
MAX_REPORT = 256 * 1024
"""Bytes of one report's body."""
MAX_BATCH = 256
"""Messages in one record."""
PROBE = "probe"
"""Capability. Of an agent: it only asks whether it would be let in. Of a relay: it answers that, and ends the session."""

Name = Annotated[str, Meta(min_length=1, max_length=253)]
Word = Annotated[str, Meta(min_length=1, max_length=64)]
"""An operation, a capability, a reason, an id."""
Text = Annotated[str, Meta(max_length=1024)]
_ODD: Final = "\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
"""Controls, marks that turn the direction, what cannot be seen. What an agent says of itself is stored and shown: PostgreSQL
takes no NUL, terminals take too much."""
Domain = Annotated[str, Meta(min_length=1, max_length=253, pattern=f'^[^{_ODD}\\s\\[\\]<>"\\\\/]*\\Z')]
"""A UPN suffix or a NetBIOS name, as directories have them; `*` for all."""
Software = Annotated[str, Meta(max_length=64, pattern="^[A-Za-z0-9 ._+:~()-]*\\Z")]
"""A version."""
ControllerName = Annotated[str, Meta(min_length=1, max_length=512, pattern=f"^[^{_ODD}\\n]*\\Z")]
"""Directory and address."""
StateWord = Annotated[str, Meta(min_length=1, max_length=32, pattern="^[a-z][a-z_]*\\Z")]
"""A state, by its name in the protocol."""
Nonce = Annotated[bytes, Meta(min_length=32, max_length=32)]
Der = Annotated[bytes, Meta(min_length=1, max_length=8192)]
Signature = Annotated[bytes, Meta(min_length=1, max_length=512)]
SealedBytes = Annotated[bytes, Meta(min_length=16, max_length=MAX_SEALED)]
Proof = Annotated[bytes, Meta(min_length=16, max_length=512)]
SealKeyBytes = Annotated[bytes, Meta(min_length=1216, max_length=1216)]
KeyId = Annotated[bytes, Meta(min_length=8, max_length=8)]
Number = Annotated[int, Meta(ge=1, le=2**62)]
Seconds = Annotated[float, Meta(ge=0, le=2**40)]
Capabilities = Annotated[tuple[Word, ...], Meta(max_length=256)]


class _Message(Struct, frozen=True, array_like=True):
    """Base: compact on the wire; further elements at the end are ignored."""


# --- handshake ---------------------------------------------------------------------------------------------------


class Hello(_Message, frozen=True, tag="hello"):
    """Relay's first word: its certificate, a fresh nonce and its clock. Proves nothing yet; `Welcome` does."""

    versions: Annotated[tuple[int, ...], Meta(min_length=1, max_length=16)]
    nonce: Nonce
    certificate: Der
    """Whoever this names is the relay's node."""
    time: Seconds
    capabilities: Capabilities = ()


class AgentIntroduction(Struct, frozen=True):
    """What an agent says of itself; signed inside `AgentHello`. A map: unknown keys are ignored."""

    version: int
    instance: Word
    """Random, one for each process: tells a second connection from a cloned identity."""
    nonce: Nonce
    certificate: Der
    """Whoever this names is the agent."""
    seal_key: SealKeyBytes
    """HPKE public key, ML-KEM-768 + X25519, for this session's secret alone."""
    capacity: Annotated[int, Meta(ge=1, le=100_000)]
    """Requests taken at once on this connection."""
    domains: Annotated[tuple[Domain, ...], Meta(max_length=1000)]
    """UPN suffixes and NetBIOS names that this agent answers for, lower case; `*` for all."""
    software: Software
    time: Seconds
    capabilities: Capabilities = ()
    """The operations that it does are among them."""


class AgentHello(_Message, frozen=True, tag="agent-hello"):
    """`body` is an encoded `AgentIntroduction`; the signature covers the transcript so far and the body."""

    body: Annotated[bytes, Meta(max_length=MAX_HANDSHAKE)]
    signature: Signature


class Acceptance(Struct, frozen=True):
    """What the relay grants; signed inside `Welcome`. A map: unknown keys are ignored."""

    session: Word
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
    """A sealed request. Node and number name it; times are Unix seconds on the node's clock."""

    node: Name
    """The relay node that sealed it, as certified; it need not be the one at the other end."""
    number: Number
    key: KeyId
    operation: Word
    """In the clear, for dispatch; the seal is bound to it. An agent that does not know it refuses it (`unsupported`)."""
    begin_by: Seconds
    """No bind may begin after this: the relay then asks somebody else."""
    deadline: Seconds
    sealed: SealedBytes


class Cancel(_Message, frozen=True, tag="cancel"):
    """Nobody waits for this answer any more; not begun, it is dropped."""

    node: Name
    number: Number


class PairKey(_Message, frozen=True, tag="pair-key"):
    """A new sealing secret from one relay node, sealed to the seal key that the agent announced, and signed.

    Any node may make one, and more than one, as long as the seal key is announced.
    """

    seal_key: KeyId
    """Which one it is sealed to (see `sealing.seal_key_id`)."""
    sealed_secret: SealedBytes
    certificate: Der
    """Whoever this names is the node."""
    signature: Signature


class Renewed(_Message, frozen=True, tag="renewed"):
    """The agent's next certificate (DER), for the key of its `Renew`."""

    certificate: Der


class RenewalDenied(_Message, frozen=True, tag="renewal-refused"):
    """The agent keeps the certificate that it has; `reason` is for its operator."""

    reason: Text


class Allowed(_Message, frozen=True, tag="?allowed"):
    """To an agent that only asks (capability `probe`): the domains that it may answer for; null for any that it claims."""

    domains: Annotated[tuple[Domain, ...], Meta(max_length=1000)] | None


class Ping(_Message, frozen=True, tag="ping"):
    """Asks for a `Pong`; `time` is the sender's Unix seconds."""

    time: Seconds


# --- records, agent to relay -------------------------------------------------------------------------------------


class Begun(_Message, frozen=True, tag="begun"):
    """The agent is about to bind: from here on nobody else may try this request."""

    node: Name
    number: Number
    proof: Proof
    """By the reply key (see `sealing.ReplySeal`)."""


class Answer(_Message, frozen=True, tag="answer"):
    """An `AnswerBody` under the reply key of its request."""

    node: Name
    number: Number
    sealed: SealedBytes


class Refuse(_Message, frozen=True, tag="refuse"):
    """The agent did not begin and will not: somebody else may.

    Reasons are `busy`, `draining`, `late`, `unsupported`, `cancelled`, `unsealable`, of a look-up `not_mine` and `limit`;
    an unknown one means no less.
    """

    node: Name
    number: Number
    reason: Word
    proof: Proof
    """By the reply key; for `unsealable`, where there is none, the agent's signature over `sealing.unsealable_text`."""


class Capacity(_Message, frozen=True, tag="capacity"):
    """How many requests the agent takes at once from now on."""

    requests: Annotated[int, Meta(ge=0, le=100_000)]


class Announce(_Message, frozen=True, tag="announce"):
    """A new seal key for pair keys; the signature is the agent's over `announcement_text`. The one before is forgotten."""

    seal_key: SealKeyBytes
    signature: Signature


class Renew(_Message, frozen=True, tag="renew"):
    """A certificate request (PKCS #10, DER) for a key that the agent made."""

    csr: Der


class Report(_Message, frozen=True, tag="?report"):
    """Something about the agent's health. `kind` and `version` say how `body` is read; unknown ones are left alone."""

    kind: Word
    version: Annotated[int, Meta(ge=1, le=1000)]
    body: Annotated[bytes, Meta(max_length=MAX_REPORT)]


# --- both ways ---------------------------------------------------------------------------------------------------


class Drain(_Message, frozen=True, tag="drain"):
    """Nothing new, please: the sender is about to leave; what is in flight will be finished."""


class Pong(_Message, frozen=True, tag="pong"):
    """`echo` is the ping's time, `time` the sender's own."""

    echo: Seconds
    time: Seconds


ToAgent = Request | Cancel | PairKey | Renewed | RenewalDenied | Allowed | Ping | Pong | Drain | Bye
ToRelay = Begun | Answer | Refuse | Capacity | Announce | Renew | Report | Ping | Pong | Drain | Bye

_encoder = msgspec.msgpack.Encoder()
_handshake_decoder: msgspec.msgpack.Decoder[Hello | AgentHello | Welcome | Bye] = msgspec.msgpack.Decoder(
    Hello | AgentHello | Welcome | Bye
)
_introduction_decoder = msgspec.msgpack.Decoder(AgentIntroduction)
_acceptance_decoder = msgspec.msgpack.Decoder(Acceptance)

encode = _encoder.encode
"""One message, or a batch (list), to MessagePack."""


class _Kind(Struct, array_like=True):
    """Of what may be ignored the tag alone is read, and nothing is made of the rest: a million empty arrays in a megabyte
    take 0.4 s, and a map whose key is a map cannot be made at all."""

    tag: str


class BatchDecoder(Generic[_T]):
    """Reads what a record holds. kinds: the union of the messages that this end takes."""

    def __init__(self, kinds: Any) -> None:
        self._tags = {kind.__struct_config__.tag for kind in get_args(kinds)}
        self._batch: msgspec.msgpack.Decoder[list[_T]] = msgspec.msgpack.Decoder(
            Annotated[list[kinds], Meta(max_length=MAX_BATCH)]
        )
        self._one: msgspec.msgpack.Decoder[_T] = msgspec.msgpack.Decoder(kinds)

    def decode(self, data: bytes) -> list[_T]:
        """The messages, without those of an unknown kind that is optional. Raises MalformedFrame, UnexpectedMessage."""
        try:
            return self._batch.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pieces = decode_with(_pieces, data)
        known = [piece for piece in pieces if not self._is_ignored(piece)]
        return [decode_with(self._one, piece) for piece in known]

    def _is_ignored(self, piece: msgspec.Raw) -> bool:
        try:
            tag = _kind.decode(piece).tag
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False  # no message at all
        if tag in self._tags:
            return False  # read as what it says it is
        if not tag.startswith("?"):
            raise UnexpectedMessage(f"unknown kind of message {tag[:64]!r}")
        return True


_pieces: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(
    Annotated[list[msgspec.Raw], Meta(max_length=MAX_BATCH)]
)
_kind = msgspec.msgpack.Decoder(_Kind)

to_agent: Final[BatchDecoder[ToAgent]] = BatchDecoder(ToAgent)
to_relay: Final[BatchDecoder[ToRelay]] = BatchDecoder(ToRelay)


def decode_handshake(data: bytes) -> Hello | AgentHello | Welcome | Bye:
    """Read a handshake frame; raises MalformedFrame."""
    if len(data) > MAX_HANDSHAKE:
        raise MalformedFrame(f"handshake frame of {len(data)} bytes, at most {MAX_HANDSHAKE} are taken")
    return decode_with(_handshake_decoder, data)


def decode_introduction(data: bytes) -> AgentIntroduction:
    """Read the signed part of an AgentHello; raises MalformedFrame."""
    return decode_with(_introduction_decoder, data)


def decode_acceptance(data: bytes) -> Acceptance:
    """Read the signed part of a Welcome; raises MalformedFrame."""
    return decode_with(_acceptance_decoder, data)


def decode_with(decoder: msgspec.msgpack.Decoder[_T], data: bytes | msgspec.Raw) -> _T:
    """What a decoder makes of it; raises MalformedFrame for what it cannot read."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # `from None`: the decoder's error may quote what it read, and that may be a secret
        raise MalformedFrame(type(error).__name__) from None
