"""Root becomes the owner of a state directory before it touches it.

What root makes in there the service could not open afterwards. So a command that is run as root does as the service's user
what it does there: it can read and write what that user can, and nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path

from foundation.actors import remember_account
from isthmus import capability


class OwnershipError(Exception):
    """Base: nothing was touched."""


class OwnerUnknown(OwnershipError):
    """Root would have to make a state directory, and cannot know for whom."""

    def __init__(self, state_dir: Path, kind: str) -> None:
        super().__init__(state_dir, kind)
        self.state_dir, self.kind = state_dir, kind

    def __str__(self) -> str:
        return (
            f"{self.state_dir} does not exist, and root cannot know whose it shall be. Run `isthmus {self.kind} setup`, "
            f"which makes it and its user; or make it for the user that the {self.kind} runs as: "
            f"install -d -m 0700 -o USER -g USER {self.state_dir}"
        )


class InstallationClosed(OwnershipError):
    """The owner of a state directory could not run this program: it is installed where only root can read it."""

    def __init__(self, user: str, place: Path) -> None:
        super().__init__(user, place)
        self.user, self.place = user, place

    def __str__(self) -> str:
        return (
            f"{self.user} cannot read {self.place}, where isthmus or its Python is installed, and neither could the "
            "service: install both where every user can read them, such as /opt/isthmus with the system's Python"
        )


def become_owner(state_dir: Path, *, low_ports: bool = False) -> None:
    """Turn a process of root's into one of the user who owns `state_dir`, with that user's groups, permanently.

    low_ports: it may still listen below 1024, as a service of systemd's with CAP_NET_BIND_SERVICE may; of root's other
    rights none is left.

    Nothing is done where it is somebody else's process, where root owns it, or where there is none. Call it before anything
    in there is opened, and after what only root may read was read. No thread may have been started that needs to be root.
    Raises InstallationClosed.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return
    try:
        status = state_dir.stat()
    except OSError:  # not there: whoever needs it says so
        return
    if status.st_uid == 0:
        return
    import pwd

    try:
        user = pwd.getpwuid(status.st_uid)
        name, group, groups = user.pw_name, user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid)
    except KeyError:  # a number without a name, as in a container
        name, group, groups = f"user {status.st_uid}", status.st_gid, []
    remember_account()
    if low_ports:
        capability.keep()
    os.setgroups(groups)
    os.setgid(group)
    os.setuid(status.st_uid)
    if low_ports:
        capability.reduce_to(capability.NET_BIND_SERVICE)
    os.umask(0o077)
    for module in (os.__file__, __file__):  # Python's own, and ours: what is imported later would not be found
        if not os.access(module, os.R_OK):
            raise InstallationClosed(name, Path(module).parent)
