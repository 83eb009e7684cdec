"""X.509: keys, issuing CA, machine identity (enrol, renew), rollover policy and state machine, key stores.

What belongs here: making, keeping, judging and replacing keys and certificates. What does not: who is asked for them
over which wire (gateway), and what they are used for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from certs.authority import Authority, check_name
from certs.certificate import Certificate, covers, read_certificate
from certs.errors import (
    CertificateRefused,
    CertificateUnreadable,
    CertsError,
    KeyStoreError,
    PartnerUnknown,
    RolloverRefused,
    SourceError,
    ThumbprintMalformed,
    TokenRefused,
)
from certs.files import atomic_write, private_directory, read_private
from certs.identity import MachineIdentity, renewal_due
from certs.thumbprint import normal_thumbprint, parse_thumbprint, thumbprint_of
from certs.token import EnrolmentToken, prove, token_id, verify_proof
from certs.verify import Role, VerifiedPeer, fingerprint, verify_certificate, verify_signature

if TYPE_CHECKING:
    from certs.partners import Acknowledgement, Ledger, Ledgers, Partner, PartnerKind
    from certs.pending_keys import PendingKeys
    from certs.pfx import Pfx
    from certs.sources import Material, from_pem, from_pfx

_LATER = {
    **dict.fromkeys(("Acknowledgement", "Ledger", "Ledgers", "Partner", "PartnerKind"), "certs.partners"),
    **dict.fromkeys(("Material", "from_pem", "from_pfx"), "certs.sources"),
    "PendingKeys": "certs.pending_keys",
    "Pfx": "certs.pfx",
}
"""Loaded when they are first used: what agent and relay never need."""

__all__ = [
    "Acknowledgement",
    "Authority",
    "Certificate",
    "CertificateRefused",
    "CertificateUnreadable",
    "CertsError",
    "EnrolmentToken",
    "KeyStoreError",
    "Ledger",
    "Ledgers",
    "MachineIdentity",
    "Material",
    "Partner",
    "PartnerKind",
    "PartnerUnknown",
    "PendingKeys",
    "Pfx",
    "Role",
    "RolloverRefused",
    "SourceError",
    "ThumbprintMalformed",
    "TokenRefused",
    "VerifiedPeer",
    "atomic_write",
    "check_name",
    "covers",
    "fingerprint",
    "from_pem",
    "from_pfx",
    "normal_thumbprint",
    "parse_thumbprint",
    "private_directory",
    "prove",
    "read_certificate",
    "read_private",
    "renewal_due",
    "thumbprint_of",
    "token_id",
    "verify_certificate",
    "verify_proof",
    "verify_signature",
]


if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
