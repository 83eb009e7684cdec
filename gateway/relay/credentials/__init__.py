"""May this attempt go on (admission, smart lockout), who checks it, and what came of it.

What belongs here: one credential check from the moment it is asked for to its entry in the trail. What does not: which
agent is asked and how (agents), the words that a person reads (signin).
"""

from gateway.relay.credentials.admission import (
    Admission,
    AdmissionRows,
    AdmissionSettings,
    AdmissionStore,
    LockView,
    MemoryAdmissionStore,
)
from gateway.relay.credentials.attempt import Attempt, Authenticator, Verdict
from gateway.relay.credentials.authenticator import RelayAuthenticator
from gateway.relay.credentials.journal import JournaledAdmissionStore
from gateway.relay.credentials.metrics import SignInMetrics
from gateway.relay.credentials.shared import SharedAdmissionStore

__all__ = [
    "Admission",
    "AdmissionRows",
    "AdmissionSettings",
    "AdmissionStore",
    "Attempt",
    "Authenticator",
    "JournaledAdmissionStore",
    "LockView",
    "MemoryAdmissionStore",
    "RelayAuthenticator",
    "SharedAdmissionStore",
    "SignInMetrics",
    "Verdict",
]
