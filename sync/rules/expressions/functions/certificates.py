"""Functions of X.509 certificates, named after properties of .NET's X509Certificate2.

They take a certificate in DER, or in base64 as text. Microsoft's reference describes each in one sentence and gives no
results: these are those of the properties of .NET.
"""

from __future__ import annotations

import base64
import binascii
import functools
import warnings
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier

from certs import CertificateUnreadable, read_certificate, thumbprint_of
from sync.rules.expressions.errors import UnfitValue
from sync.rules.expressions.functions.times import SECOND, UNIX_ZERO
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import DateTime

CERTIFICATES: Final = FunctionTable("Certificate")
_WORDS: Final = Basis.DESCRIPTION
_UPN: Final = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_LABELS: Final = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "E",
    NameOID.GIVEN_NAME: "G",
    NameOID.INITIALS: "I",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.SERIAL_NUMBER: "SERIALNUMBER",
    NameOID.STATE_OR_PROVINCE_NAME: "S",
    NameOID.STREET_ADDRESS: "STREET",
    NameOID.SURNAME: "SN",
    NameOID.TITLE: "T",
}
"""How Windows writes the parts of a name (CertNameToStr)."""
_SIMPLE: Final = (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME, NameOID.EMAIL_ADDRESS)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A certificate with its names, which cryptography reads again each time."""

    whole: x509.Certificate
    subject: x509.Name
    issuer: x509.Name


def _names(certificate: bytes | str) -> _Parsed:
    """Raises UnfitValue."""
    try:
        return _parsed(certificate if isinstance(certificate, bytes) else certificate.encode("ascii", "replace"))
    except CertificateUnreadable as error:
        raise UnfitValue("the value is not an X.509 certificate in DER or base64", "Ask before by IsCert") from error


def _read(certificate: bytes | str) -> x509.Certificate:
    """Raises UnfitValue."""
    return _names(certificate).whole


@functools.lru_cache(maxsize=64)
def _parsed(raw: bytes) -> _Parsed:
    """A rule asks for several properties of one certificate in a row. Raises CertificateUnreadable."""
    der = raw
    if not raw.startswith(b"\x30"):  # the tag of a SEQUENCE; in base64 it is M
        lines = [line for line in raw.split(b"\n") if not line.startswith(b"-----")]
        try:
            der = base64.b64decode(b"".join(b"".join(lines).split()), validate=True)
        except binascii.Error:
            der = b""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of serial numbers that are not positive and of countries: nothing depends on them
        read_certificate(der)  # its limits, and every way in which a certificate may be malformed
        whole = x509.load_der_x509_certificate(der)
        return _Parsed(whole, whole.subject, whole.issuer)


@CERTIFICATES.function("mvstr CertExtensionOids(bin|str certificate)", _WORDS)
def cert_extension_oids(certificate: bytes | str) -> tuple[str, ...] | None:
    """The OIDs of the critical extensions."""
    return tuple(extension.oid.dotted_string for extension in _read(certificate).extensions if extension.critical) or None


@CERTIFICATES.function("str CertFormat(bin|str certificate)", _WORDS)
def cert_format(certificate: bytes | str) -> str:
    """`X509`."""
    _read(certificate)
    return "X509"


@CERTIFICATES.function("str CertFriendlyName(bin|str certificate)", _WORDS)
def cert_friendly_name(certificate: bytes | str) -> str:
    """An empty text: the alias is kept in a store of Windows, not in the certificate."""
    _read(certificate)
    return ""


@CERTIFICATES.function("str CertHashString(bin|str certificate)", _WORDS)
def cert_hash_string(certificate: bytes | str) -> str:
    """SHA-1 of the certificate, in hexadecimal digits."""
    return thumbprint_of(_der(certificate))


@CERTIFICATES.function("str CertIssuer(bin|str certificate)", _WORDS)
def cert_issuer(certificate: bytes | str) -> str:
    """The issuer's name as Windows writes it: `CN=..., O=..., C=...`."""
    return _name(_names(certificate).issuer)


@CERTIFICATES.function("str CertIssuerDN(bin|str certificate)", _WORDS)
def cert_issuer_dn(certificate: bytes | str) -> str:
    """The same as CertIssuer."""
    return _name(_names(certificate).issuer)


