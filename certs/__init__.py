"""X.509: keys, issuing CA, machine identity (enrol, renew), rollover policy and state machine, key stores.

What belongs here: making, keeping, judging and replacing keys and certificates. What does not: who is asked for them
over which wire (gateway), and what they are used for.
"""

from certs.authority import Authority, check_name
from certs.errors import CertificateRefused, CertsError, KeyStoreError, RolloverRefused, TokenRefused
from certs.files import atomic_write, private_directory, read_private
from certs.identity import MachineIdentity, renewal_due
from certs.token import EnrolmentToken, prove, token_id, verify_proof
from certs.verify import Role, VerifiedPeer, fingerprint, verify_certificate, verify_signature

__all__ = [
    "Authority",
    "CertificateRefused",
    "CertsError",
    "EnrolmentToken",
    "KeyStoreError",
    "MachineIdentity",
    "Role",
    "RolloverRefused",
    "TokenRefused",
    "VerifiedPeer",
    "atomic_write",
    "check_name",
    "fingerprint",
    "private_directory",
    "prove",
    "read_private",
    "renewal_due",
    "token_id",
    "verify_certificate",
    "verify_proof",
    "verify_signature",
]
