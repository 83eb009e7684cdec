"""Authorization codes: made when the person has signed in, redeemed once (RFC 6749 section 4.1.2).

A code is random and signed with its end: what is no code of ours, or is over, is refused without asking the store. What it
stands for waits there under its digest. Kind of state: happens once.
"""

from __future__ import annotations

import secrets

import msgspec

from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import GrantDetails, digest_of
from gateway.signin import CookieSigner
from gateway.store import OnceStore

KIND = "oidc code"
LONGEST_LIFE = 60.0
"""Seconds, whatever a trust says (RFC 9700 section 4.5)."""


REMEMBERED = 600.0
"""Seconds after its end within which a code still ends the grant that it became: later it is found in logs and histories."""


class CodeDetails(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a code stands for."""

    trust: str
    redirect_uri: str
    challenge: str = ""
    request: str = ""
    """Correlation id of the browser's request."""
    nonce: str = ""
    session: bytes = b""
    """The session that it was issued in (`Session.key`)."""
    session_ends_at: float = 0.0
    checked_at: float = 0.0
    """When an agent last said that the account lives."""
    grant: GrantDetails

    def __repr__(self) -> str:
        return f"CodeDetails(trust={self.trust!r}, …)"


_details = msgspec.msgpack.Decoder(CodeDetails)
_encode = msgspec.msgpack.Encoder().encode


class Codes:
    """signer: of a use of its own."""

    def __init__(self, signer: CookieSigner, once: OnceStore) -> None:
        self._signer, self._once = signer, once

    async def issue(self, details: CodeDetails, now: float, lifetime: float) -> str:
        """A code for that. Raises StoreFull, StoreUnavailable."""
        until = now + min(lifetime, LONGEST_LIFE)
        body = f"{secrets.token_urlsafe(24)}.{int(until)}"
        code = f"{body}.{self._signer.sign(body)}"
        await self._once.put(KIND, digest_of(code).hex(), _encode(details), until=until, now=now)
        return code

    def check(self, code: str, now: float) -> None:
        """It was made here, not long ago: what was redeemed and comes again ends a grant. Raises InvalidGrant."""
        body, _, signature = code.rpartition(".")
        if not self._signer.fits(signature, body):
            raise InvalidGrant("no code of this relay")
        if int(body.rpartition(".")[2]) + REMEMBERED <= now:
            raise InvalidGrant("the code expired long ago")

    async def take(self, code: str, now: float) -> CodeDetails | None:
        """What it stands for; None where somebody has redeemed it before, or it is over.

        Raises StoreUnavailable; InvalidGrant for what a node of another version has written.
        """
        kept = await self._once.take(KIND, digest_of(code).hex(), now)
        try:
            return _details.decode(kept) if kept is not None else None
        except msgspec.MsgspecError as error:
            raise InvalidGrant("what the store has of the code cannot be read") from error
