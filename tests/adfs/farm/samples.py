"""Farms made by hand: certificates with real DER, metadata with a real signature, models in which all is well."""

from __future__ import annotations

import base64
import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from lxml import etree  # type: ignore[import-untyped]
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from adfs_mgmt.farm import (
    Binding,
    ExternalView,
    Farm,
    FarmCertificate,
    KeyAccess,
    Node,
    PrincipalHolder,
    Properties,
    Proxy,
    Served,
    ServicePrincipal,
    StoredCertificate,
    SyncRole,
    Use,
)
from adfs_mgmt.farm.model import Endpoint
from certs import Certificate, read_certificate
from foundation.saml import Assertion, SignInOutcome, SyntheticSignIn

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()
DAY = 86400.0
NAME = "fs.example.com"


@functools.cache
def _key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    parsed: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.parsed.public_bytes(Encoding.DER)

    @property
    def seen(self) -> Certificate:
        return read_certificate(self.der)


@functools.cache
def make(
    common_name: str,
    begins: float = -345,
    ends: float = 200,
    *,
    names: tuple[str, ...] = (),
    issuer: str = "",
    server: bool = True,
    key: int = 0,
) -> Made:
    """A certificate; begin and end are days from NOW. Self-signed where no issuer is given."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(name(issuer or common_name))
        .public_key(_key(key).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(NOW + begins * DAY, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(NOW + ends * DAY, dt.UTC))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Made(builder.sign(_key(99 if issuer else key), hashes.SHA256()), _key(key))


def signing(ends: float = 200, *, begins: float | None = None, key: int = 1) -> Made:
    return make("ADFS Signing - fs.example.com", ends - 365 if begins is None else begins, ends, key=key)


def decrypting(ends: float = 200, *, key: int = 2) -> Made:
    return make("ADFS Encryption - fs.example.com", ends - 365, ends, key=key)


def tls(ends: float = 200, *, names: tuple[str, ...] = (NAME,), issuer: str = "Example CA", key: int = 3) -> Made:
    return make(NAME, ends - 397, ends, names=names, issuer=issuer, key=key)


# -- metadata

_DOCUMENT = """<?xml version="1.0" encoding="utf-8"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_1" entityID="{entity}">
<RoleDescriptor xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706"
 xsi:type="fed:SecurityTokenServiceType" protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706">
{keys}</RoleDescriptor>
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}</IDPSSODescriptor>
</EntityDescriptor>"""


def document(
    certificates: Sequence[Made], encryption: Sequence[Made] = (), entity: str = "http://fs.example.com/adfs/services/trust"
) -> bytes:
    """Federation metadata that is not signed."""
    keys = "".join(_descriptor(each, "signing") for each in certificates)
    keys += "".join(_descriptor(each, "encryption") for each in encryption)
    return _DOCUMENT.format(entity=entity, keys=keys).encode()


def _descriptor(made: Made, use: str) -> str:
    text = base64.b64encode(made.der).decode()
    return (
        f'<KeyDescriptor use="{use}"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>'
        f"{text}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
    )


def sign(data: bytes, signer: Made) -> bytes:
    """With an enveloped signature over the root, first in the document, as AD FS does."""
    xml_signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    signed = xml_signer.sign(
        etree.fromstring(data), key=signer.key, cert=[signer.parsed], reference_uri="_1", id_attribute="ID"
    )
    return bytes(etree.tostring(signed))


# -- models


def farm(
    *,
    sign_with: Sequence[Made] = (),
    ssl: Made | None = None,
    nodes: int = 2,
    proxies: int = 1,
    properties: Properties | None = None,
) -> Farm:
    """All is well in it. The first of `sign_with` is the primary."""
    certificates = sign_with or (signing(),)
    bound = ssl or tls()
    rows = tuple(
        FarmCertificate(use=Use.SIGNING, certificate=each.seen, is_primary=number == 0)
        for number, each in enumerate(certificates)
    )
    rows += (
        FarmCertificate(use=Use.DECRYPTING, certificate=decrypting().seen, is_primary=True),
        FarmCertificate(use=Use.SERVICE, certificate=bound.seen, is_primary=True),
    )
    main = Properties(
        federation_name=NAME,
        identifier="http://fs.example.com/adfs/services/trust",
        behaviour_level=4,
        audit_level=("Basic",),
        extranet_lockout=True,
    )
    return Farm(
        name="prod",
        read_at=NOW,
        properties=properties or main,
        nodes=tuple(_node(number, rows, bound.seen) for number in range(nodes)),
        proxies=tuple(_proxy(number, bound.seen) for number in range(proxies)),
        endpoints=tuple(
            Endpoint(path=path, enabled=True, proxied=True)
            for path in ("/adfs/ls/", "/adfs/oauth2/", "/FederationMetadata/2007-06/FederationMetadata.xml")
        ),
        principal=principal(("EXAMPLE\\adfs$", f"host/{NAME}")),
    )


def principal(*holders: tuple[str, ...], error: str = "") -> ServicePrincipal:
    """Who has which names; the service runs as EXAMPLE\\adfs$."""
    account = "EXAMPLE\\adfs$"
    found = tuple(PrincipalHolder(account=who, names=tuple(names), is_service=who == account) for who, *names in holders)
    return ServicePrincipal(name=NAME, service_account=account, holders=found, error=error)


def sign_ins(of: Farm) -> tuple[SyntheticSignIn, ...]:
    """A token from each node and from the name, and each is right."""
    party = "urn:payroll"
    token = Assertion(
        version="SAML 2.0",
        issuer=of.properties.identifier,
        audiences=(party,),
        not_before=NOW,
        not_after=NOW + 3600,
        signer=next(row.certificate for row in of.nodes[0].certificates if row.use is Use.SIGNING and row.is_primary),
    )
    asked = SyntheticSignIn(
        host="", outcome=SignInOutcome.ISSUED, relying_party=party, at=NOW + 0.1, milliseconds=80, token=token
    )
    return tuple(replace(asked, host=host) for host in (*(node.host for node in of.nodes), NAME))


def _node(number: int, rows: tuple[FarmCertificate, ...], bound: Certificate) -> Node:
    return Node(
        host=f"sts{number + 1}.example.com",
        fqdn=f"sts{number + 1}.example.com",
        windows="2019",
        role=SyncRole.SECONDARY if number else SyncRole.PRIMARY,
        primary="sts1.example.com" if number else "",
        last_sync=NOW - 200 if number else None,
        clock_skew=0.2,
        service_running=True,
        service_account="EXAMPLE\\adfs$",
        wid_running=True,
        certificates=rows,
        stored=(StoredCertificate(certificate=bound, key=KeyAccess.READABLE),),
        bindings=(
            Binding(host_name=NAME, port=443, thumbprint=bound.thumbprint),
            Binding(host_name=NAME, port=49443, thumbprint=bound.thumbprint),
        ),
    )


def _proxy(number: int, bound: Certificate) -> Proxy:
    return Proxy(
        host=f"wap{number + 1}.example.com",
        bindings=(Binding(host_name=NAME, port=443, thumbprint=bound.thumbprint),),
        stored=(StoredCertificate(certificate=bound, key=KeyAccess.READABLE),),
        trust_ends=NOW + 14 * DAY,
        service_running=True,
        clock_skew=0.2,
    )


def outside(of: Farm) -> ExternalView:
    """What everybody sees of such a farm, and it agrees."""
    rows = of.nodes[0].certificates
    names = tuple(row.certificate.thumbprint for row in rows if row.use is Use.SIGNING)
    encrypts = tuple(row.certificate.thumbprint for row in rows if row.use is Use.DECRYPTING and row.is_primary)
    bound = next(row.certificate for row in rows if row.use is Use.SERVICE)
    served = Served(
        host="",
        port=443,
        tls=bound,
        signing=names,
        encryption=encrypts,
        entity_id=of.properties.identifier,
        signed_by=names[0],
        probe_ok=True,
        milliseconds=20,
        clock_skew=0.2,
    )
    hosts = [*(node.host for node in of.nodes), *(proxy.host for proxy in of.proxies), NAME]
    return ExternalView(
        federation_name=NAME,
        read_at=NOW,
        served=tuple(replace(served, host=host) for host in hosts),
        certificates={row.certificate.thumbprint: row.certificate for row in rows},
    )
