"""What SAML and WS-Trust documents say, as data. Times are Unix seconds."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from certs import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a SAML assertion says whose signature holds. Whether that is right is for others to say."""

    version: str
    """`SAML 1.1` or `SAML 2.0`."""
    issuer: str
    audiences: tuple[str, ...]
    not_before: float
    not_after: float
    signer: Certificate
    sha1: bool = False
    """Signed with SHA-1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What one metadata document says."""

    entity_id: str
    signing: tuple[Certificate, ...]
    """In document order, each once."""
    encryption: tuple[Certificate, ...]
    signed_by: Certificate | None
    """Whose key signed the whole document; None where it is not signed or the signature does not hold. Only the key is
    proven: the certificate is the document's own, and no signature covers it. Compare its thumbprint with a known one."""
    signature_problem: str = ""
    """Why `signed_by` is None."""
    unreadable: tuple[str, ...] = ()
    """Why certificates of it are neither in `signing` nor in `encryption`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerMetadata:
    """What a partner's metadata was like."""

    partner: str
    certificates: tuple[Certificate, ...] = ()
    error: str = ""
    """Why it could not be read; empty where it has no address."""
    unreadable: tuple[str, ...] = ()
    """Why certificates of it are not among `certificates`."""
    watched: bool = True
    """False where no address of metadata is known for it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault in place of a token."""

    codes: tuple[str, ...]
    """Local names of code and subcodes, outermost first; at most five."""
    text: str
    """The reason in the service's words, on one line."""

    @property
    def reason(self) -> str:
        """The text, else the codes."""
        return self.text or " ".join(self.codes) or "no reason"


class SignInOutcome(enum.StrEnum):
    """What came of asking one address for a token."""

    ISSUED = "issued"
    """A token whose signature holds: what it says is in `token`."""
    ENCRYPTED = "encrypted"
    """A token that only the relying party can open."""
    BAD_TOKEN = "bad token"  # noqa: S105 - what came in the place of a token
    """Something in place of a token, or one whose signature does not hold."""
    REFUSED = "refused"
    """The account, or its password."""
    DENIED = "denied"
    """The account is good, but may not have a token for this relying party."""
    UNKNOWN_PARTY = "unknown relying party"
    NOT_OFFERED = "not offered"
    """Neither endpoint is there."""
    UNTRUSTED = "untrusted"
    """Its TLS certificate: the password was not sent."""
    UNREACHED = "unreached"
    """No connection: nothing was sent."""
    NO_VERDICT = "no verdict"
    """It was sent; what AD FS makes of the account is not known."""
    NOT_ASKED = "not asked"
    """Another address gave no token: a second try could lock the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSignIn:
    """A token that was asked for with a test account, at one address."""

    host: str
    """What was asked, as the caller calls it."""
    outcome: SignInOutcome
    relying_party: str
    """What was asked for."""
    at: float
    """When it was answered."""
    endpoint: str = ""
    """Path of the endpoint that answered."""
    milliseconds: float = 0.0
    """How long it took, TLS handshake included; 0 where nothing was answered."""
    token: Assertion | None = None
    reason: str = ""
    """What went wrong, in plain words; empty for a token."""
