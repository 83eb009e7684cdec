"""The authority at the end of a chain, however much of it a server sends."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from directory import ShownCertificate, root_of

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """An authority, or a server, and its key."""

    def __init__(self, name: str, issuer: Authority | None = None, *, ca: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name if issuer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(START + datetime.timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        certificate = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.der = certificate.public_bytes(serialization.Encoding.DER)


ROOT = Authority("Root")
ISSUING = Authority("Issuing", ROOT)
SERVER = Authority("dc1", ISSUING, ca=False)
FALSE_ROOT = Authority("Root")
SELF_SIGNED = Authority("dc2", ca=False)
NO_AUTHORITY = Authority("dc4", ROOT, ca=False)
ISSUED_BY_NO_AUTHORITY = Authority("dc3", NO_AUTHORITY, ca=False)


@pytest.mark.parametrize(
    ("chain", "more", "expected"),
    [
        ([SERVER, ISSUING, ROOT], [], ROOT),
        ([SERVER, ROOT, ISSUING], [], ROOT),  # in no order
        ([SERVER, ISSUING], [], None),  # as Windows sends it
        ([SERVER, ISSUING], [ROOT], ROOT),
        ([SERVER], [ROOT, ISSUING], ROOT),
        ([SERVER, ISSUING], [FALSE_ROOT], None),  # of that name, and not its key
        ([SERVER, ISSUING, FALSE_ROOT], [ROOT], ROOT),
        ([SERVER], [], None),
        ([SELF_SIGNED], [], None),  # itself alone: it is no authority
        ([ISSUED_BY_NO_AUTHORITY, NO_AUTHORITY, ROOT], [], None),  # a server that signs for another
        ([], [ROOT], None),
    ],
)
def test_the_root_is_found_by_signatures(chain: list[Authority], more: list[Authority], expected: Authority | None) -> None:
    """A name alone says nothing; what is missing is taken from elsewhere."""
    found = root_of([link.der for link in chain], [link.der for link in more])
    assert (found.der if found else None) == (expected.der if expected else None)


def test_what_is_no_certificate_ends_a_chain() -> None:
    """Whatever a stranger sends instead of one."""
    assert root_of([b"nonsense", ROOT.der]) is None
    assert root_of([SERVER.der, b"nonsense"]) is None


def test_a_certificate_is_shown_as_other_tools_print_it() -> None:
    """So that a fingerprint can be compared."""
    shown = ShownCertificate(ROOT.der)
    assert (shown.subject, shown.issuer) == ("CN=Root", "CN=Root")
    assert shown.printed_fingerprint.replace(":", "").lower() == shown.fingerprint
    assert len(shown.printed_fingerprint) == 95
    assert shown.not_after == (START + datetime.timedelta(days=365)).timestamp()
    assert x509.load_pem_x509_certificate(shown.pem).public_bytes(serialization.Encoding.DER) == ROOT.der
