"""Files for the least-privilege endpoint on the servers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adfs_mgmt.operations.errors import FileUnusable
from adfs_mgmt.remoting import JEA_MODULE, HostKind, jea_role, write_endpoint_files


@dataclass(frozen=True, slots=True, kw_only=True)
class JeaFiles:
    """What was written, and how the parts are called on the servers."""

    files: tuple[Path, ...]
    module: str
    node_role: str
    proxy_role: str


def write_jea_files(directory: Path, group: str, gmsa: str = "") -> JeaFiles:
    """Role and session files for exactly the commands that are sent. Raises FileUnusable.

    `group`: who may use the endpoint; `gmsa`: the account that nodes run it as, with or without its `$`; empty for a virtual
    account.
    """
    try:
        written = write_endpoint_files(directory, group, gmsa.removesuffix("$"))
    except OSError as error:
        raise FileUnusable(error.filename or directory, f"cannot be written ({error.strerror})") from error
    return JeaFiles(
        files=tuple(written),
        module=JEA_MODULE,
        node_role=jea_role(HostKind.NODE),
        proxy_role=jea_role(HostKind.PROXY),
    )
