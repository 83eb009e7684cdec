"""The trust between a farm and its partners: Entra ID over Microsoft Graph, relying parties by their metadata.

What belongs here: what partners know of the farm, and telling them. What does not: when a certificate is due.
"""

from __future__ import annotations

from adfs_mgmt.trust.backup import Backups, load_backup, plan_restore, restore_domain
from adfs_mgmt.trust.checklist import configuration_for, configuration_from
from adfs_mgmt.trust.comparison import ISSUER_RULE, FarmKeys, compare_trust, is_entra, keys_of
from adfs_mgmt.trust.conversion import (
    ConversionState,
    convert_domain,
    is_converting,
    plan_federated,
    plan_managed,
    resume_conversion,
)
from adfs_mgmt.trust.domain_executor import FEDERATED, MANAGED
from adfs_mgmt.trust.errors import LiveKeyLost, NotTaken, TrustError
from adfs_mgmt.trust.journals import DomainJournals
from adfs_mgmt.trust.model import Configuration, EntraTrust, FederatedDomain, Slot
from adfs_mgmt.trust.partner_warnings import PartnerWarning, judge_partner
from adfs_mgmt.trust.port import Entra
from adfs_mgmt.trust.reader import read_domain, read_tenant
from adfs_mgmt.trust.settings import EntraSettings
from adfs_mgmt.trust.update import DomainResult, SlotChange, apply_changes, plan_updates
from adfs_mgmt.trust.update_status import explain_update

__all__ = [
    "FEDERATED",
    "ISSUER_RULE",
    "MANAGED",
    "Backups",
    "Configuration",
    "ConversionState",
    "DomainJournals",
    "DomainResult",
    "Entra",
    "EntraSettings",
    "EntraTrust",
    "FarmKeys",
    "FederatedDomain",
    "LiveKeyLost",
    "NotTaken",
    "PartnerWarning",
    "Slot",
    "SlotChange",
    "TrustError",
    "apply_changes",
    "compare_trust",
    "configuration_for",
    "configuration_from",
    "convert_domain",
    "explain_update",
    "is_converting",
    "is_entra",
    "judge_partner",
    "keys_of",
    "load_backup",
    "plan_federated",
    "plan_managed",
    "plan_restore",
    "plan_updates",
    "read_domain",
    "read_tenant",
    "restore_domain",
    "resume_conversion",
]
