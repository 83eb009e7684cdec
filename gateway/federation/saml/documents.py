"""Writes SAML messages and metadata with pysaml2's object model; nothing is read here. The only module that imports it.

pysaml2 never sees a stranger's bytes: what is written comes from requests that `foundation.saml` has verified and read, and
`foundation.saml` signs and encrypts it.
"""

from __future__ import annotations

import datetime
import functools
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from saml2 import SamlBase, md, saml, samlp, xmldsig

from foundation.xml import write_elements
from gateway.federation.claims import NameId, Value
from gateway.federation.saml.names import ATTRIBUTE_FORMATS, BEARER, ENTITY_FORMAT

_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ENCRYPTION_METHODS = (
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
)
"""How parties should encrypt for us, the best first (saml-metadata-2.0-os section 2.4.1.1)."""


def new_id() -> str:
    """160 random bits, as an xs:ID (saml-core-2.0-os section 1.3.4)."""
    return f"_{secrets.token_hex(20)}"


def instant(seconds: float) -> str:
    """In whole seconds: some parties read no fractions."""
    return _instant(int(seconds))


@functools.lru_cache(maxsize=64)  # a response has the same few several times, and so have those of the same second
def _instant(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionSpec:
    """An assertion to be written. Times are Unix seconds."""

    id: str
    issuer: str
    audience: str
    recipient: str
    in_response_to: str = ""
    name_id: NameId
    now: float
    skew: float
    """NotBefore lies back by so many seconds: other parties have no tolerance."""
    lifetime: float
    signed_in_at: float
    session_index: str
    session_ends_at: float
    context: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    friendly_names: Mapping[str, str] = field(default_factory=dict)
    attribute_format: str = "uri"


def write_assertion(spec: AssertionSpec) -> saml.Assertion:
    """For somebody who signed in by a password (saml-profiles-2.0-os section 4.1.4.2)."""
    end = instant(spec.now + spec.lifetime)
    confirmation = saml.SubjectConfirmationData(
        recipient=spec.recipient, not_on_or_after=end, in_response_to=spec.in_response_to or None
    )
    return saml.Assertion(
        id=spec.id,
        version="2.0",
        issue_instant=instant(spec.now),
        issuer=saml.Issuer(text=spec.issuer),
        subject=saml.Subject(
            name_id=write_name_id(spec.name_id),
            subject_confirmation=[saml.SubjectConfirmation(method=BEARER, subject_confirmation_data=confirmation)],
        ),
        conditions=saml.Conditions(
            not_before=instant(spec.now - spec.skew),
            not_on_or_after=end,
            audience_restriction=[saml.AudienceRestriction(audience=[saml.Audience(text=spec.audience)])],
        ),
        authn_statement=[
            saml.AuthnStatement(
                authn_instant=instant(spec.signed_in_at),
                session_index=spec.session_index,
                session_not_on_or_after=instant(spec.session_ends_at),
                authn_context=saml.AuthnContext(authn_context_class_ref=saml.AuthnContextClassRef(text=spec.context)),
            )
        ],
        attribute_statement=_attribute_statements(spec),
    )


def _attribute_statements(spec: AssertionSpec) -> list[saml.AttributeStatement]:
    """None where there is no attribute: an empty one is not allowed (saml-core-2.0-os section 2.7.3)."""
    attributes = [
        saml.Attribute(
            name=name,
            name_format=ATTRIBUTE_FORMATS[spec.attribute_format],
            friendly_name=spec.friendly_names.get(name),
            attribute_value=[_attribute_value(text) for text in _texts(value)],
        )
        for name, value in spec.attributes.items()
    ]
    return [saml.AttributeStatement(attribute=attributes)] if attributes else []


def _attribute_value(text: str) -> saml.AttributeValue:
    """Without xsi:type, as AD FS writes it: exclusive canonicalisation would drop the declaration of the type's prefix."""
    value = saml.AttributeValue()
    value.extension_attributes = {}
    object.__setattr__(value, "text", text)  # past the library's own way, which works out a type for each value
    return value


def _texts(value: Value) -> Iterable[str]:
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, tuple):
        return value
    if isinstance(value, Mapping):
        return value.values()
    return (str(value),)


def write_name_id(name: NameId) -> saml.NameID:
    """Qualifiers that are empty are left out."""
    return saml.NameID(
        format=name.format,
        text=name.value,
        name_qualifier=name.name_qualifier or None,
        sp_name_qualifier=name.sp_name_qualifier or None,
    )


