"""Real keys and certificates for simulated servers.

RSA keys are slow to make, so a pool of them lives as long as the process: every simulator takes from its beginning. Within
one simulator no key is handed out twice: two certificates with one key could not be told apart by a signature.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = 86400.0
_POOL: list[rsa.RSAPrivateKey] = []
_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
LEGACY_PROVIDER = "Microsoft Enhanced RSA and AES Cryptographic Provider"
CNG_PROVIDER = "Microsoft Software Key Storage Provider"


@dataclass(frozen=True, slots=True, eq=False)
class Cert:
    """A certificate with its key, wherever in the simulation that key is allowed to be."""

    parsed: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        return self.parsed.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.parsed.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def thumbprint(self) -> str:
        return self.parsed.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Windows names certificates so

    @property
    def not_before(self) -> float:
        return self.parsed.not_valid_before_utc.timestamp()

    @property
    def not_after(self) -> float:
        return self.parsed.not_valid_after_utc.timestamp()

    @property
    def subject(self) -> str:
        """As Windows writes it: the most specific part first."""
        return _name(self.parsed.subject)

    @property
    def issuer(self) -> str:
        return _name(self.parsed.issuer)

    @property
    def names(self) -> tuple[str, ...]:
        try:
            found = self.parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        return tuple(found.get_values_for_type(x509.DNSName))

    @property
    def server_auth(self) -> bool:
        try:
            usage = self.parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            return True
        return _SERVER in usage

    def covers(self, name: str) -> bool:
        """By exact name or one wildcard label (RFC 6125 section 6.4.3)."""
        wanted = name.lower()
        return any(each.lower() in {wanted, "*." + wanted.partition(".")[2]} for each in self.names)

    def pfx(self, password: str) -> bytes:
        """As PKCS #12."""
        encryption = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(b"isthmus", self.key, self.parsed, None, encryption)


def _name(name: x509.Name) -> str:
    return ", ".join(part.rfc4514_string() for part in reversed(list(name.rdns)))


class Keys:
    """Hands out RSA 2048 keys, each once."""

    def __init__(self) -> None:
        self._given = 0

    def take(self) -> rsa.RSAPrivateKey:
        if self._given == len(_POOL):
            _POOL.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        self._given += 1
        return _POOL[self._given - 1]


class Authority:
    """An enterprise CA."""

    def __init__(self, keys: Keys, now: float, name: str = "Example Issuing CA") -> None:
        self._keys = keys
        self.certificate = build(keys.take(), name, now - 365 * DAY, now + 3650 * DAY, authority=True)

    def issue(
        self,
        names: Sequence[str],
        not_before: float,
        not_after: float,
        *,
        subject: str = "",
        server_auth: bool = True,
        key: rsa.RSAPrivateKey | None = None,
    ) -> Cert:
        """A certificate for these DNS names. Without `server_auth` it says client authentication only."""
        return build(
            key or self._keys.take(),
            subject or (names[0] if names else "no name"),
            not_before,
            not_after,
            names=names,
            usage=[_SERVER, _CLIENT] if server_auth else [_CLIENT],
            issuer=self.certificate,
        )


def build(
    key: rsa.RSAPrivateKey,
    subject: str,
    not_before: float,
    not_after: float,
    *,
    names: Sequence[str] = (),
    usage: Sequence[x509.ObjectIdentifier] = (),
    issuer: Cert | None = None,
    authority: bool = False,
) -> Cert:
    """Make and sign a certificate, by itself unless there is an issuer."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.parsed.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment(not_before))
        .not_valid_after(moment(not_after))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Cert(builder.sign((issuer.key if issuer else key), hashes.SHA256()), key)


def moment(seconds: float) -> dt.datetime:
    """Unix seconds as X.509 has them: whole ones, UTC."""
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def read_pfx(data: bytes, password: str) -> tuple[Cert, str]:
    """The certificate with its key, and the provider that the PFX asks for ("" for none). Raises ValueError."""
    key, certificate, _ = pkcs12.load_key_and_certificates(data, password.encode())
    if certificate is None or not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("no certificate with an RSA key")
    return Cert(certificate, key), _provider(data)


_PROVIDER_OID = bytes.fromhex("06092b0601040182371101")
"""szOID_PKCS_12_KEY_PROVIDER_NAME_ATTR, 1.3.6.1.4.1.311.17.1: an attribute of the key bag, outside its encryption."""


def _provider(data: bytes) -> str:
    start = data.find(_PROVIDER_OID)
    tag = data.find(b"\x1e", start + len(_PROVIDER_OID)) if start >= 0 else -1  # BMPString in a SET
    if tag < 0:
        return ""
    return data[tag + 2 : tag + 2 + data[tag + 1]].decode("utf-16-be", errors="replace")
