"""What can be done with AD FS farms, for whoever does it: a command, a timer, a portal.

What belongs here: farms and tenants by name, observing and checking them, plans and their application, rollback, partners.
What does not: talking. Nothing here prints, asks, or reads a clock of its own; what is asked for comes in as arguments, what
came of it goes out as data, and what went wrong is an error of this package or of the one that it happened in.
"""

from adfs_mgmt.operations.context import FederatedTenant, OperationContext, OperationSettings
from adfs_mgmt.operations.errors import FileUnusable, NotPossible, OperationError, SelectionError, SettingsError
from adfs_mgmt.operations.jea import JeaFiles, write_jea_files
from adfs_mgmt.operations.observation import FarmObservation, FarmReport, check_farms, observe_farms, read_trust, steps_of
from adfs_mgmt.operations.partners import (
    MetadataReport,
    acknowledge_certificate,
    classify_partner,
    read_partners,
    refresh_partners,
    watch_partners,
)
from adfs_mgmt.operations.recordings import RecordedFarm, read_recording
from adfs_mgmt.operations.tenants import (
    BackupResult,
    LiveKeyUnknown,
    TrustComparison,
    back_up,
    compare_trusts,
    live_key,
    signing_keys,
)

__all__ = [
    "BackupResult",
    "FarmObservation",
    "FarmReport",
    "FederatedTenant",
    "FileUnusable",
    "JeaFiles",
    "LiveKeyUnknown",
    "MetadataReport",
    "NotPossible",
    "OperationContext",
    "OperationError",
    "OperationSettings",
    "RecordedFarm",
    "SelectionError",
    "SettingsError",
    "TrustComparison",
    "acknowledge_certificate",
    "back_up",
    "check_farms",
    "classify_partner",
    "compare_trusts",
    "live_key",
    "observe_farms",
    "read_partners",
    "read_recording",
    "read_trust",
    "refresh_partners",
    "signing_keys",
    "steps_of",
    "watch_partners",
    "write_jea_files",
]
