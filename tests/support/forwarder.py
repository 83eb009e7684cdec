"""A TCP forwarder that misbehaves on demand: what lies between an agent and a domain controller."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType


class Forwarder:
    """Context manager: listens on `address`, forwards to `target`. Threads end with it.

    `cut()` breaks what is open; `refuse()` closes the door as well; `silent` swallows every answer of the target.
    """

    def __init__(self, address: str, target: tuple[str, int]) -> None:
        self._address, self._target = address, target
        self._listener = socket.create_server((address, 0))
        self.port: int = self._listener.getsockname()[1]
        self.silent = False
        self.cut_answer_larger_than: int | None = None
        """Breaks the connection instead of handing on an answer of more bytes than this."""
        self.accepted = 0
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        """`host:port`."""
        return f"{self._address}:{self.port}"

    def __enter__(self) -> Forwarder:
        self._start(self._accept, self._listener)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.refuse()
        for thread in self._threads:
            thread.join(5)

    def refuse(self) -> None:
        """Nobody listens any more, and what is open breaks."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def listen_again(self) -> None:
        """The server is back, on the same port."""
        self._listener = socket.create_server((self._address, self.port))
        self._start(self._accept, self._listener)

    def cut(self) -> None:
        """Break every open connection."""
        with self._lock:
            still_open, self._open = self._open, set()
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                far = socket.create_connection(self._target, timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            self._start(self._pump, near, far, False)
            self._start(self._pump, far, near, True)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if answers and self.cut_answer_larger_than is not None and len(data) > self.cut_answer_larger_than:
                    break
                if not (answers and self.silent):
                    sink.sendall(data)
        for connection in (source, sink):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._open.discard(connection)
            connection.close()