def write_response(
    *,
    id: str,  # noqa: A002 - SAML's word
    issuer: str,
    destination: str,
    in_response_to: str,
    now: float,
    status: Sequence[str],
    message: str = "",
    assertion: saml.Assertion | None = None,
) -> bytes:
    """A Response; status: codes, the outermost first."""
    response = samlp.Response(
        id=id,
        version="2.0",
        issue_instant=instant(now),
        destination=destination,
        in_response_to=in_response_to or None,
        issuer=saml.Issuer(text=issuer, format=ENTITY_FORMAT),
        status=_status(status, message),
        assertion=[assertion] if assertion is not None else [],
    )
    return _written(response)


def write_logout_response(
    *,
    id: str,  # noqa: A002 - SAML's word
    issuer: str,
    destination: str,
    in_response_to: str,
    now: float,
    status: Sequence[str],
    message: str = "",
) -> bytes:
    """A LogoutResponse; status: codes, the outermost first."""
    response = samlp.LogoutResponse(
        id=id,
        version="2.0",
        issue_instant=instant(now),
        destination=destination or None,
        in_response_to=in_response_to,
        issuer=saml.Issuer(text=issuer),
        status=_status(status, message),
    )
    return _written(response)


def write_logout_request(
    *,
    id: str,  # noqa: A002 - SAML's word
    issuer: str,
    destination: str,
    name_id: NameId,
    session_index: str,
    now: float,
    lifetime: float,
) -> bytes:
    """A LogoutRequest for one session."""
    request = samlp.LogoutRequest(
        id=id,
        version="2.0",
        issue_instant=instant(now),
        not_on_or_after=instant(now + lifetime),
        destination=destination,
        issuer=saml.Issuer(text=issuer),
        name_id=write_name_id(name_id),
        session_index=[samlp.SessionIndex(text=session_index)],
    )
    return _written(request)


def _written(message: SamlBase) -> bytes:
    return write_elements(message._to_element_tree())  # what `to_string` writes, in half of the time


def _status(codes: Sequence[str], message: str) -> samlp.Status:
    """Nested from the inside out."""
    code: samlp.StatusCode | None = None
    for value in reversed(codes):
        code = samlp.StatusCode(value=value, status_code=code)
    return samlp.Status(status_code=code, status_message=samlp.StatusMessage(text=message) if message else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDescription:
    """What the identity provider says of itself."""

    id: str
    entity_id: str
    sign_on: Mapping[str, str]
    """Binding to address."""
    logout: Mapping[str, str]
    signing: Sequence[str]
    """Certificates, base64 of their DER, in the order in which they are listed."""
    encryption: Sequence[str] = ()
    name_id_formats: Sequence[str] = ()
    valid_until: float
    cache_seconds: int


def write_metadata(spec: ProviderDescription) -> bytes:
    """The metadata of an identity provider (saml-metadata-2.0-os section 2.4.3)."""
    descriptor = md.IDPSSODescriptor(
        protocol_support_enumeration=_PROTOCOL,
        key_descriptor=[
            *(_key_descriptor(text, "signing") for text in spec.signing),
            *(_key_descriptor(text, "encryption") for text in spec.encryption),
        ],
        single_logout_service=[
            md.SingleLogoutService(binding=binding, location=url) for binding, url in spec.logout.items()
        ],
        name_id_format=[md.NameIDFormat(text=text) for text in spec.name_id_formats],
        single_sign_on_service=[
            md.SingleSignOnService(binding=binding, location=url) for binding, url in spec.sign_on.items()
        ],
    )
    entity = md.EntityDescriptor(
        id=spec.id,
        entity_id=spec.entity_id,
        valid_until=instant(spec.valid_until),
        cache_duration=f"PT{spec.cache_seconds}S",
        idpsso_descriptor=[descriptor],
    )
    return _written(entity)


def _key_descriptor(certificate: str, use: str) -> md.KeyDescriptor:
    data = xmldsig.X509Data(x509_certificate=xmldsig.X509Certificate(text=certificate))
    methods = [md.EncryptionMethod(algorithm=uri) for uri in ENCRYPTION_METHODS] if use == "encryption" else []
    return md.KeyDescriptor(use=use, key_info=xmldsig.KeyInfo(x509_data=[data]), encryption_method=methods)
