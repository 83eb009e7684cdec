"""Keys made and read: from `cryptography` to records and back."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from certs import KeyState, fingerprint
from gateway.federation.keys.errors import SigningKeyDamaged
from gateway.federation.keys.jwk import key_id
from gateway.federation.keys.model import PrivateKey, Ring, SigningKey
from gateway.store import SigningKeyRecord

RSA_BITS = 2048
"""Every SAML party and every client takes it; signing with 3072 bits costs more than twice the processor time."""
_BACKDATED = dt.timedelta(minutes=5)
"""For partners whose clocks are behind."""
_PURPOSES = {"saml": "SAML signing", "decrypting": "SAML decryption"}


def make_key(
    ring: Ring,
    algorithm: str,
    *,
    host: str,
    state: KeyState,
    now: float,
    lifetime: float,
    waiting_for: frozenset[str] = frozenset(),
    private: PrivateKey | None = None,
) -> SigningKeyRecord:
    """A new key; of SAML with a certificate that it signs itself, in the name of `host`. Blocks for up to a second.

    now: Unix seconds, from when on it is in its state; lifetime: seconds. private: one that fits the algorithm and need not
    be made.
    """
    private = private or new_private_key(algorithm)
    certificate = b""
    if isinstance(private, rsa.RSAPrivateKey) and ring in _PURPOSES:
        certificate = _self_signed(private, ring, host, now, lifetime)
    return SigningKeyRecord(
        id=fingerprint(certificate) if certificate else key_id(private.public_key()),
        ring=ring,
        algorithm=algorithm,
        certificate=certificate,
        private=private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        state=state.value,
        since=now,
        created_at=now,
        not_after=float(int(now + lifetime)),
        waiting_for=waiting_for,
    )


def new_private_key(algorithm: str) -> PrivateKey:
    """For `RS256` and the like, `ES256`, or `RSA`. Blocks: the primes of RSA take from 0.05 to 0.5 s."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def _self_signed(private: rsa.RSAPrivateKey, ring: str, host: str, now: float, lifetime: float) -> bytes:
    made = dt.datetime.fromtimestamp(int(now), dt.UTC)
    label = f"Isthmus {_PURPOSES[ring]} {host}"[:64]  # the longest common name (RFC 5280 appendix A)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(made - _BACKDATED)
        .not_valid_after(dt.datetime.fromtimestamp(int(now + lifetime), dt.UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(decrypts=ring == "decrypting"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, SHA256())
    )
    return certificate.public_bytes(Encoding.DER)


def _usage(*, decrypts: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not decrypts,
        content_commitment=False,
        key_encipherment=decrypts,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def read_key(record: SigningKeyRecord) -> SigningKey:
    """A kept key, ready for use. Blocks for some milliseconds. Raises SigningKeyDamaged."""
    try:
        private = load_der_private_key(record.private, None)
        certificate = x509.load_der_x509_certificate(record.certificate) if record.certificate else None
        state = KeyState(record.state)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyDamaged(record.id, record.ring, "cannot be read") from error
    if record.algorithm == "ES256":
        fits = isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name == "secp256r1"
    else:
        fits = isinstance(private, rsa.RSAPrivateKey)
    if not fits or not isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise SigningKeyDamaged(record.id, record.ring, f"is no key for {record.algorithm}")
    if (certificate is None) != (record.ring == "oidc"):
        raise SigningKeyDamaged(record.id, record.ring, "is a key of another ring")
    if certificate is not None and certificate.public_key() != private.public_key():
        raise SigningKeyDamaged(record.id, record.ring, "its certificate is of another key")
    expected = fingerprint(record.certificate) if certificate is not None else key_id(private.public_key())
    if record.id != expected:
        raise SigningKeyDamaged(record.id, record.ring, "its name is of another key")
    return SigningKey(
        id=record.id,
        ring=record.ring,
        algorithm=record.algorithm,
        state=state,
        since=record.since,
        private=private,
        certificate=certificate,
        record=record,
    )
