"""Whether a certificate and a key are what an HTTPS server of a name needs: sentences that say what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from certs.certificate import covers, read_certificate
from certs.fitness import broken_chain

_MALFORMED = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


def unusable_for_https(chain_pem: bytes, key_pem: bytes, host: str, now: float) -> list[str]:
    """What keeps clients from taking this chain for `host`, a DNS name or an IP address; nothing where all is well.

    Who signed it is not asked: an organisation's own CA is as good, where clients know it. now: Unix seconds.
    """
    try:
        parsed = x509.load_pem_x509_certificates(chain_pem)
    except _MALFORMED:
        return ["the certificate is not PEM (-----BEGIN CERTIFICATE-----)"]
    wrong = _wrong_key(parsed[0], key_pem)
    leaf, *issuers = [read_certificate(item.public_bytes(serialization.Encoding.DER)) for item in parsed]
    if leaf.ended(now):
        wrong.append("the certificate has expired")
    if not leaf.begun(now):
        wrong.append("the certificate is not valid yet; is this machine's clock right?")
    if not leaf.server_auth:
        wrong.append("the certificate is not for servers (no Server Authentication)")
    addresses = _addresses(parsed[0])
    if not (covers(leaf, host) or host in addresses):
        own = ", ".join([*leaf.names, *addresses]) or "no name at all"
        wrong.append(f"the certificate is not for {host}, but for {own}")
    return wrong + broken_chain(leaf, issuers, now)


def _wrong_key(leaf: x509.Certificate, key_pem: bytes) -> list[str]:
    if b"ENCRYPTED" in key_pem:
        return ["the key is encrypted; the relay needs it without a passphrase"]
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
        fits = key.public_key() == leaf.public_key()
    except _MALFORMED:
        return ["the key is not a private key in PEM (-----BEGIN PRIVATE KEY-----)"]
    return [] if fits else ["the key does not belong to this certificate"]


def _addresses(leaf: x509.Certificate) -> Sequence[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *_MALFORMED):
        return ()
    return [address.compressed for address in names.get_values_for_type(x509.IPAddress)]
