"""Admission (smart lockout): may this attempt go on to Active Directory?

Guards, all pure: `lockout` for each account, `throttle` for each client address, `callers` for each API key, `failures` of
secrets and codes that are no account's. What belongs here: deciding. What does not: asking AD, keeping time, telling the
person.
"""

from gateway.relay.credentials.admission.admission import (
    Admission,
    AdmissionRequest,
    Admitted,
    AttemptRefused,
    LockView,
    place_of,
)
from gateway.relay.credentials.admission.callers import CallerRates
from gateway.relay.credentials.admission.memory import MemoryAdmissionStore
from gateway.relay.credentials.admission.names import fold_name
from gateway.relay.credentials.admission.port import AdmissionRows, AdmissionStore, Row, Rule
from gateway.relay.credentials.admission.record import LockRecord
from gateway.relay.credentials.admission.settings import LONGEST_NAME, AdmissionSettings

__all__ = [
    "LONGEST_NAME",
    "Admission",
    "AdmissionRequest",
    "AdmissionRows",
    "AdmissionSettings",
    "AdmissionStore",
    "Admitted",
    "AttemptRefused",
    "CallerRates",
    "LockRecord",
    "LockView",
    "MemoryAdmissionStore",
    "Row",
    "Rule",
    "fold_name",
    "place_of",
]
