"""Keys of certificates that are on their way into the hosts' stores, and of requests that a CA has not answered.

    PFX file ──────────────► check ─┐
    CA: request ─► CSR, answer ─────┼─► PendingKeys (state_dir/keys, 0600) ─► a PFX for each import ─► forgotten
    ACME: acme.obtain(names) ───────┘

Certificates that an administrator has put into the hosts' stores need none of this: their thumbprint is enough.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.errors import CertsError, SourceError
from certs.files import atomic_write, private_directory, read_private, read_public
from certs.pfx import Pfx, make_pfx
from certs.sources import MALFORMED, Material, checked, spki

_KEY_BITS = 2048
"""Of keys that are made here. AD FS and the oldest relying parties take it; NIST SP 800-57 allows it until 2030."""


class PendingKeys:
    """Keys of certificates that are on their way into the hosts' stores, and of requests that a CA has not answered."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "keys"

    def put(self, material: Material) -> str:
        """Keep it until `forget`; its thumbprint. Raises SourceError."""
        thumbprint = material.model.thumbprint
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in (material.certificate, *material.chain))
        self._write(f"{thumbprint}.pem", _pem(material.key) + pem)
        return thumbprint

    def get(self, thumbprint: str) -> Material:
        """Raises SourceError where it is not (or no longer) here."""
        name = f"{thumbprint}.pem"
        try:
            content = read_private(self._directory / name)
            key = load_pem_private_key(content, None)
            certificate, *chain = x509.load_pem_x509_certificates(content)
        except FileNotFoundError as error:
            problem = f"the private key of {thumbprint} is not here"
            raise SourceError("the key store", problem, "give its PFX file again (plan or apply with --pfx)") from error
        except CertsError as error:
            raise SourceError("the key store", str(error), "fix that, or give the PFX file again") from error
        except MALFORMED as error:
            raise SourceError(str(self._directory / name), "is damaged", "give the PFX file again") from error
        return checked(str(self._directory / name), key, certificate, tuple(chain))

    def pfx(self, thumbprint: str) -> Pfx:
        """For one import. Raises SourceError."""
        material = self.get(thumbprint)
        return make_pfx(material.key, material.certificate, material.chain)

    def forget(self, thumbprint: str, put_before: float = math.inf) -> None:
        """The hosts have it: it is not kept here. One that was put here again since then (Unix seconds) stays."""
        path = self._directory / f"{thumbprint}.pem"
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < put_before:
                path.unlink()

    # -- an enterprise CA

    def request(self, names: Sequence[str], out: Path) -> None:
        """Make a key and write a certificate signing request for it (PKCS #10, PEM). Raises SourceError."""
        if not names:
            raise SourceError("a certificate request", "it has no names", "give at least one with --name")
        try:
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        except ValueError as error:  # UnicodeError among them
            problem = f"{', '.join(names)!a} cannot be in a certificate"
            remedy = "give DNS names (non-ASCII names in the form xn--…), the first with at most 64 characters"
            raise SourceError("a certificate request", problem, remedy) from error
        key = rsa.generate_private_key(65537, _KEY_BITS)
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        for extension, critical in ((alternatives, False), (_usage(), True), (_server(), False)):
            builder = builder.add_extension(extension, critical)
        request = builder.sign(key, hashes.SHA256())
        self._write(f"request-{_spki_name(key)}.pem", _pem(key))
        try:
            out.write_bytes(request.public_bytes(Encoding.PEM))
        except OSError as error:
            raise SourceError(str(out), f"cannot be written ({error.strerror})", "choose another file") from error

    def answer(self, path: Path) -> Material:
        """The certificate that a CA made of a request (PEM or DER, its chain after it). Raises SourceError."""
        try:
            content = read_public(path)
            found = _certificates(content)
        except FileNotFoundError as error:
            raise SourceError(str(path), "there is no such file", "check its name") from error
        except (CertsError, *MALFORMED) as error:
            raise SourceError(
                str(path), "does not contain a certificate (PEM or DER)", "save it as Base-64 encoded X.509"
            ) from error
        leaf, *chain = found
        try:
            key = load_pem_private_key(read_private(self._directory / f"request-{_spki_name(leaf)}.pem"), None)
        except FileNotFoundError as error:
            remedy = "it must be the answer to a request that was made here, with this state_dir; or give a PFX file"
            raise SourceError(str(path), "no private key stored here belongs to it", remedy) from error
        except (CertsError, *MALFORMED) as error:
            raise SourceError(
                str(path), "the private key stored for it cannot be read", "request a new certificate"
            ) from error
        return checked(str(path), key, leaf, tuple(chain))

    def _write(self, name: str, content: bytes) -> None:
        try:
            private_directory(self._directory.parent)
            private_directory(self._directory)
            atomic_write(self._directory / name, content)
        except CertsError as error:
            raise SourceError("the key store", str(error), "fix that first") from error


def _certificates(content: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN" in content:
        return x509.load_pem_x509_certificates(content)
    return [x509.load_der_x509_certificate(content)]


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _spki_name(holder: rsa.RSAPrivateKey | x509.Certificate) -> str:
    return hashlib.sha256(spki(holder.public_key())).hexdigest()[:32]


def _usage() -> x509.KeyUsage:
    absent = dict.fromkeys(
        (
            "content_commitment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(digital_signature=True, key_encipherment=True, **absent)


def _server() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
