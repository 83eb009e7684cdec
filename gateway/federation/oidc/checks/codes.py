"""Whether a code may be redeemed by whoever brings it. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from gateway.federation.oidc.errors import InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget

_VERIFIER = re.compile("[A-Za-z0-9._~-]{43,128}")


def check_code_client(issued_to: str, trust: str) -> None:
    """The client that it was issued to (RFC 6749 section 4.1.3). Raises InvalidGrant."""
    if issued_to != trust:
        raise InvalidGrant(f"the code was issued to {issued_to}")


def check_code_redirect_uri(asked: str, given: str) -> None:
    """The same address as in the authorization request (RFC 6749 section 4.1.3). Raises InvalidGrant."""
    if given != asked:
        raise InvalidGrant("redirect_uri is not that of the authorization request")


def check_verifier(challenge: str, verifier: str) -> None:
    """The verifier that the challenge was made of (RFC 7636 section 4.6), and none where there was no challenge.

    That would be a downgrade (RFC 9700 section 4.8.2). Raises InvalidGrant, InvalidRequest.
    """
    if not challenge:
        if verifier:
            raise InvalidGrant("a code_verifier, although there was no code_challenge")
        return
    if not verifier:
        raise InvalidGrant("no code_verifier, although there was a code_challenge")
    if not _VERIFIER.fullmatch(verifier):
        raise InvalidRequest("is too short, too long or has other characters", parameter="code_verifier")
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).removesuffix(b"=").decode()
    if not hmac.compare_digest(made, challenge):
        raise InvalidGrant("the code_verifier does not fit the code_challenge")


def narrowed_scope(granted: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """Of what was granted what is asked for now; nothing asked: all of it (RFC 6749 section 6). Raises InvalidScope."""
    if not asked:
        return granted
    if set(asked) - set(granted):
        raise InvalidScope("more than was granted")
    return asked


def narrowed_resources(granted: tuple[str, ...], asked: tuple[str, ...]) -> tuple[str, ...]:
    """The same of APIs (RFC 8707 section 2.2). Raises InvalidTarget."""
    if not asked:
        return granted
    if set(asked) - set(granted):
        raise InvalidTarget("a resource that was not granted")
    return tuple(dict.fromkeys(asked))
