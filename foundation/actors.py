"""Who does something, as the operating system knows it.

    account   the user that the process runs as: its effective uid; of the other end of a unix socket, SO_PEERCRED
    login     who signed in at the machine, whatever they have become since. Linux: the login uid, which login, sshd and cron
              set (pam_loginuid) and which survives su and sudo. macOS: the name of the login session
    claimed   SUDO_UID, which sudo sets; looked at only where the process is or was root's and nobody signed in, and marked
              as a claim, because root can set it to anything

LOGNAME, USER and USERNAME are never looked at: whoever starts a process chooses them.

A process without a login uid (a service's, or one in a container) can give itself any, once. So an account that differs is
always named too.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_UNSET = 2**32 - 1
"""What the kernel shows as login uid of a process that nobody's login started."""
_CREDENTIALS = struct.Struct("=iII")
"""`struct ucred`: pid, uid, gid."""
_PEER_PIDFD = 77
"""SO_PEERPIDFD, Linux 6.5: a descriptor of the very process that connected, whatever becomes of its number."""
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Actor:
    """Names, as journals and trails have them; empty where it is not known, or the same as the account."""

    account: str
    login: str = ""
    claimed: str = ""

    def __str__(self) -> str:
        return self.at("")

    def at(self, host: str) -> str:
        """With the machine's name: `anna@ws1`, `anna@ws1 as root`, `root@ws1 (claimed: anna)`."""
        place = f"@{host}" if host else ""
        if self.login:
            return f"{self.login}{place} as {self.account}"
        return f"{self.account}{place} (claimed: {self.claimed})" if self.claimed else f"{self.account}{place}"


def actor_of(uid: int, login_uid: int | None, sudo_uid: str, name_of: Callable[[int], str], *, owner_uid: int = 0) -> Actor:
    """Whom these numbers make. login_uid: None where nobody signed in; sudo_uid: as the environment has it.

    owner_uid: a user that root's commands become, who is believed as root is: all that is recorded is that user's anyway.
    """
    account = name_of(uid)
    if login_uid is not None:
        return Actor(account, login=name_of(login_uid) if login_uid != uid else "")
    if uid in {0, owner_uid} and re.fullmatch(r"[1-9][0-9]{0,9}", sudo_uid) and int(sudo_uid) < _UNSET:
        return Actor(account, claimed=name_of(int(sudo_uid)))
    return Actor(account)


def this_actor() -> Actor:
    """Who runs this process."""
    if sys.platform == "win32":
        return Actor(os.getlogin())  # the access token's user, by GetUserName
    if sys.platform == "linux":
        uid = os.geteuid() if _given_up is None else _given_up
        return actor_of(uid, _login_uid(_PROC / "self", os.geteuid()), sudo_uid(), user_name)
    account, login = user_name(os.geteuid()), ""
    with contextlib.suppress(OSError):
        login = os.getlogin()  # of the login session, which only root can set (setlogin)
    return Actor(account, login if login != account else "")


_given_up: int | None = None


def remember_account() -> None:
    """Called before a process gives up its user for another one: `this_actor` stays who it is now."""
    global _given_up
    _given_up = os.geteuid()


def sudo_uid() -> str:
    """What sudo says of who called it; anybody can set it, see `actor_of`."""
    return os.environ.get("SUDO_UID", "")


def peer_actor(connection: socket.socket, claimed_uid: str) -> Actor:
    """Who is at the other end of a unix socket. claimed_uid: SUDO_UID as that process tells it; believed of root,
    and of the user that this process runs as, which is what root's commands become."""
    if sys.platform != "linux":
        return Actor("unknown")
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(credentials)
    login_uid = _login_uid(_PROC / str(pid), uid) if pid else None  # 0: a process of another pid namespace
    if login_uid is not None and _has_ended(connection):  # the number may be another process's by now
        login_uid = None
    return actor_of(uid, login_uid, claimed_uid, user_name, owner_uid=os.geteuid())


def user_name(uid: int) -> str:
    """Of an account of this machine; `user 1234` for one without a name, as in some containers."""
    import pwd  # there is none on Windows

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"user {uid}"


def _login_uid(process: Path, uid: int) -> int | None:
    """The login uid of a process, where that still runs as `uid`."""
    try:
        login_uid = int((process / "loginuid").read_text())
        status = (process / "status").read_text(errors="replace")
    except (OSError, ValueError):
        return None
    uids = next((line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")), [])
    return login_uid if login_uid != _UNSET and str(uid) in uids else None


def _has_ended(connection: socket.socket) -> bool:
    """Whether the process that connected is known to be gone; an older kernel cannot say."""
    try:
        descriptor = connection.getsockopt(socket.SOL_SOCKET, _PEER_PIDFD)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        return bool(ended.poll(0))
    finally:
        os.close(descriptor)
