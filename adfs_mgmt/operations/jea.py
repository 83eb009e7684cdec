"""Files for the least-privilege endpoint on the servers."""

from __future__ import annotations

from pathlib import Path

from adfs_mgmt.operations.errors import FileUnusable
from adfs_mgmt.remoting import write_endpoint_files


def write_jea_files(directory: Path, group: str, gmsa: str = "") -> list[Path]:
    """Role and session files for exactly the commands that are sent; what was written. Raises FileUnusable.

    `group`: who may use the endpoint; `gmsa`: the account that nodes run it as, with or without its `$`; empty for a virtual
    account.
    """
    try:
        return write_endpoint_files(directory, group, gmsa.removesuffix("$"))
    except OSError as error:
        raise FileUnusable(error.filename or directory, f"cannot be written ({error.strerror})") from error
