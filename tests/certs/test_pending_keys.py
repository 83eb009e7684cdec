"""Where certificates come from: PFX files, an enterprise CA, ACME; and how Windows gets them."""

from __future__ import annotations

import datetime as dt
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from certs import PendingKeys, SourceError, from_pem, from_pfx
from certs.pfx import PROVIDER
from certs.sources import checked


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def signed(public: object, subject: str = "fs.example.com") -> x509.Certificate:
    """By some CA."""
    ca = ec.generate_private_key(ec.SECP256R1())
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name.from_rfc4514_string(f"CN={subject}")).serial_number(9)
    builder = builder.issuer_name(x509.Name.from_rfc4514_string("CN=CA")).public_key(public)  # type: ignore[arg-type]
    return builder.not_valid_before(start).not_valid_after(start + dt.timedelta(days=365)).sign(ca, hashes.SHA256())


def pfx_file(directory: Path, key: rsa.RSAPrivateKey, password: str = "swordfish") -> tuple[Path, Path]:
    """With its password beside it."""
    content = pkcs12.serialize_key_and_certificates(
        b"fs", key, signed(key.public_key()), [signed(key.public_key(), "CA")], BestAvailableEncryption(password.encode())
    )
    (directory / "fs.pfx").write_bytes(content)
    (directory / "password").write_text(password + "\n")
    (directory / "password").chmod(0o600)
    return directory / "fs.pfx", directory / "password"


def test_a_pfx_comes_out_with_a_legacy_provider(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    """The PFX for the hosts opens with its password, holds the same key and chain, and names a CSP for Windows."""
    material = from_pfx(*pfx_file(tmp_path, key))
    vault = PendingKeys(tmp_path / "state")
    pfx = vault.pfx(vault.put(material))
    again, certificate, chain = pkcs12.load_key_and_certificates(pfx.content, pfx.password.encode())
    assert isinstance(again, rsa.RSAPrivateKey)
    assert again.private_numbers() == key.private_numbers()
    assert certificate == material.certificate
    assert tuple(chain) == material.chain
    assert PROVIDER.encode("utf-16-be") in pfx.content
    assert pfx.password not in repr(pfx)
    assert vault.pfx(material.model.thumbprint).password != pfx.password


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_it(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    """A second implementation checks the MAC and sees the attribute."""
    vault = PendingKeys(tmp_path / "state")
    pfx = vault.pfx(vault.put(from_pfx(*pfx_file(tmp_path, key))))
    (tmp_path / "out.pfx").write_bytes(pfx.content)
    (tmp_path / "secret").write_text(pfx.password)
    command = ["openssl", "pkcs12", "-in", "out.pfx", "-passin", "file:secret", "-nodes", "-legacy"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30).stdout
    assert f"Microsoft CSP Name: {PROVIDER}" in shown


def test_the_vault_is_private_and_forgets(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    """Mode 0600 in a directory of mode 0700; afterwards the key is gone, and asking for it says what to do."""
    vault = PendingKeys(tmp_path / "state")
    thumbprint = vault.put(from_pfx(*pfx_file(tmp_path, key)))
    file = tmp_path / "state" / "keys" / f"{thumbprint}.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    vault.forget(thumbprint)
    assert not file.exists()
    with pytest.raises(SourceError, match="give its PFX file again"):
        vault.pfx(thumbprint)


def test_pfx_files_that_cannot_be_used(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    """Wrong password, no file, no PFX, no key, a password file for all: each says what is wrong, never the password."""
    pfx, password = pfx_file(tmp_path, key)
    (tmp_path / "wrong").write_text("sardine")
    (tmp_path / "wrong").chmod(0o600)
    with pytest.raises(SourceError, match="password is wrong") as caught:
        from_pfx(pfx, tmp_path / "wrong")
    assert "sardine" not in str(caught.value)
    with pytest.raises(SourceError, match="or it has a password; give --password-file"):
        from_pfx(pfx, None)
    with pytest.raises(SourceError, match="no such file"):
        from_pfx(tmp_path / "none.pfx", password)
    with pytest.raises(SourceError, match="is not a PFX file"):
        from_pfx(password, password)
    bare = pkcs12.serialize_key_and_certificates(
        None, None, signed(key.public_key()), None, BestAvailableEncryption(b"swordfish")
    )
    (tmp_path / "bare.pfx").write_bytes(bare)
    with pytest.raises(SourceError, match="no certificate with its private key"):
        from_pfx(tmp_path / "bare.pfx", password)
    password.chmod(0o644)
    with pytest.raises(SourceError, match=r"is open to other users \(mode 0644\)") as caught:
        from_pfx(pfx, password)
    assert str(caught.value).count(f"{password}: ") == 1


def test_key_and_certificate_belong_together(key: rsa.RSAPrivateKey) -> None:
    """A certificate for another key, and a key that is no RSA key."""
    other = rsa.generate_private_key(65537, 2048)
    with pytest.raises(SourceError, match="does not match the private key"):
        checked("x", key, signed(other.public_key()), ())
    elliptic = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(SourceError, match="not an RSA key"):
        checked("x", elliptic, signed(elliptic.public_key()), ())


def test_an_enterprise_ca(tmp_path: Path) -> None:
    """The request goes out to a file, the key stays here, the answer finds its key again; a foreign answer is refused."""
    vault = PendingKeys(tmp_path / "state")
    vault.request(["fs.example.com", "certauth.fs.example.com"], tmp_path / "fs.csr")
    request = x509.load_pem_x509_csr((tmp_path / "fs.csr").read_bytes())
    assert request.is_signature_valid
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert names == ["fs.example.com", "certauth.fs.example.com"]
    assert b"PRIVATE" not in (tmp_path / "fs.csr").read_bytes()
    answer = signed(request.public_key())
    (tmp_path / "fs.cer").write_bytes(answer.public_bytes(Encoding.DER))
    material = vault.answer(tmp_path / "fs.cer")
    assert material.certificate == answer
    (tmp_path / "chain.pem").write_bytes(answer.public_bytes(Encoding.PEM) * 2)
    assert len(vault.answer(tmp_path / "chain.pem").chain) == 1
    (tmp_path / "foreign.cer").write_bytes(
        signed(rsa.generate_private_key(65537, 2048).public_key()).public_bytes(Encoding.DER)
    )
    with pytest.raises(SourceError, match="no private key stored here belongs to it"):
        vault.answer(tmp_path / "foreign.cer")
    (tmp_path / "text.cer").write_text("no certificate")
    with pytest.raises(SourceError, match="does not contain a certificate"):
        vault.answer(tmp_path / "text.cer")


def test_what_acme_answers(key: rsa.RSAPrivateKey) -> None:
    """A key and a chain as PEM; anything else is refused."""
    chain = signed(key.public_key()).public_bytes(Encoding.PEM) + signed(key.public_key(), "CA").public_bytes(Encoding.PEM)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    material = from_pem("ACME", pem, chain)
    assert len(material.chain) == 1
    assert "PRIVATE" not in repr(material)
    with pytest.raises(SourceError, match="no readable private key or certificate"):
        from_pem("ACME", pem, b"sorry")


@pytest.mark.parametrize("name", ["", "müller.example.com", "fs.\udcff", "a" * 65])
def test_a_request_for_what_is_no_name(name: str, tmp_path: Path) -> None:
    """Said before a key is made."""
    with pytest.raises(SourceError, match="cannot be in a certificate"):
        PendingKeys(tmp_path / "state").request([name], tmp_path / "request.csr")
    assert not (tmp_path / "state").exists()
