"""What SAML and WS-Trust documents say, as data. Times are Unix seconds."""

from __future__ import annotations

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
    """Whose key signed the whole document; None where it is not signed or the signature does not hold."""
    signature_problem: str = ""
    """Why `signed_by` is None."""


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
