"""Certificates from an ACME server (RFC 8555), such as Let's Encrypt or an enterprise's own.

account ─► order ─► authorisations, one for each name
                      pending ─ present the answer ─► answered ─► valid ─┐
                                (dns-01: hook, http-01: our server)      ├─► finalise ─► chain ─► checked
                      valid already (the server remembers) ──────────────┘
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.acme.errors import AcmeError, AcmeRefused, AcmeTimedOut
from certs.acme.proofs import proofs_in_place
from certs.acme.server import AcmeServer
from certs.acme.settings import AcmeSettings
from certs.files import private_directory
from certs.verify import UNREADABLE

_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


async def obtain(names: Sequence[str], settings: AcmeSettings, state_dir: Path) -> tuple[bytes, bytes]:
    """A new certificate for `names`: its private key (PKCS#8 PEM) and its chain (PEM, leaf first).

    The account's key is made on first use and kept in `state_dir/acme`, mode 0600. The chain is checked to be for our key
    and for every name. Raises AcmeError, and KeyStoreError for the account's key. Cancelling removes the proofs; an order
    that was started is forgotten by the server in its own time.
    """
    wanted = _checked_names(names, settings)
    try:
        async with asyncio.timeout(settings.timeout):
            server = await AcmeServer.connect(settings, private_directory(state_dir / "acme"))
            key = await asyncio.to_thread(rsa.generate_private_key, public_exponent=65537, key_size=settings.key_bits)
            order = await server.order(_request(wanted, key))
            unproven = server.unproven(order, wanted)
            async with proofs_in_place([authorisation.proof for authorisation in unproven], settings):
                for authorisation in unproven:
                    await server.answer(authorisation)
                for authorisation in unproven:
                    await server.wait_until_valid(authorisation)
            chain = await server.finalise(order)
    except TimeoutError as error:
        raise AcmeTimedOut(settings.directory, f"no certificate after {settings.timeout:.0f} s; raise `timeout`") from error
    _check_chain(chain, key.public_key(), wanted, settings)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, chain


def _checked_names(names: Sequence[str], settings: AcmeSettings) -> list[str]:
    def refuse(problem: str) -> AcmeError:
        return AcmeError(settings.directory, problem)

    wanted = list(dict.fromkeys(name.lower().rstrip(".") for name in names))
    if not wanted:
        raise refuse("a certificate needs at least one name")
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise refuse(f"{name!r} is not a DNS name; write names with other letters in punycode (xn--…)")
        if name.startswith("*.") and settings.challenge == "http-01":
            raise refuse(f"{name} is a wildcard: that needs challenge = 'dns-01' (RFC 8555, 7.1.3)")
    if settings.challenge == "dns-01" and settings.hook is None:
        raise refuse("dns-01 needs a program that sets the record: set `hook`, or challenge = 'http-01'")
    if settings.key_bits not in {2048, 3072, 4096}:
        raise refuse(f"key_bits = {settings.key_bits}: choose 2048, 3072 or 4096")
    return wanted


def _request(names: Sequence[str], key: rsa.RSAPrivateKey) -> bytes:
    san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(san, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _check_chain(chain: bytes, key: rsa.RSAPublicKey, names: Sequence[str], settings: AcmeSettings) -> None:
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
        issued_for = leaf.public_key()
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        certified = {name.lower() for name in san.get_values_for_type(x509.DNSName)}
    except (TypeError, x509.ExtensionNotFound, *UNREADABLE) as error:
        raise AcmeRefused(settings.directory, f"what it issued is no chain of certificates ({error})") from error
    if issued_for != key:
        raise AcmeRefused(settings.directory, "the certificate it issued is not for our key")
    if missing := set(names) - certified:
        raise AcmeRefused(settings.directory, f"the certificate it issued lacks {', '.join(sorted(missing))}")
