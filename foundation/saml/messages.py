"""What SAML 2.0 protocol messages say to an identity provider, as data. Times are Unix seconds; empty: it was not said."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NameIdentifier:
    """Who is meant (saml-core-2.0-os section 2.2.3)."""

    value: str
    format: str = ""
    qualifier: str = ""
    """NameQualifier."""
    sp_qualifier: str = ""
    """SPNameQualifier."""
    sp_provided_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthnRequest:
    """A request to sign somebody in (section 3.4.1). Scoping and Conditions are passed over."""

    id: str
    issued: float
    issuer: str
    destination: str = ""
    consumer_url: str = ""
    """AssertionConsumerServiceURL."""
    consumer_index: int | None = None
    binding: str = ""
    """ProtocolBinding: by which the response is wanted."""
    attribute_index: int | None = None
    """AttributeConsumingServiceIndex."""
    name_id_format: str = ""
    name_id_qualifier: str = ""
    """SPNameQualifier of the NameIDPolicy."""
    allow_create: bool = False
    comparison: str = "exact"
    """Of the contexts: exact, minimum, maximum or better."""
    contexts: tuple[str, ...] = ()
    """AuthnContextClassRef."""
    declarations: tuple[str, ...] = ()
    """AuthnContextDeclRef."""
    force_authn: bool = False
    passive: bool = False
    subject: NameIdentifier | None = None
    encrypted_subject: bytes = field(default=b"", repr=False)
    """The EncryptedID in place of a NameID."""
    provider_name: str = ""
    """For people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutRequest:
    """A request to end sessions (section 3.7.1)."""

    id: str
    issued: float
    issuer: str
    destination: str = ""
    expires: float = 0.0
    """NotOnOrAfter."""
    reason: str = ""
    name_id: NameIdentifier | None = None
    encrypted_name_id: bytes = field(default=b"", repr=False)
    """The EncryptedID in place of a NameID."""
    session_indexes: tuple[str, ...] = ()
    """Empty: all sessions of that person with the issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutResponse:
    """What became of a LogoutRequest (section 3.7.2)."""

    id: str
    issued: float
    issuer: str
    in_response_to: str
    destination: str = ""
    status: tuple[str, ...] = ()
    """Status codes, outermost first; at most five."""
    message: str = ""

    @property
    def succeeded(self) -> bool:
        """Everywhere that the other side knows of."""
        return self.status == (SUCCESS,)


SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
