"""Certificates in LocalMachine\\My of hosts: whether they are there, with a key that the service may read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adfs_mgmt.farm import KeyAccess, Node, Proxy, StoredCertificate, Use
from adfs_mgmt.procedures.acts import import_key
from adfs_mgmt.procedures.view import FarmView
from foundation.procedures import Condition

_SIGNATURE = 2
KEY_ACCESS = "key-access"
"""A person's word that the service account may read a key."""


def needs_import(row: StoredCertificate | None) -> bool:
    """Whether a store lacks it, or lacks its key."""
    return row is None or row.key is KeyAccess.NO_KEY


def has_key(server: Node | Proxy, thumbprint: str) -> Condition:
    """The server has the certificate with its key."""
    text = server.error or f"{thumbprint} is not in LocalMachine\\My with its private key"
    there = not needs_import(server.held(thumbprint))
    return Condition.of(there, server.host, text, import_key(server.host, thumbprint))


def unusable(servers: Sequence[Node | Proxy], thumbprint: str, *uses: Use, importable: bool = False) -> list[str]:
    """Where AD FS could not use it: `importable` means that what is missing will be brought. A missing grant is ours to
    do; of a server that cannot be read nothing is said."""
    return [
        problem for server in servers if not server.error and (problem := _unusable(server, thumbprint, uses, importable))
    ]


def unfit_key(row: StoredCertificate, *uses: Use) -> str:
    """Why AD FS cannot use the key for this: with AT_SIGNATURE a CSP's can sign tokens, and nothing else."""
    if row.cng and {Use.SIGNING, Use.DECRYPTING} & set(uses):
        return "is in a CNG provider, which AD FS cannot use here; import it into a CSP"
    if row.key_spec == _SIGNATURE and set(uses) - {Use.SIGNING}:
        return "is for signatures only (KeySpec 2, AT_SIGNATURE); import it again: certutil -importpfx FILE AT_KEYEXCHANGE"
    return ""


def _unusable(server: Node | Proxy, thumbprint: str, uses: Sequence[Use], importable: bool) -> str:
    row, host = server.held(thumbprint), server.host
    if needs_import(row) and importable:
        return ""
    if row is None:
        return f"{host}: {thumbprint} is not in LocalMachine\\My; import it with its private key, or give a PFX file"
    if row.key is KeyAccess.NO_KEY:
        return f"{host}: {thumbprint} is in LocalMachine\\My without its private key; import the PFX file"
    problem = unfit_key(row, *uses)
    return f"{host}: the key of {thumbprint} {problem}" if problem else ""


def readable(view: FarmView[Any]) -> set[KeyAccess]:
    """Which answers of a host mean that the service account may read the key."""
    told = KEY_ACCESS in view.record.acknowledged
    return {KeyAccess.READABLE, KeyAccess.UNKNOWN} if told else {KeyAccess.READABLE}


def unreadable(thumbprint: str) -> str:
    """What is wrong with any other."""
    return f"it is not known whether the service account can read the private key of {thumbprint}"


def key_access_question(view: FarmView[Any], thumbprints: Sequence[str]) -> dict[str, str]:
    """Where a host does not tell who may read a key (no JEA endpoint), a person must."""
    hosts = {
        node.host
        for node in view.farm.nodes
        for thumbprint in thumbprints
        if (row := node.held(thumbprint)) and row.key is KeyAccess.UNKNOWN
    }
    if not hosts:
        return {}
    where = ", ".join(sorted(hosts))
    return {
        KEY_ACCESS: (
            f"Confirm that the service account can read the private key on {where}: this can "
            "only be checked through the JEA endpoint"
        )
    }
