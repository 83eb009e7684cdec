"""What a process tells the service manager that started it: that it serves, reloads, ends, and that it is alive.

systemd's protocol (sd_notify(3)): lines of NAME=value in one datagram to the socket that NOTIFY_SOCKET names. Without that
variable nobody listens, and nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

import structlog

log = structlog.get_logger()

_LONGEST = 200
"""Characters of a status; `systemctl status` has one line for it."""


class ServiceManager:
    """address: of its socket, a path or, with @ before it, an abstract name; empty: there is none.

    watchdog: seconds within which it wants to hear that the process is alive; 0: it does not.
    """

    def __init__(self, address: str = "", watchdog: float = 0.0) -> None:
        self._address, self.watchdog = address, watchdog
        self._failed = False

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
        """The one that started this process. Its variables are taken out: a child must not speak in this one's name."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds, process = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        watched = microseconds.isdecimal() and process in {"", str(os.getpid())}
        if not hasattr(socket, "AF_UNIX") or not address.startswith(("/", "@")):  # vsock: of a machine's own manager
            return cls()
        return cls(address, int(microseconds) / 1e6 if watched else 0.0)

    def ready(self, status: str) -> None:
        """It serves; after `reloading`, again."""
        self._send(READY="1", STATUS=status)

    def reloading(self) -> None:
        """Settings are read anew; `ready` ends that."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(RELOADING="1", MONOTONIC_USEC=str(microseconds), STATUS="Reloading the settings")

    def stopping(self) -> None:
        """It takes nothing new, and finishes what is under way."""
        self._send(STOPPING="1", STATUS="Finishing requests in progress")

    def alive(self) -> None:
        """To be sent more often than every `watchdog` seconds."""
        self._send(WATCHDOG="1")

    def _send(self, **fields: str) -> None:
        """What is not heard keeps nobody from serving."""
        if not self._address:
            return
        lines = "\n".join(f"{name}={' '.join(value.split())[:_LONGEST]}" for name, value in fields.items())
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0)) as notify:
                notify.setblocking(False)
                notify.connect(address)
                notify.send(lines.encode())
        except OSError as error:
            if not self._failed:
                log.warning("service_manager.not_told", told=next(iter(fields)), error=error.strerror)
            self._failed = True
        else:
            self._failed = False
