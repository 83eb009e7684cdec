"""Two parties with keys, and their messages as real ones look."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree  # type: ignore[import-untyped]

from certs import Certificate, read_certificate

SAMLP, SAML, DS = (
    "urn:oasis:names:tc:SAML:2.0:protocol",
    "urn:oasis:names:tc:SAML:2.0:assertion",
    "http://www.w3.org/2000/09/xmldsig#",
)
ENTITY, IDP = "https://grafana.example.com/saml/metadata", "https://sso.example.com/saml"
PASSWORD_CONTEXT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@dataclass(frozen=True)
class Party:
    key: rsa.RSAPrivateKey
    certificate: Certificate


def party(name: str = "grafana", bits: int = 2048) -> Party:
    """The same each time."""
    return _party(name, bits)


@functools.cache
def _party(name: str, bits: int) -> Party:
    key = rsa.generate_private_key(65537, bits)
    return Party(key, read_certificate(_certificate(name, key)))


@functools.cache
def elliptic_party(
    name: str = "curve", curve: ec.EllipticCurve | None = None
) -> tuple[ec.EllipticCurvePrivateKey, Certificate]:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    return key, read_certificate(_certificate(name, key))


def _certificate(name: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """One that has expired: that is never the question here."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, begin, begin + dt.timedelta(days=30))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def authn_request(request_id: str = "_request1", inside: str = "", attributes: str = "", issuer: str = ENTITY) -> bytes:
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{request_id}" Version="2.0"'
        f' IssueInstant="2026-12-01T08:00:00Z" Destination="{IDP}/sso"'
        f' AssertionConsumerServiceURL="https://grafana.example.com/saml/acs" {attributes}>'
        f"<saml:Issuer>{issuer}</saml:Issuer>{inside}</samlp:AuthnRequest>"
    ).encode()


def logout_request(request_id: str = "_logout1", inside: str = "", name: str = "anna@corp.example.com") -> bytes:
    return (
        f'<samlp:LogoutRequest xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{request_id}" Version="2.0"'
        f' IssueInstant="2026-12-01T08:00:00Z" Destination="{IDP}/slo" NotOnOrAfter="2026-12-01T08:05:00Z">'
        f"<saml:Issuer>{ENTITY}</saml:Issuer>{inside}"
        f'<saml:NameID Format="{PERSISTENT}" NameQualifier="{IDP}" SPNameQualifier="{ENTITY}">{name}</saml:NameID>'
        "<samlp:SessionIndex>_session1</samlp:SessionIndex></samlp:LogoutRequest>"
    ).encode()


def response(response_id: str = "_response1", inside: str = "", name: str = "anna@corp.example.com") -> bytes:
    """With an assertion `_assertion1` in it; prefixes are declared at the root, as pysaml2 does it."""
    return (
        f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ID="{response_id}" Version="2.0"'
        f' IssueInstant="2026-12-01T08:00:00Z" InResponseTo="_request1"><saml:Issuer>{IDP}</saml:Issuer>{inside}'
        '<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>'
        '<saml:Assertion ID="_assertion1" Version="2.0" IssueInstant="2026-12-01T08:00:00Z">'
        f"<saml:Issuer>{IDP}</saml:Issuer>"
        f"<saml:Subject><saml:NameID>{name}</saml:NameID></saml:Subject><saml:AttributeStatement>"
        '<saml:Attribute Name="groups"><saml:AttributeValue xsi:type="xs:string">Köln &amp; Bonn</saml:AttributeValue>'
        "</saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>"
    ).encode()


def logout_response(inside: str = "", status: str = "Success") -> bytes:
    return (
        f'<samlp:LogoutResponse xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="_answer1" Version="2.0"'
        f' IssueInstant="2026-12-01T08:00:01Z" InResponseTo="_logout1"><saml:Issuer>{ENTITY}</saml:Issuer>'
        f'<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}">{inside}</samlp:StatusCode>'
        "</samlp:Status></samlp:LogoutResponse>"
    ).encode()


def tree(data: bytes) -> etree._Element:
    return etree.fromstring(data)


def text(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root))
