"""Keys, certificates, tokens: made, kept, and attacked."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certs import (
    Authority,
    CertificateRefused,
    EnrolmentToken,
    KeyStoreError,
    MachineIdentity,
    Role,
    TokenRefused,
    atomic_write,
    private_directory,
    prove,
    read_private,
    renewal_due,
    verify_certificate,
    verify_proof,
    verify_signature,
)
from certs.token import PREFIX
from tests.support.examples import examples

NOW = 1_800_000_000.0
DAY = 86400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca") / "ca", name="test", now=NOW)


def issue(authority: Authority, home: Path, name: str = "agent1", role: Role = Role.AGENT) -> MachineIdentity:
    csr = MachineIdentity.begin(home, name=name)
    der = authority.issue(csr, name=name, role=role, now=NOW)
    return MachineIdentity.install(home, der, authority.certificate_der, name=name, role=role, now=NOW)


def refusal(authority: Authority, der: bytes, role: Role = Role.AGENT, now: float = NOW) -> str:
    with pytest.raises(CertificateRefused) as refused:
        verify_certificate(der, authority=authority.certificate, role=role, now=now)
    assert str(refused.value)
    return refused.value.reason


def test_an_identity_is_enrolled_loaded_and_signs(authority: Authority, tmp_path: Path) -> None:
    """Key, request, certificate, signature."""
    made = issue(authority, tmp_path / "id")
    loaded = MachineIdentity.load(tmp_path / "id")
    assert (loaded.name, loaded.role, loaded.serial) == ("agent1", Role.AGENT, made.serial)
    peer = verify_certificate(loaded.certificate_der, authority=authority.certificate, role=Role.AGENT, now=NOW)
    assert peer.name == "agent1"
    verify_signature(peer, loaded.sign(b"text"), b"text")
    with pytest.raises(CertificateRefused):
        verify_signature(peer, loaded.sign(b"text"), b"other")


def test_keys_are_for_their_owner_only(authority: Authority, tmp_path: Path) -> None:
    """Modes of directory and files; looser ones are refused."""
    issue(authority, tmp_path / "id")
    assert (tmp_path / "id").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "id" / "identity.pem").stat().st_mode & 0o777 == 0o600
    (tmp_path / "id" / "identity.pem").chmod(0o644)
    with pytest.raises(KeyStoreError, match="other users"):
        MachineIdentity.load(tmp_path / "id")
    (tmp_path / "id").chmod(0o755)
    with pytest.raises(KeyStoreError, match="chmod 700"):
        private_directory(tmp_path / "id")


def test_an_authority_is_never_made_twice(tmp_path: Path) -> None:
    """It would orphan every agent."""
    Authority.create(tmp_path / "ca", name="one", now=NOW)
    with pytest.raises(KeyStoreError, match="already"):
        Authority.create(tmp_path / "ca", name="two", now=NOW)
    assert Authority.load(tmp_path / "ca").fingerprint


def test_a_damaged_authority_is_said_so(tmp_path: Path) -> None:
    """Not a traceback."""
    Authority.create(tmp_path / "ca", name="one", now=NOW)
    Authority.create(tmp_path / "other", name="two", now=NOW)
    (tmp_path / "ca" / "authority.pem").write_bytes((tmp_path / "other" / "authority.pem").read_bytes())
    with pytest.raises(KeyStoreError, match="together"):
        Authority.load(tmp_path / "ca")
    (tmp_path / "ca" / "authority.pem").write_bytes(b"nonsense")
    with pytest.raises(KeyStoreError, match="cannot be read"):
        Authority.load(tmp_path / "ca")


def test_only_the_pinned_authority_counts(authority: Authority, tmp_path: Path) -> None:
    """One with the same name does not."""
    forged = Authority.create(tmp_path / "ca", name="test", now=NOW)
    assert refusal(authority, issue(forged, tmp_path / "id").certificate_der) == "wrong_authority"


def test_roles_are_not_mixed_up(authority: Authority, tmp_path: Path) -> None:
    """An agent is no relay, and an authority is no machine."""
    agent = issue(authority, tmp_path / "id")
    assert refusal(authority, agent.certificate_der, Role.RELAY) == "wrong_role"
    assert refusal(authority, authority.certificate_der) == "wrong_role"


def test_validity_is_judged_with_leeway(authority: Authority, tmp_path: Path) -> None:
    """Too late, too early, and a clock that is a little off."""
    der = issue(authority, tmp_path / "id").certificate_der
    assert refusal(authority, der, now=NOW + 31 * DAY) == "expired"
    assert refusal(authority, der, now=NOW - DAY) == "not_yet_valid"
    verify_certificate(der, authority=authority.certificate, role=Role.AGENT, now=NOW + 30 * DAY + 200)
    verify_certificate(der, authority=authority.certificate, role=Role.AGENT, now=NOW - 500)


def test_an_authority_that_has_ended_vouches_for_nobody(authority: Authority, tmp_path: Path) -> None:
    """A certificate that it issued on its last day would outlive it; clocks may differ as with any other."""
    ends = authority.certificate.not_valid_after_utc.timestamp()
    csr = MachineIdentity.begin(tmp_path / "id", name="agent1")
    der = authority.issue(csr, name="agent1", role=Role.AGENT, now=ends - DAY)
    verify_certificate(der, authority=authority.certificate, role=Role.AGENT, now=ends + 200)
    assert refusal(authority, der, now=ends + 400) == "expired"


def test_an_authority_that_has_not_begun_vouches_for_nobody(authority: Authority, tmp_path: Path) -> None:
    """As where a clock went back."""
    csr = MachineIdentity.begin(tmp_path / "id", name="agent1")
    der = authority.issue(csr, name="agent1", role=Role.AGENT, now=NOW - DAY)
    assert refusal(authority, der, now=NOW - DAY) == "not_yet_valid"


def test_a_directory_in_the_place_of_a_file_is_said_so(authority: Authority, tmp_path: Path) -> None:
    """Not a traceback, and no descriptor is left open."""
    issue(authority, tmp_path / "id")
    (tmp_path / "id" / "identity.pem").unlink()
    (tmp_path / "id" / "identity.pem").mkdir(mode=0o700)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(KeyStoreError, match=r"identity\.pem: is not a regular file"):
        MachineIdentity.load(tmp_path / "id")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_request_says_nothing_but_its_key(authority: Authority) -> None:
    """Whatever name or extension a hostile request carries, ours are issued."""
    key = ed25519.Ed25519PrivateKey.generate()
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay1")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:isthmus:relay:x")]), critical=False)
        .sign(key, None)
    )
    der = authority.issue(csr.public_bytes(serialization.Encoding.DER), name="agent1", role=Role.AGENT, now=NOW)
    peer = verify_certificate(der, authority=authority.certificate, role=Role.AGENT, now=NOW)
    assert peer.name == "agent1"


def test_key_types(authority: Authority) -> None:
    """P-256 is taken, RSA and P-521 are not."""

    def csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.DER)

    key = ec.generate_private_key(ec.SECP256R1())
    der = authority.issue(csr(key), name="agent1", role=Role.AGENT, now=NOW)
    peer = verify_certificate(der, authority=authority.certificate, role=Role.AGENT, now=NOW)
    verify_signature(peer, key.sign(b"text", ec.ECDSA(hashes.SHA256())), b"text")
    for bad in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP521R1())):
        with pytest.raises(CertificateRefused) as refused:
            authority.issue(csr(bad), name="agent1", role=Role.AGENT, now=NOW)
        assert refused.value.reason == "wrong_key"


@pytest.mark.parametrize("name", ["", "a" * 64, "a/b", "a b", "-a", "ä", "a:b", "a\n"])
def test_names_that_no_machine_may_bear(authority: Authority, tmp_path: Path, name: str) -> None:
    """They end up in URIs, logs and file names."""
    csr = MachineIdentity.begin(tmp_path / "id", name="x")
    with pytest.raises(ValueError, match="machine name"):
        authority.issue(csr, name=name, role=Role.AGENT, now=NOW)


@settings(deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_certificates_are_refused(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bit flips, cuts, garbage: a refusal each time, never another exception."""
    der = issue(authority, tmp_path_factory.mktemp("id") / "id").certificate_der
    kind = data.draw(st.sampled_from(["flip", "cut", "garbage", "huge"]))
    if kind == "flip":
        bit = data.draw(st.integers(0, 2**13)) % (len(der) * 8)  # what is drawn must not depend on this run's keys
        changed = bytearray(der)
        changed[bit // 8] ^= 1 << bit % 8
        der = bytes(changed)
    elif kind == "cut":
        der = der[: data.draw(st.integers(0, 2**10)) % len(der)]
    else:
        der = data.draw(st.binary(max_size=400)) if kind == "garbage" else bytes(10_000)
    assert refusal(authority, der)
    with pytest.raises(CertificateRefused):
        authority.issue(der, name="agent1", role=Role.AGENT, now=NOW)


def test_a_signature_has_one_encoding_only(authority: Authority, tmp_path: Path) -> None:
    """Bits that are called unused are outside the signature: whoever carries a certificate could flip them."""
    for number in range(64):
        der = bytearray(issue(authority, tmp_path / str(number)).certificate_der)
        if der[-1] & 1 == 0:
            break
    assert der[-67:-64] == b"\x03\x41\x00"
    der[-65] = 1
    assert refusal(authority, bytes(der)) == "malformed"


def test_a_crash_in_a_renewal_leaves_the_identity_working(authority: Authority, tmp_path: Path) -> None:
    """After the new key was made, and after a certificate that was refused."""
    identity = issue(authority, tmp_path / "id")
    csr = identity.begin_renewal()
    assert MachineIdentity.load(tmp_path / "id").serial == identity.serial
    other = authority.issue(csr, name="other", role=Role.AGENT, now=NOW)
    with pytest.raises(CertificateRefused, match="names other"):
        identity.finish_renewal(other, NOW)
    with pytest.raises(CertificateRefused, match="another key"):
        identity.finish_renewal(identity.certificate_der, NOW)
    assert MachineIdentity.load(tmp_path / "id").serial == identity.serial
    renewed = identity.finish_renewal(authority.issue(csr, name="agent1", role=Role.AGENT, now=NOW), NOW)
    assert MachineIdentity.load(tmp_path / "id").serial == renewed.serial != identity.serial
    with pytest.raises(KeyStoreError, match="no certificate was asked for"):
        renewed.finish_renewal(renewed.certificate_der, NOW)


def test_a_damaged_identity_names_the_remedy(authority: Authority, tmp_path: Path) -> None:
    """Half a file, or two halves of different ones."""
    issue(authority, tmp_path / "id")
    path = tmp_path / "id" / "identity.pem"
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    with pytest.raises(KeyStoreError, match="enrol"):
        MachineIdentity.load(tmp_path / "id")
    other = issue(authority, tmp_path / "other")
    path.write_bytes(other.certificate.public_bytes(serialization.Encoding.PEM).join([whole[:120], whole[120:]]))
    with pytest.raises(KeyStoreError):
        MachineIdentity.load(tmp_path / "id")


def test_renewals_are_spread(authority: Authority) -> None:
    """Around two thirds of the life, each machine at its own time."""
    begin, end = NOW, NOW + 30 * DAY
    assert not renewal_due(begin, end, NOW + 18 * DAY, "a")
    assert renewal_due(begin, end, NOW + 22 * DAY, "a")
    due = {sum(not renewal_due(begin, end, NOW + hour * 3600, f"agent{n}") for hour in range(720)) for n in range(50)}
    assert len(due) > 20


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no temporary one."""
    path = tmp_path / "key"
    atomic_write(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyStoreError, match="No space left"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]
    with pytest.raises(KeyStoreError, match="cannot be written"):
        atomic_write(tmp_path / "nowhere" / "key", b"new")


def test_a_key_file_that_is_a_link_or_huge_is_refused(tmp_path: Path) -> None:
    """Somebody may have put it there."""
    atomic_write(tmp_path / "real", b"key")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(KeyStoreError, match="regular file"):
        read_private(tmp_path / "link")
    atomic_write(tmp_path / "huge", bytes(1024 * 1024 + 1))
    with pytest.raises(KeyStoreError, match="not a key file"):
        read_private(tmp_path / "huge")
    os.mkfifo(tmp_path / "pipe", 0o600)  # nobody ever writes to it
    with pytest.raises(KeyStoreError, match="is not a regular file"):
        read_private(tmp_path / "pipe")
    with pytest.raises(KeyStoreError, match="directory"):
        private_directory(tmp_path / "real")


def token() -> EnrolmentToken:
    return EnrolmentToken.create(name="agent1", relay_url="https://relay.example", authority_fingerprint="ab" * 32, now=NOW)


def test_a_token_survives_copying(authority: Authority) -> None:
    """Line breaks of a terminal included."""
    made = token()
    text = made.text
    assert EnrolmentToken.parse(f"  {text[:40]}\n{text[40:]}\n") == made
    assert repr(made.secret) not in repr(made)


def test_a_truncated_token_is_told_from_a_foreign_one() -> None:
    """The person at the keyboard learns what to do."""
    text = token().text
    for bad in (text[:-3], text[:30], text[:50] + "A" + text[51:]):
        with pytest.raises(TokenRefused, match="copy the whole"):
            EnrolmentToken.parse(bad)
    for bad in ("", "hello", "x" * 5000):
        with pytest.raises(TokenRefused, match="begin with"):
            EnrolmentToken.parse(bad)


def test_a_token_says_for_which_domains_it_is() -> None:
    """One without them is read as well (of any domain, or of an older relay), and so is one of a newer relay."""

    def read(*more: object) -> EnrolmentToken:
        content = ["dc1", "https://relay", "ab", 1e9, base64.b64encode(b"s" * 32).decode(), *more]
        body = json.dumps(content).encode()
        text = base64.urlsafe_b64encode(body + zlib.crc32(body).to_bytes(4, "big")).decode().rstrip("=")
        return EnrolmentToken.parse(PREFIX + text)

    made = EnrolmentToken.create(
        name="dc1", relay_url="https://relay", authority_fingerprint="ab", now=0.0, domains=("corp.example.com", "corp")
    )
    assert EnrolmentToken.parse(made.text).domains == ("corp.example.com", "corp")
    told: list[tuple[object, ...]] = [(), (None,), ([],), (["a"], "new")]
    assert [read(*more).domains for more in told] == [None, None, (), ("a",)]
    unusable: list[object] = ["corp", [1], {}]
    for wrong in unusable:
        with pytest.raises(TokenRefused, match="damaged"):
            read(wrong)


def test_a_token_expires() -> None:
    """Fifteen minutes."""
    made = token()
    made.check_fresh(NOW + 899)
    with pytest.raises(TokenRefused, match="expired"):
        made.check_fresh(NOW + 901)


def test_proofs_are_bound_to_what_was_said(authority: Authority) -> None:
    """Neither direction nor content can be swapped."""
    made = token()
    proof = prove(made.key, "enrol", b"csr")
    verify_proof(made.key, proof, "enrol", b"csr")
    for key, purpose, parts in (
        (token().key, "enrol", (b"csr",)),
        (made.key, "enrolled", (b"csr",)),
        (made.key, "enrol", (b"cs", b"r")),
    ):
        with pytest.raises(TokenRefused):
            verify_proof(key, proof, purpose, *parts)
    with pytest.raises(TokenRefused, match="another authority"):
        made.check_authority(authority.certificate_der)
