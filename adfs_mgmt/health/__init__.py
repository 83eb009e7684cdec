"""Whether a farm is well or soon will not be: findings, Prometheus text and a timeline page. Pure.

What belongs here: thresholds and checks over what `adfs_mgmt.farm` has read. What does not: reading.
"""

from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.inventory import EXTERNAL, TRUSTS, CertificateEntry, certificate_inventory
from adfs_mgmt.health.partners import check_partners
from adfs_mgmt.health.prometheus import prometheus_text
from adfs_mgmt.health.rendering import common_name, host_label
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.health.timeline import timeline_page

__all__ = [
    "EXTERNAL",
    "TRUSTS",
    "CertificateEntry",
    "Thresholds",
    "certificate_inventory",
    "check_farm",
    "check_partners",
    "common_name",
    "host_label",
    "prometheus_text",
    "timeline_page",
]
