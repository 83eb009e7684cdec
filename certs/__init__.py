"""X.509: keys, issuing CA, machine identity (enrol, renew), rollover policy and state machine, key stores.

What belongs here: making, keeping, judging and replacing keys and certificates. What does not: who is asked for them
over which wire (gateway), and what they are used for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from certs.authority import Authority, check_name
from certs.certificate import Certificate, covers, last_to_end, read_certificate
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
from certs.files import atomic_write, check_closed, private_directory, read_private, sync_directory, write_new
from certs.identity import MachineIdentity, renewal_due
from certs.thumbprint import normal_thumbprint, parse_thumbprint, thumbprint_of
from certs.token import EnrolmentToken, prove, token_id, verify_proof
from certs.verify import Role, VerifiedPeer, fingerprint, verify_certificate, verify_signature

if TYPE_CHECKING:
    from certs.fitness import Purpose, broken_chain, uncovered, unfit_for, untrusted
    from certs.https import unusable_for_https
    from certs.partners import Acknowledgement, Ledger, Ledgers, Partner, PartnerKind
    from certs.pending_keys import PendingKeys
    from certs.pfx import Pfx
    from certs.policy import (
        KeyAction,
        KeyPolicy,
        KeyRecord,
        KeyState,
        KeyTransition,
        active_key,
        apply_transition,
        due_transitions,
    )
    from certs.sources import Material, from_pem, from_pfx

_MODULES = {
    "certs.fitness": "Purpose broken_chain uncovered unfit_for untrusted",
    "certs.https": "unusable_for_https",
    "certs.partners": "Acknowledgement Ledger Ledgers Partner PartnerKind",
    "certs.sources": "Material from_pem from_pfx",
    "certs.pending_keys": "PendingKeys",
    "certs.policy": "KeyAction KeyPolicy KeyRecord KeyState KeyTransition active_key apply_transition due_transitions",
    "certs.pfx": "Pfx",
}
_LATER = {name: module for module, names in _MODULES.items() for name in names.split()}
"""Loaded when they are first used: what agent and relay never need."""

__all__ = [
    "Acknowledgement",
    "Authority",
    "Certificate",
    "CertificateRefused",
    "CertificateUnreadable",
    "CertsError",
    "EnrolmentToken",
    "KeyAction",
    "KeyPolicy",
    "KeyRecord",
    "KeyState",
    "KeyStoreError",
    "KeyTransition",
    "Ledger",
    "Ledgers",
    "MachineIdentity",
    "Material",
    "Partner",
    "PartnerKind",
    "PartnerUnknown",
    "PendingKeys",
    "Pfx",
    "Purpose",
    "Role",
    "RolloverRefused",
    "SourceError",
    "ThumbprintMalformed",
    "TokenRefused",
    "VerifiedPeer",
    "active_key",
    "apply_transition",
    "atomic_write",
    "broken_chain",
    "check_closed",
    "check_name",
    "covers",
    "due_transitions",
    "fingerprint",
    "from_pem",
    "from_pfx",
    "last_to_end",
    "normal_thumbprint",
    "parse_thumbprint",
    "private_directory",
    "prove",
    "read_certificate",
    "read_private",
    "renewal_due",
    "sync_directory",
    "thumbprint_of",
    "token_id",
    "uncovered",
    "unfit_for",
    "untrusted",
    "unusable_for_https",
    "verify_certificate",
    "verify_proof",
    "verify_signature",
    "write_new",
]


if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
