"""Properties of certificates, of one with all that they read and of one with nothing."""

from __future__ import annotations

import base64
import datetime as dt
import warnings
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from sync.rules.expressions import DIALECTS, EvaluationFailed, Value
from tests.sync.rules.expressions.support import evaluated

NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Bavaria"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Doe "and" Sons, Inc.'),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "old@example.com"),
        x509.NameAttribute(ObjectIdentifier("1.2.3.4"), "own"),
        x509.NameAttribute(NameOID.COMMON_NAME, "joe"),
    ]
)
with warnings.catch_warnings():  # of a country that has not two letters; whoever reads it must not be warned
    warnings.simplefilter("ignore")
    ISSUER = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "CA"), x509.NameAttribute(NameOID.LOCALITY_NAME, " x")]
            ),
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "Utopia", _validate=False)]),
        ]
    )
UPN = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x0fjoe@example.com")
ALTERNATIVES = x509.SubjectAlternativeName(
    [
        UPN,
        x509.RFC822Name("joe@example.com"),
        x509.DNSName("joe.example.com"),
        x509.UniformResourceIdentifier("https://example.com/joe"),
    ]
)
FIRST, LAST = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), dt.datetime(2027, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@cache
def certificate(*, bare: bool = False) -> bytes:
    key = ec.derive_private_key(7, ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]) if bare else NAME)
        .issuer_name(ISSUER)
        .public_key(key.public_key())
        .serial_number(0x80AB)
        .not_valid_before(FIRST)
        .not_valid_after(LAST)
    )
    if not bare:
        builder = builder.add_extension(ALTERNATIVES, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


VALUES: list[tuple[str, Value]] = [
    ("CertExtensionOids([c])", ("2.5.29.19",)),
    ("CertFormat([c])", "X509"),
    ("CertFriendlyName([c])", ""),
    ("CertIssuer([c])", 'C=Utopia, L=" x" + OU=CA'),
    ("CertIssuerDN([c])", 'C=Utopia, L=" x" + OU=CA'),
    ("CertIssuerOid([c])", None),
    ("CertKeyAlgorithm([c])", "1.2.840.10045.2.1"),
    ("CertKeyAlgorithmParams([c])", "06082A8648CE3D030107"),
    ("CertPublicKeyOid([c])", "1.2.840.10045.2.1"),
    ("CertPublicKeyParametersOid([c])", "1.2.840.10045.2.1"),
    ("CertSerialNumber([c])", "0080AB"),
    ("CertSignatureAlgorithmOid([c])", "1.2.840.10045.4.3.2"),
    ("CertSubject([c])", 'CN=joe, OID.1.2.3.4=own, E=old@example.com, O="Doe ""and"" Sons, Inc.", S=Bavaria, C=DE'),
    ("CertSubjectNameDN([c]) = CertSubject([c])", True),
    ("CertSubjectNameOid([c])", None),
    ("CertVersion([c])", "3"),
    ("CertHashString([c]) = CertThumbprint([c])", True),
    ("Len(CertThumbprint([c]))", 40),
    ('FormatDateTime(CertNotBefore([c]),"u")', "2026-01-02 03:04:05Z"),
    ('FormatDateTime(CertNotAfter([c]),"u")', "2027-01-02 03:04:05Z"),
    ("CertNotAfter([c])>Now()", True),
    ('CertNameInfo([c],"SimpleName",False)', "joe"),
    ('CertNameInfo([c],"SimpleName",True)', "CA"),
    ('CertNameInfo([c],"EmailName",False)', "joe@example.com"),
    ('CertNameInfo([c],"UpnName",False)', "joe@example.com"),
    ('CertNameInfo([c],"UpnName",True)', ""),
    ('CertNameInfo([c],"DnsName",False)', "joe.example.com"),
    ('CertNameInfo([c],"DnsName",True)', ""),
    ('CertNameInfo([c],"DnsFromAlternativeName",False)', "joe.example.com"),
    ('CertNameInfo([c],"UrlName",False)', "https://example.com/joe"),
    ("IsCert([c]) && IsCert([base64]) && IsCert([pem]) && IsCert([text]) = False && IsCert([absent]) = False", True),
    ("IsCert([broken]) || IsCert([large])", False),
    ("CertThumbprint([c]) = CertThumbprint([pem]) && CertThumbprint([c]) = CertThumbprint([base64])", True),
    ("CertSubject([absent])", None),
    ("CertSubject([bare])", ""),
    ('CertNameInfo([bare],"SimpleName",False)', ""),
    ("CertExtensionOids([bare])", None),
    ("Count(Where($item,[all],CertNotAfter($item)>Now()))", 2),
    ("CertVersion([all])", ("3", "3")),
]  # fmt: skip


def attributes() -> dict[str, Value]:
    encoded = base64.b64encode(certificate()).decode()
    return {
        "c": certificate(),
        "bare": certificate(bare=True),
        "all": (certificate(), certificate(bare=True)),
        "base64": encoded,
        "pem": f"-----BEGIN CERTIFICATE-----\n{encoded[:64]}\r\n{encoded[64:]}\n-----END CERTIFICATE-----\n",
        "text": "no certificate",
        "broken": certificate()[:-5],
        "large": b"\x30" + bytes(70000),
    }


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(text: str, value: Value) -> None:
    """As .NET's properties of that name have it."""
    assert evaluated(text, **attributes()) == value


def test_every_function_has_a_result() -> None:
    """None of the group is missing in the table."""
    functions = DIALECTS["connect"].functions.values()
    assert all(
        any(f"{function.name}(" in text for text, _ in VALUES) for function in functions if function.group == "Certificate"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("CertSubject([text])", "not an X.509 certificate in DER or base64"),
        ("CertSubject([broken])", "not an X.509 certificate"),
        ('CertNameInfo([c],"Name",False)', "nameType is unknown"),
    ],
)
def test_failure(text: str, problem: str) -> None:
    """What is no certificate, and a kind of name that there is not."""
    with pytest.raises(EvaluationFailed, match=problem):
        evaluated(text, **attributes())
