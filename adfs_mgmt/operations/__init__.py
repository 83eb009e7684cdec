"""What can be done with AD FS farms, for whoever does it: a command, a timer, a portal.

What belongs here: farms and tenants by name, observing and checking them, plans and their application, rollback, partners.
What does not: talking. Nothing here prints, asks, or reads a clock of its own; what is asked for comes in as arguments, what
came of it goes out as data, and what went wrong is an error of this package or of the one that it happened in.
"""

from adfs_mgmt.operations.certificates import (
    GATES,
    CertificateOperation,
    CertificateSource,
    Gate,
    Track,
    certificate_operation,
)
from adfs_mgmt.operations.context import OperationContext
from adfs_mgmt.operations.errors import FileUnusable, NotPossible, OperationError, SelectionError, SettingsError
from adfs_mgmt.operations.jea import write_jea_files
from adfs_mgmt.operations.observation import ObservedFarm, check_farms, observe_farms, read_trust, steps_of
from adfs_mgmt.operations.partners import (
    acknowledge_certificate,
    classify_partner,
    read_partners,
    refresh_partners,
    watch_partners,
)
from adfs_mgmt.operations.recordings import read_recording
from adfs_mgmt.operations.servers import ServerOperation, server_operation
from adfs_mgmt.operations.tenants import LiveKeyUnknown, TrustComparison, back_up, compare_trusts
from adfs_mgmt.operations.trust_changes import (
    Conversion,
    Restoration,
    TrustUpdate,
    apply_conversion,
    apply_restoration,
    apply_trust_update,
    plan_conversion,
    plan_issuers,
    plan_restoration,
    plan_trust_update,
)
from adfs_mgmt.procedures import WITHOUT_ENTRA, Operation, RolloverRequest, Secrets, server_plan_data
from adfs_mgmt.trust import DomainResult

__all__ = [
    "GATES",
    "WITHOUT_ENTRA",
    "CertificateOperation",
    "CertificateSource",
    "Conversion",
    "DomainResult",
    "FileUnusable",
    "Gate",
    "LiveKeyUnknown",
    "NotPossible",
    "ObservedFarm",
    "Operation",
    "OperationContext",
    "OperationError",
    "Restoration",
    "RolloverRequest",
    "Secrets",
    "SelectionError",
    "ServerOperation",
    "SettingsError",
    "Track",
    "TrustComparison",
    "TrustUpdate",
    "acknowledge_certificate",
    "apply_conversion",
    "apply_restoration",
    "apply_trust_update",
    "back_up",
    "certificate_operation",
    "check_farms",
    "classify_partner",
    "compare_trusts",
    "observe_farms",
    "plan_conversion",
    "plan_issuers",
    "plan_restoration",
    "plan_trust_update",
    "read_partners",
    "read_recording",
    "read_trust",
    "refresh_partners",
    "server_operation",
    "server_plan_data",
    "steps_of",
    "watch_partners",
    "write_jea_files",
]
