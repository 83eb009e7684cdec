"""Under which name an application knows a person: subjects of our own, the source anchor, SAML name identifiers. Pure.

Subjects of our own are HMAC-SHA256 over what the account is (directory and object identifier), never over a name: they stay
when a person is renamed, and a name that is given to somebody else brings nothing with it. Each part has its length before
it, so that no two lists of parts are one message.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import re
import uuid
from dataclasses import dataclass

from gateway.federation.claims.model import ClaimsPolicy, ClaimsSubject
from gateway.protocol import AccountId

SUBJECT = "(subject)"
"""The claim of the step that says where `sub` or the NameID comes from."""
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"

_GUID_BYTES = 16
_DIGITS = 43
"""Of 32 bytes in base64, without what fills it up."""
_LONGEST = 256
"""Characters of a persistent or transient identifier (SAML Core section 8.3.7 and 8.3.8)."""
_ADDRESS = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x20\x7f-\x9f]+@[^\s@\"(),:;<>\[\\\]\x00-\x20\x7f-\x9f]+")
"""addr-spec of RFC 2822 section 3.4.1 without quoted parts and comments, which applications read differently."""


class NameUnavailable(Exception):
    """A person cannot be named in a format. reason: for the log."""

    def __init__(self, format: str, reason: str) -> None:  # noqa: A002 - SAML's word
        super().__init__(format, reason)
        self.format, self.reason = format, reason

    def __str__(self) -> str:
        return f"no name identifier of the format {self.format}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameId:
    """A SAML name identifier (Core section 2.2.3). A qualifier that is empty is not written."""

    format: str
    value: str
    name_qualifier: str = ""
    sp_name_qualifier: str = ""


def account_of(subject: ClaimsSubject) -> AccountId:
    """What identifies the person everywhere."""
    return AccountId(subject.directory, subject.object_guid)


def public_subject(account: AccountId, secret: bytes) -> str:
    """The same for every client (OpenID Connect Core section 8): 43 characters of base64url."""
    return _digest(secret, "public", *account)


def pairwise_subject(sector: str, account: AccountId, secret: bytes) -> str:
    """Another one for each sector, so that two clients cannot tell that they know one person. sector: a host name."""
    return _digest(secret, "pairwise", sector, *account)


def trust_subject(trust: str, account: AccountId, secret: bytes) -> str:
    """Another one for each trust: what a persistent name identifier should be (SAML Core section 8.3.7)."""
    return _digest(secret, "trust", trust, *account)


@functools.lru_cache(maxsize=4096)
def _digest(secret: bytes, *parts: str) -> str:
    """Kept, since one sign-in asks for it several times (code, ID token, userinfo)."""
    encoded = [part.encode(errors="surrogatepass") for part in parts]
    message = b"".join([len(part).to_bytes(8) + part for part in encoded])
    return base64.urlsafe_b64encode(hmac.digest(secret, message, "sha256")).decode()[:_DIGITS]


def source_anchor(object_guid: str, consistency_guid: str | None) -> str:
    """What Entra ID calls ImmutableID: base64 of mS-DS-ConsistencyGuid, else of objectGUID, in the bytes that AD keeps.

    object_guid: with dashes; consistency_guid: base64, None where the person has none. Raises ValueError for one that is
    not a GUID: to fall back then would make another person of this one.
    """
    if consistency_guid is None:
        return base64.b64encode(uuid.UUID(object_guid).bytes_le).decode()
    try:
        kept = base64.b64decode(consistency_guid, validate=True)
    except binascii.Error:
        raise ValueError("mS-DS-ConsistencyGuid is not base64") from None
    if len(kept) != _GUID_BYTES:
        raise ValueError(f"mS-DS-ConsistencyGuid has {len(kept)} bytes, not {_GUID_BYTES}")
    return base64.b64encode(kept).decode()


def name_id(
    policy: ClaimsPolicy,
    subject: ClaimsSubject,
    issued: str,
    *,
    format: str,  # noqa: A002 - SAML's word
    issuer: str,
    party: str,
    fresh: str,
    escape_plus: bool = False,
) -> NameId:
    """The name identifier of a response. Raises NameUnavailable.

    issued: `IssuedClaims.subject`; issuer, party: entity IDs; fresh: random text for a transient one; escape_plus: `+` is
    written `.2B`, as Entra ID wants its ImmutableID.
    """
    if format == TRANSIENT:
        return NameId(format=format, value=fresh, name_qualifier=issuer, sp_name_qualifier=party)
    if format == EMAIL_ADDRESS:
        return NameId(format=format, value=_address(issued if policy.subject else subject.mail))
    if format not in {PERSISTENT, UNSPECIFIED}:
        raise NameUnavailable(format, "it is not known here")
    value = issued.replace("+", ".2B") if escape_plus else issued
    if format == UNSPECIFIED:
        return NameId(format=format, value=value)
    if len(value) > _LONGEST:
        raise NameUnavailable(format, f"the subject has {len(value)} characters, and may have {_LONGEST}")
    return NameId(format=format, value=value, name_qualifier=issuer, sp_name_qualifier=party)


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise NameUnavailable(
            EMAIL_ADDRESS, "the person has no mail address" if not value else "the subject is no mail address"
        )
    return value
