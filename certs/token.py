"""Enrolment tokens: one string, copied once from the relay to the agent, for one identity.

The secret in it is never sent. Both ends hold K = SHA-256(secret) (the relay keeps only that); the agent proves K over
its certificate request, the relay proves K over what it answers. So a proxy that inspects TLS in between can neither
enrol a key of its own nor slip in an authority of its own; the authority's fingerprint in the token pins it besides.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import zlib
from dataclasses import dataclass, field

from certs.errors import TokenRefused
from certs.verify import fingerprint

PREFIX = "isth1."
LONGEST = 16 * 1024
"""Characters."""
LIFETIME = 900.0
"""Seconds that a token can be redeemed, unless said otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentToken:
    """What the string carries."""

    name: str
    relay_url: str
    authority_fingerprint: str
    """SHA-256 of the authority's certificate, hex."""
    expires_at: float
    """Unix seconds."""
    secret: bytes = field(repr=False)
    domains: tuple[str, ...] | None = None
    """What the agent may answer for, as the relay will hold it to; None: any that it claims, or a relay that does not tell.
    For whoever enrols: the relay goes by its own record."""

    @classmethod
    def create(
        cls,
        *,
        name: str,
        relay_url: str,
        authority_fingerprint: str,
        now: float,
        lifetime: float = LIFETIME,
        domains: tuple[str, ...] | None = None,
    ) -> EnrolmentToken:
        """A new token with a fresh secret."""
        return cls(
            name=name,
            relay_url=relay_url,
            authority_fingerprint=authority_fingerprint,
            expires_at=now + lifetime,
            secret=secrets.token_bytes(32),
            domains=domains,
        )

    @property
    def text(self) -> str:
        """The string to copy: prefix, base64url of JSON, checksum."""
        secret = base64.b64encode(self.secret).decode()
        content: list[object] = [self.name, self.relay_url, self.authority_fingerprint, self.expires_at, secret]
        if self.domains is not None:
            content.append(self.domains)
        body = json.dumps(content, separators=(",", ":")).encode()
        checksum = zlib.crc32(body).to_bytes(4, "big")
        return PREFIX + base64.urlsafe_b64encode(body + checksum).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> EnrolmentToken:
        """Read the string. Raises TokenRefused, telling a truncated paste from something else."""
        text = "".join(text.split())
        if not text.startswith(PREFIX) or len(text) > LONGEST:
            raise TokenRefused(f"it does not begin with {PREFIX}")
        try:
            raw = base64.urlsafe_b64decode(text[len(PREFIX) :] + "=" * (-len(text[len(PREFIX) :]) % 4))
            body, checksum = raw[:-4], raw[-4:]
            if zlib.crc32(body).to_bytes(4, "big") != checksum:
                raise TokenRefused("it is damaged or only a part of one; copy the whole string")
            name, relay_url, authority, expires_at, secret, *more = json.loads(body)  # a newer relay may add to it
            return cls(
                name=str(name),
                relay_url=str(relay_url),
                authority_fingerprint=str(authority),
                expires_at=float(expires_at),
                secret=base64.b64decode(secret, validate=True),
                domains=_domains(more[0]) if more else None,
            )
        except (ValueError, TypeError, binascii.Error):
            raise TokenRefused("it is damaged or only a part of one; copy the whole string") from None

    def check_fresh(self, now: float) -> None:
        """Raise TokenRefused where it has expired by our clock (Unix seconds)."""
        if now > self.expires_at:
            raise TokenRefused(f"it expired {now - self.expires_at:.0f} s ago")

    @property
    def key(self) -> bytes:
        """What both ends prove: SHA-256 of the secret. The relay keeps this and no more."""
        return hashlib.sha256(self.secret).digest()

    @property
    def id(self) -> str:
        """Names the token to the relay without telling the key: SHA-256 of the key, hex."""
        return token_id(self.key)

    def check_authority(self, authority: bytes) -> None:
        """Raise TokenRefused unless this is the authority (DER) that the token names."""
        if not hmac.compare_digest(fingerprint(authority), self.authority_fingerprint):
            raise TokenRefused("the relay showed another authority than the one that the token names")


def _domains(told: object) -> tuple[str, ...] | None:
    """Raises TypeError for what is none."""
    if told is None or (isinstance(told, list) and all(isinstance(domain, str) for domain in told)):
        return None if told is None else tuple(told)
    raise TypeError


def token_id(key: bytes) -> str:
    """The public name of a token with this key."""
    return hashlib.sha256(b"isthmus token id" + key).hexdigest()


def prove(key: bytes, purpose: str, *parts: bytes) -> bytes:
    """HMAC-SHA256 over what is said; `purpose` keeps the two directions apart."""
    mac = hmac.new(key, purpose.encode() + b"\0", hashlib.sha256)
    for part in parts:
        mac.update(len(part).to_bytes(8, "big") + part)
    return mac.digest()


def verify_proof(key: bytes, proof: bytes, purpose: str, *parts: bytes) -> None:
    """Raise TokenRefused unless `proof` was made with the key over the same words."""
    if not hmac.compare_digest(prove(key, purpose, *parts), proof):
        raise TokenRefused("the proof does not fit: this was not said by a holder of the token")
