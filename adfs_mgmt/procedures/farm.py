"""A server that becomes the first node of a new farm. Pure.

    preflight ─► role ─► test ─► join ─► serves ─► done          (undo: role off)

Source: the reference of Install-AdfsFarm and Test-AdfsFarmInstallation.
"""

from __future__ import annotations

from adfs_mgmt.farm import ADFS_ROLE
from adfs_mgmt.procedures import server_parts as parts
from adfs_mgmt.procedures.node import account, homeless
from adfs_mgmt.procedures.server import Operation, ServerView
from adfs_mgmt.remoting import Value
from foundation.procedures import Condition


def _parameters(view: ServerView) -> dict[str, Value]:
    spec = view.spec
    optional = {
        "FederationServiceDisplayName": spec.display_name,
        "SQLConnectionString": spec.sql,
        "SigningCertificateThumbprint": spec.signing,
        "DecryptionCertificateThumbprint": spec.decrypting,
    }
    return {
        **account(view),
        "CertificateThumbprint": view.observed.thumbprint(spec),
        "FederationServiceName": spec.federation_name,
        **{name: value for name, value in optional.items() if value},
    }


def _made(view: ServerView) -> list[Condition]:
    # what the first try left behind is ours: before it the server belonged to no farm
    again = bool(view.record.tries_of(parts.JOIN))
    act = parts.command(
        view, "Install-AdfsFarm", {**_parameters(view), "OverwriteConfiguration": again}, known_as=parts.JOIN
    )
    if view.host.role is None:
        return [parts.condition(False, homeless(view), act)]
    own = view.host.federation_name
    return [parts.condition(own.lower() == view.spec.federation_name.lower(), f"its farm is {own or 'not known'}", act)]


FARM_NEW = parts.procedure(
    Operation.FARM_NEW,
    parts.role(ADFS_ROLE),
    parts.tested("Test-AdfsFarmInstallation", _parameters),
    parts.changed(parts.JOIN, "create the farm", "the server is the first node of the farm", _made),
    parts.SERVES,
)
