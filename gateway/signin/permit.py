"""The permit to change a password before anybody is signed in: given where a check said that it has to be changed.

Without it a stranger could have any name's password changed in vain, and learn from how that is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.signin.cookies import CookieSigner

LIFETIME = 600.0
"""Seconds: time to think of a password."""


class ChangePermit:
    """`<Unix second at which it ends>.<signature over that and the user>`. Kind of state: carried. clock: Unix seconds.

    It proves nothing but that somebody typed this user's right password shortly before; the old password is asked for again.
    """

    def __init__(self, signer: CookieSigner, clock: Callable[[], float]) -> None:
        self._signer, self._clock = signer, clock

    def make(self, user: str) -> str:
        """A permit for the name that was typed."""
        end = str(int(self._clock() + LIFETIME))
        return f"{end}.{self._signer.sign(end, user)}"

    def fits(self, permit: str, user: str) -> bool:
        """Whether it was made for this name, and has not ended."""
        end, _, signature = permit.partition(".")
        return self._signer.fits(signature, end, user) and self._clock() < int(end)