@CERTIFICATES.function("str CertIssuerOid(bin|str certificate)", _WORDS)
def cert_issuer_oid(certificate: bytes | str) -> None:
    """NULL: names have no OID in .NET."""
    _read(certificate)


@CERTIFICATES.function("str CertKeyAlgorithm(bin|str certificate)", _WORDS)
def cert_key_algorithm(certificate: bytes | str) -> str:
    """The OID of the key's algorithm."""
    return _read(certificate).public_key_algorithm_oid.dotted_string


@CERTIFICATES.function("str CertKeyAlgorithmParams(bin|str certificate)", _WORDS)
def cert_key_algorithm_params(certificate: bytes | str) -> str:
    """The parameters of the key's algorithm in DER, in hexadecimal digits: `0500` of RSA, the curve of an elliptic one."""
    return _key_parameters(_read(certificate).tbs_certificate_bytes).hex().upper()


@CERTIFICATES.function("str CertNameInfo(bin|str certificate, str nameType, bool issuer)", _WORDS)
def cert_name_info(certificate: bytes | str, name_type: str, issuer: bool) -> str:
    """One name of the subject or issuer: SimpleName, EmailName, UpnName, DnsName, DnsFromAlternativeName or UrlName. Empty
    where there is none."""
    if name_type not in {"SimpleName", "EmailName", "UpnName", "DnsName", "DnsFromAlternativeName", "UrlName"}:
        raise UnfitValue(
            "nameType is unknown",
            "Write SimpleName, EmailName, UpnName, DnsName, DnsFromAlternativeName or UrlName, in quotes",
        )
    read = _names(certificate)
    name = read.issuer if issuer else read.subject
    extension = ExtensionOID.ISSUER_ALTERNATIVE_NAME if issuer else ExtensionOID.SUBJECT_ALTERNATIVE_NAME
    alternatives = _alternatives(read.whole, extension)
    match name_type:
        case "EmailName":
            return _first(alternatives, x509.RFC822Name) or _of(name, NameOID.EMAIL_ADDRESS)
        case "UpnName":
            return _upn(alternatives)
        case "DnsName":
            return _first(alternatives, x509.DNSName) or _of(name, NameOID.COMMON_NAME)
        case "DnsFromAlternativeName":
            return _first(alternatives, x509.DNSName)
        case "UrlName":
            return _first(alternatives, x509.UniformResourceIdentifier)
    named = next(filter(None, (_of(name, oid) for oid in _SIMPLE)), "")
    return named or _first(alternatives, x509.RFC822Name) or _first(alternatives, x509.DNSName)


@CERTIFICATES.function("dt CertNotAfter(bin|str certificate)", Basis.DESCRIPTION)
def cert_not_after(certificate: bytes | str) -> DateTime:
    """When it ends, in UTC. The reference says local time, and compares it with Now(), which is UTC."""
    return _date(_read(certificate).not_valid_after_utc.timestamp())


@CERTIFICATES.function("dt CertNotBefore(bin|str certificate)", _WORDS)
def cert_not_before(certificate: bytes | str) -> DateTime:
    """When it begins, in UTC."""
    return _date(_read(certificate).not_valid_before_utc.timestamp())


@CERTIFICATES.function("str CertPublicKeyOid(bin|str certificate)", _WORDS)
def cert_public_key_oid(certificate: bytes | str) -> str:
    """The OID of the public key: that of its algorithm."""
    return _read(certificate).public_key_algorithm_oid.dotted_string


@CERTIFICATES.function("str CertPublicKeyParametersOid(bin|str certificate)", _WORDS)
def cert_public_key_parameters_oid(certificate: bytes | str) -> str:
    """The OID of the public key's parameters: in .NET that of its algorithm, too."""
    return _read(certificate).public_key_algorithm_oid.dotted_string


