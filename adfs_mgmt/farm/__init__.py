"""What is there: reads a farm over WinRM and from outside, and finds where the two are inconsistent.

What belongs here: reading, and the model of what was read. What does not: changing anything, and judging what is old or
about to end (`adfs_mgmt.health`).

Model, settings and `inconsistencies` are loaded with the package; what speaks to a farm (aiohttp, lxml, signxml) is loaded
when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from adfs_mgmt.farm.clock import FarmClock
from adfs_mgmt.farm.errors import Unreadable
from adfs_mgmt.farm.inconsistencies import Inconsistency, inconsistencies, short_name
from adfs_mgmt.farm.model import (
    Binding,
    Endpoint,
    ExternalView,
    Farm,
    FarmCertificate,
    KeyAccess,
    Node,
    PrincipalHolder,
    Properties,
    Proxy,
    PublishedApplication,
    RelyingParty,
    Served,
    ServedPart,
    ServicePrincipal,
    SignInOutcome,
    StoredCertificate,
    SyncRole,
    SyntheticSignIn,
    Use,
)
from adfs_mgmt.farm.settings import FarmSettings, split_host

if TYPE_CHECKING:
    from adfs_mgmt.farm.external_view import fetch_metadata, read_external_view
    from adfs_mgmt.farm.queries import FarmQuery, HostQuery
    from adfs_mgmt.farm.reader import read_farm, unread_farm, with_certificates
    from adfs_mgmt.farm.token_request import TestAccount, read_test_account, sign_in
    from adfs_mgmt.farm.windows import is_proxy_trust

_LATER = {
    **dict.fromkeys(("fetch_metadata", "read_external_view"), "adfs_mgmt.farm.external_view"),
    **dict.fromkeys(("FarmQuery", "HostQuery"), "adfs_mgmt.farm.queries"),
    **dict.fromkeys(("read_farm", "unread_farm", "with_certificates"), "adfs_mgmt.farm.reader"),
    **dict.fromkeys(("TestAccount", "read_test_account", "sign_in"), "adfs_mgmt.farm.token_request"),
    "is_proxy_trust": "adfs_mgmt.farm.windows",
}

__all__ = [
    "Binding",
    "Endpoint",
    "ExternalView",
    "Farm",
    "FarmCertificate",
    "FarmClock",
    "FarmQuery",
    "FarmSettings",
    "HostQuery",
    "Inconsistency",
    "KeyAccess",
    "Node",
    "PrincipalHolder",
    "Properties",
    "Proxy",
    "PublishedApplication",
    "RelyingParty",
    "Served",
    "ServedPart",
    "ServicePrincipal",
    "SignInOutcome",
    "StoredCertificate",
    "SyncRole",
    "SyntheticSignIn",
    "TestAccount",
    "Unreadable",
    "Use",
    "fetch_metadata",
    "inconsistencies",
    "is_proxy_trust",
    "read_external_view",
    "read_farm",
    "read_test_account",
    "short_name",
    "sign_in",
    "split_host",
    "unread_farm",
    "with_certificates",
]

if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
