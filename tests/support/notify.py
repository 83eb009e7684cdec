"""A service manager of the test's own: the socket that NOTIFY_SOCKET names, and what was said there."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import TracebackType


class NotifySocket:
    """Context manager. address: a path, or with @ before it an abstract name."""

    def __init__(self, address: str, seconds: float = 20.0) -> None:
        self.address, self._seconds = address, seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> NotifySocket:
        self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self._socket.settimeout(self._seconds)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()
        if not self.address.startswith("@"):
            Path(self.address).unlink(missing_ok=True)

    def read(self) -> dict[str, str]:
        """The next message, waited for. Raises TimeoutError."""
        lines = self._socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def waiting(self) -> list[dict[str, str]]:
        """Every message that is there."""
        self._socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.read())
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(self._seconds)

    def until(self, name: str) -> dict[str, str]:
        """The next message with such a field; those before it are passed over."""
        while name not in (message := self.read()):
            pass
        return message


def abstract_name() -> str:
    """One that nobody else has."""
    return f"@isthmus-test-{os.getpid()}-{os.urandom(4).hex()}"
