"""What is there: reads a farm over WinRM and from outside, and finds where the two are inconsistent.

What belongs here: reading, and the model of what was read. What does not: changing anything, and judging what is old or
about to end (`adfs_mgmt.health`).

Model, settings and `find_inconsistencies` are loaded with the package; what speaks to a farm (aiohttp, lxml, signxml) is
loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adfs_mgmt.farm.errors import Unreadable
from adfs_mgmt.farm.inconsistencies import Inconsistency, find_inconsistencies, short_name
from adfs_mgmt.farm.model import (
    Binding,
    ExternalView,
    Farm,
    FarmCertificate,
    KeyAccess,
    Node,
    PartnerTrust,
    PrincipalHolder,
    Properties,
    Proxy,
    PublishedApplication,
    Served,
    ServedPart,
    ServicePrincipal,
    StoredCertificate,
    SyncRole,
    TrustUse,
    Use,
)
from adfs_mgmt.farm.server import ADFS_ROLE, PROXY_ROLE, WID_FEATURE, ObservedServer
from adfs_mgmt.farm.settings import FarmSettings
from foundation.lazy import lazy_names

if TYPE_CHECKING:
    from adfs_mgmt.farm.external_view import read_external_view
    from adfs_mgmt.farm.reader import read_farm, unread_farm
    from adfs_mgmt.farm.rows import proxy_trust
    from adfs_mgmt.farm.server_reader import read_listed_nodes, read_server
    from adfs_mgmt.farm.token_request import TestAccount, read_test_account, sign_in

_MODULES = {
    "external_view": "read_external_view",
    "reader": "read_farm unread_farm",
    "token_request": "TestAccount read_test_account sign_in",
    "rows": "proxy_trust",
    "server_reader": "read_listed_nodes read_server",
}

__all__ = [
    "ADFS_ROLE",
    "PROXY_ROLE",
    "WID_FEATURE",
    "Binding",
    "ExternalView",
    "Farm",
    "FarmCertificate",
    "FarmSettings",
    "Inconsistency",
    "KeyAccess",
    "Node",
    "ObservedServer",
    "PartnerTrust",
    "PrincipalHolder",
    "Properties",
    "Proxy",
    "PublishedApplication",
    "Served",
    "ServedPart",
    "ServicePrincipal",
    "StoredCertificate",
    "SyncRole",
    "TestAccount",
    "TrustUse",
    "Unreadable",
    "Use",
    "find_inconsistencies",
    "proxy_trust",
    "read_external_view",
    "read_farm",
    "read_listed_nodes",
    "read_server",
    "read_test_account",
    "short_name",
    "sign_in",
    "unread_farm",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
