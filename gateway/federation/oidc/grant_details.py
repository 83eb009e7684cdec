"""What a grant holds: what was asked for and agreed to, and who signed in. Kept in `GrantRecord.details`."""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

import msgspec

from gateway.federation.oidc.errors import InvalidGrant
from gateway.protocol import Identity


class GrantDetails(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Read with unknown fields allowed: a node of another version may have written it."""

    scope: tuple[str, ...]
    resources: tuple[str, ...] = ()
    userinfo_claims: tuple[str, ...] = ()
    """Asked for by the `claims` parameter."""
    id_token_claims: tuple[str, ...] = ()
    subject: str
    """`sub`, as this client was told."""
    auth_time: float
    acr: str = ""
    amr: tuple[str, ...] = ()
    sid: str = ""
    """What this client calls the session."""
    identity: Identity
    agent: str = ""
    """Who checked the password; empty where that is not known."""
    password_set: float = 0.0
    """When the password was set that was proved, Unix seconds; 0 where that is not known."""
    address: str = ""
    """Of the browser, or of the device, for claims that depend on it."""
    browser: str = ""
    """Address of the browser in which a device was connected; empty where nothing but `address` was there."""
    tried_until: float = 0.0
    """Unix seconds until which its session may be trying a signing key; whether it is, its participant says."""

    def __repr__(self) -> str:
        return f"GrantDetails(scope={self.scope!r}, …)"


_details = msgspec.msgpack.Decoder(GrantDetails)
_encode = msgspec.msgpack.Encoder().encode


def write_details(details: GrantDetails) -> bytes:
    """For the store."""
    return _encode(details)


def read_details(data: bytes) -> GrantDetails:
    """From the store. Raises InvalidGrant for what no node of this version has written."""
    try:
        return _details.decode(data)
    except msgspec.MsgspecError as error:
        raise InvalidGrant("what the store has of the grant cannot be read") from error


def person_in(data: bytes) -> str:
    """User name of whose grant it is, for the trail; empty where that cannot be read."""
    try:
        return read_details(data).identity.user_name
    except InvalidGrant:
        return ""


def grant_id_of(code: str) -> str:
    """The id of the grant that a code becomes: whoever redeems the code a second time finds it, and nobody else."""
    return hmac.digest(code.encode("utf-8", "surrogatepass"), b"isthmus oidc grant", "sha256").hex()


def digest_of(secret: str) -> bytes:
    """What the store keeps of a grant's id, and of a refresh token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class GrantOrigin(NamedTuple):
    """Where a grant came from."""

    address: str
    """Of the device, or of the browser; empty where that is not known."""
    is_device: bool


def origin_of(data: bytes) -> GrantOrigin:
    """Of a kept grant, also of one that cannot be read here."""
    try:
        details = read_details(data)
    except InvalidGrant:
        return GrantOrigin("", False)
    return GrantOrigin(details.address, bool(details.browser))


def kept_identity(data: bytes) -> tuple[Identity, float, str] | None:
    """Of a kept grant: who signed in, when (Unix seconds), and from where; None where it cannot be read."""
    try:
        details = read_details(data)
    except InvalidGrant:
        return None
    return details.identity, details.auth_time, details.address