@CERTIFICATES.function("str CertSerialNumber(bin|str certificate)", _WORDS)
def cert_serial_number(certificate: bytes | str) -> str:
    """The serial number in hexadecimal digits, two for each byte."""
    number = _read(certificate).serial_number
    size = max(1, (number.bit_length() + 8) // 8)  # of a number in DER, whose first bit is its sign
    return number.to_bytes(size, "big", signed=True).hex().upper()


@CERTIFICATES.function("str CertSignatureAlgorithmOid(bin|str certificate)", _WORDS)
def cert_signature_algorithm_oid(certificate: bytes | str) -> str:
    """The OID of the algorithm that it is signed with."""
    return _read(certificate).signature_algorithm_oid.dotted_string


@CERTIFICATES.function("str CertSubject(bin|str certificate)", _WORDS)
def cert_subject(certificate: bytes | str) -> str:
    """The subject's name as Windows writes it: `CN=..., O=..., C=...`."""
    return _name(_names(certificate).subject)


@CERTIFICATES.function("str CertSubjectNameDN(bin|str certificate)", _WORDS)
def cert_subject_name_dn(certificate: bytes | str) -> str:
    """The same as CertSubject."""
    return _name(_names(certificate).subject)


@CERTIFICATES.function("str CertSubjectNameOid(bin|str certificate)", _WORDS)
def cert_subject_name_oid(certificate: bytes | str) -> None:
    """NULL: names have no OID in .NET."""
    _read(certificate)


@CERTIFICATES.function("str CertThumbprint(bin|str certificate)", _WORDS)
def cert_thumbprint(certificate: bytes | str) -> str:
    """The same as CertHashString."""
    return thumbprint_of(_der(certificate))


@CERTIFICATES.function("str CertVersion(bin|str certificate)", _WORDS)
def cert_version(certificate: bytes | str) -> str:
    """`1` or `3`."""
    return str(_read(certificate).version.value + 1)


@CERTIFICATES.function("bool IsCert(bin|str? certificate)", _WORDS)
def is_cert(certificate: bytes | str | None) -> bool:
    """Whether it is a certificate that the functions of this group take."""
    try:
        return certificate is not None and bool(_read(certificate))
    except UnfitValue:
        return False


def _der(certificate: bytes | str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return _read(certificate).public_bytes(Encoding.DER)


def _date(seconds: float) -> DateTime:
    return DateTime(UNIX_ZERO + round(seconds) * SECOND)


def _name(name: x509.Name) -> str:
    """From the most particular part to the country, as .NET's X500DistinguishedName.Name has it."""
    return ", ".join(" + ".join(map(_part, rdn)) for rdn in reversed(name.rdns))


def _part(attribute: x509.NameAttribute[str | bytes]) -> str:
    label = _LABELS.get(attribute.oid, f"OID.{attribute.oid.dotted_string}")
    value = attribute.value if isinstance(attribute.value, str) else attribute.value.hex().upper()
    if value.strip() != value or any(letter in ',+="\n<>#;' for letter in value):
        value = '"' + value.replace('"', '""') + '"'
    return f"{label}={value}"


def _of(name: x509.Name, oid: ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[-1].value) if found else ""


def _alternatives(certificate: x509.Certificate, oid: ObjectIdentifier) -> list[x509.GeneralName]:
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return []
    return list(value) if isinstance(value, x509.SubjectAlternativeName | x509.IssuerAlternativeName) else []


def _first(names: list[x509.GeneralName], kind: type[x509.GeneralName]) -> str:
    return next((str(name.value) for name in names if isinstance(name, kind)), "")


def _upn(names: list[x509.GeneralName]) -> str:
    """An OtherName whose value is a UTF8String in DER."""
    for name in names:
        if isinstance(name, x509.OtherName) and name.type_id == _UPN:
            tag, value, _ = _element(name.value)
            return value.decode("utf-8", "replace") if tag == 0x0C else ""
    return ""


def _key_parameters(tbs: bytes) -> bytes:
    """The parameters in SubjectPublicKeyInfo (RFC 5280 section 4.1): the seventh field of a certificate with a version."""
    _, fields, _ = _element(tbs)
    if fields[0] == 0xA0:  # version, which certificates of version 1 leave out
        fields = _element(fields)[2]
    for _ in ("serialNumber", "signature", "issuer", "validity", "subject"):
        fields = _element(fields)[2]
    key_info = _element(fields)[1]
    algorithm = _element(key_info)[1]
    return _element(algorithm)[2]


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content, and what follows it (X.690 section 8.1). Of DER that has been parsed before."""
    size, at = der[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(der[2:at], "big")
    return der[0], der[at : at + size], der[at + size :]
