"""A relay node's requests to one agent: sealed here, answered here, whoever carries them in between.

    node's RelayRequests ──► Request ──► (a node that has a session) ──► agent
                         ◄── Begun, Refuse, Answer ◄── `CarriedReceived` ◄──

A node with a session of its own keeps one in it (`RelaySession`). A node without makes one from the agent's announcement
and has its messages carried.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final

from certs import VerifiedPeer
from gateway.protocol.bodies import ChangeRequest, LookUpRequest, RequestBody, VerifyRequest
from gateway.protocol.errors import MalformedFrame, PeerRefused, SealBroken, UnexpectedMessage
from gateway.protocol.events import Announcement, Answered, AnswerUnreadable, BegunReceived, Event, RequestRefused
from gateway.protocol.messages import Answer, Begun, Cancel, PairKey, Refuse, Request
from gateway.protocol.sealing import (
    ReplySeal,
    Sealer,
    announcement_text,
    new_reply_key,
    pair_text,
    seal_key_id,
    seal_secret,
    unsealable_text,
)
from gateway.protocol.trust import IdentitySigner, verify_proof


def make_pair(identity: IdentitySigner, announced: Announcement) -> tuple[PairKey, Sealer]:
    """A new secret between this node and an agent: the message that tells the agent, and what seals under it.

    The announcement must have been verified. Raises MalformedFrame where the seal key is no key of the suite.
    """
    secret = os.urandom(32)
    info = announcement_text(identity.name, announced.session, announced.seal_key)
    sealed = seal_secret(secret, announced.seal_key, info=info)
    signature = identity.sign(pair_text(identity.name, announced.agent, announced.seal_key, sealed))
    pair = PairKey(seal_key_id(announced.seal_key), sealed, identity.certificate_der, signature)
    return pair, Sealer(secret, salt=info, relay=identity.name, agent=announced.agent)


class RelayRequests:
    """One for each agent session that this node asks through.

    session: the session's id. peer: the agent, as its certificate was verified.
    """

    def __init__(self, sealer: Sealer, session: str, peer: VerifiedPeer) -> None:
        self.sealer = sealer
        """Seals from the next request on."""
        self._session, self._peer = session, peer
        self._pending: dict[int, tuple[bytes, ReplySeal]] = {}
        """By number: id of the pair key that it was sealed under, and what verifies the agent's words on it."""
        self._last = 0

    def seal(self, number: int, *, begin_by: float, deadline: float, body: RequestBody) -> Request:
        """Seal a request. `number` rises with every call; times are Unix seconds on our clock. Raises ValueError."""
        request = self.sealer.seal(number, begin_by, deadline, body)
        self._pending[number] = request.key, ReplySeal(body.reply_key)
        self._last = number
        return request

    def give_up(self, number: int) -> Cancel | None:
        """Nobody waits for this answer any more: what tells the agent. None where it has come already."""
        if self._pending.pop(number, None) is None:
            return None
        return Cancel(self.sealer.relay, number)

    def take(self, message: Begun | Answer | Refuse) -> list[Event]:
        """Understand a word on one of them; nothing comes of a request that was given up.

        Raises UnexpectedMessage for one that was never made, SealBroken for what the agent did not say.
        """
        number = message.number
        if number > self._last:
            raise UnexpectedMessage(f"request {number} was never sent")
        pending = self._pending.get(number)
        if pending is None:
            return []  # the word crossed our Cancel
        key, reply = pending
        if isinstance(message, Begun):
            reply.verify_begun(message.proof)
            return [BegunReceived(number)]
        if isinstance(message, Answer):
            return self._take_answer(message, reply)
        self._verify_refusal(message, key, reply)
        del self._pending[number]
        return [RequestRefused(number, message.reason)]

    def _take_answer(self, message: Answer, reply: ReplySeal) -> list[Event]:
        number = message.number
        try:
            body = reply.open(number, self._peer.name, message.sealed)
        except MalformedFrame as error:  # sealed by the agent, which may be newer: it costs this request and no other
            del self._pending[number]
            return [AnswerUnreadable(number, error.detail)]
        del self._pending[number]
        return [Answered(number, body)]

    def _verify_refusal(self, message: Refuse, key: bytes, reply: ReplySeal) -> None:
        if message.reason == "unsealable":  # the agent has no reply key, so its identity speaks
            text = unsealable_text(self._peer.name, self._session, message.node, message.number, key)
            try:
                verify_proof(self._peer, message.proof, text)
            except PeerRefused as refused:
                raise SealBroken(refused.detail) from refused
        else:
            reply.verify_refusal(message.reason, message.proof)


PasswordRequest = VerifyRequest | ChangeRequest

_MAKERS: Final[Mapping[str, Callable[[str, str, str, str], PasswordRequest]]] = {
    VerifyRequest.operation: lambda user, password, _, correlation: VerifyRequest(
        new_reply_key(), correlation, user_name=user, password=password
    ),
    ChangeRequest.operation: lambda user, password, new, correlation: ChangeRequest(
        new_reply_key(), correlation, user_name=user, password=password, new_password=new
    ),
}


def request_body(operation: str, user_name: str, password: str, new_password: str, correlation_id: str) -> PasswordRequest:
    """A request with a fresh reply key; `operation` is `verify` or `change`. To be made anew for each agent tried."""
    return _MAKERS[operation](user_name, password, new_password, correlation_id)


def look_up_body(
    correlation_id: str,
    *,
    directory: str = "",
    object_guid: str = "",
    sid: str = "",
    user_name: str = "",
    domain: str = "",
    attributes: tuple[str, ...] = (),
) -> LookUpRequest:
    """A request to say who somebody is, with a fresh reply key; to be made anew for each agent asked. Raises ValueError."""
    return LookUpRequest(
        new_reply_key(),
        correlation_id,
        directory=directory,
        object_guid=object_guid,
        sid=sid,
        user_name=user_name,
        domain=domain,
        attributes=attributes,
    )
