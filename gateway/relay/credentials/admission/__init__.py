"""Admission (smart lockout): may this attempt go on to Active Directory?

Two guards, both pure: `lockout` for each user name, `throttle` for each client address. What belongs here: deciding.
What does not: asking AD, keeping time, telling the person.
"""

from gateway.relay.credentials.admission.admission import Admission, AdmissionRequest, Admitted, AttemptRefused, LockView
from gateway.relay.credentials.admission.settings import AdmissionSettings

__all__ = ["Admission", "AdmissionRequest", "AdmissionSettings", "Admitted", "AttemptRefused", "LockView"]
