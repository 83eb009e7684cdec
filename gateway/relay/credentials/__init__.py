"""May this attempt go on (admission, smart lockout), who checks it, and what came of it.

What belongs here: one credential check from the moment it is asked for to its entry in the trail. What does not: which
agent is asked and how (agents), the words that a person reads (signin).
"""

from gateway.relay.credentials.admission import (
    Admission,
    AdmissionSettings,
)
from gateway.relay.credentials.attempt import Attempt, Authenticator, Verdict
from gateway.relay.credentials.authenticator import RelayAuthenticator
from gateway.relay.credentials.lockouts import Lockouts
from gateway.relay.credentials.metrics import REFUSED, SignInMetrics

__all__ = [
    "REFUSED",
    "Admission",
    "AdmissionSettings",
    "Attempt",
    "Authenticator",
    "Lockouts",
    "RelayAuthenticator",
    "SignInMetrics",
    "Verdict",
]
