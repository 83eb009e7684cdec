"""The floor: a bare client that does nothing but bind, on persistent TLS connections, from as many threads as pays."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.spread import run_all, stop_all_but
from directory.ldap import codec
from directory.ldap.connection import parse_server
from directory.ldap.tls import make_context
from directory.settings import TlsSettings


class _Client:
    """A blocking connection: one request, one answer."""

    def __init__(self, server: str, ca_file: Path, patience: float = 10) -> None:
        address = parse_server(server, allow_plain=False)
        plain = socket.create_connection((address.host, address.port), patience)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = make_context(TlsSettings(ca_file=ca_file))
        self._socket = context.wrap_socket(plain, server_hostname=address.host)
        self._socket.settimeout(30)
        self._buffer = b""
        self._number = 0

    def bind(self, name: str, password: str) -> None:
        """Raises RuntimeError where it is refused."""
        data = self._ask(codec.bind_request(name.encode(), password.encode()))
        _, _, start, end = codec.open_message(data)
        result = codec.read_result(data, start, end)
        if result.code != 0:
            raise RuntimeError(f"{name}: {result}")

    def search(self, base: str, matching: bytes, wanted: bytes) -> None:
        """Reads the entries, and forgets them."""
        request = codec.search_request(base.encode(), codec.SCOPE_SUBTREE, matching, wanted, limit=2, seconds=30)
        data = self._ask(request)
        while codec.open_message(data)[1] != codec.SEARCH_DONE:
            data = self._next()

    def close(self) -> None:
        self._socket.close()

    def _ask(self, request: bytes) -> bytes:
        self._number += 1
        self._socket.sendall(codec.message(self._number, request))
        return self._next()

    def _next(self) -> bytes:
        while not (size := codec.message_size(self._buffer)) or len(self._buffer) < size:
            more = self._socket.recv(65536)
            if not more:
                raise RuntimeError("the server hung up")
            self._buffer += more
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


def _connect(server: str, ca_file: Path, count: int, workers: Sequence[int]) -> list[_Client]:
    """This many connections, each at the next of the server's processes, where these are named."""
    clients: list[_Client] = []
    tries = 0
    try:
        while len(clients) < count:
            if workers:
                stop_all_but(workers, workers[len(clients) % len(workers)])
            try:
                clients.append(_Client(server, ca_file, patience=1 if workers else 10))
            except TimeoutError:  # the kernel may wake a process that is stopped to accept, and no other
                run_all(workers)
                tries += 1
                if tries > 10:
                    raise
    finally:
        run_all(workers)
    return clients


def bind_each_once(server: str, ca_file: Path, users: Sequence[tuple[str, str]]) -> None:
    """A person's first bind after a while writes `lastLogonTimestamp`: no measurement is to meet it."""
    client = _Client(server, ca_file)
    for name, password in users:
        client.bind(name, password)
    client.close()


def binds_per_second(
    server: str,
    ca_file: Path,
    users: Sequence[tuple[str, str]],
    *,
    threads: int,
    seconds: float,
    workers: Sequence[int] = (),
) -> float:
    """Concurrent re-binds a second; users are (bind name, password), workers the server's processes to spread over."""
    clients = _connect(server, ca_file, threads, workers)
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        client, at = clients[number], number
        while time.perf_counter() < end:
            name, password = users[at % len(users)]
            at += threads
            client.bind(name, password)
            counts[number] += 1

    started = time.perf_counter()
    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    elapsed = time.perf_counter() - started
    for client in clients:
        client.close()
    return sum(counts) / elapsed


def bind_milliseconds(
    server: str,
    ca_file: Path,
    users: Sequence[tuple[str, str]],
    *,
    rounds: int,
    base_dn: str,
    threads: int,
    workers: Sequence[int] = (),
) -> list[float]:
    """How long a search for the person and a bind take, from this many threads at a time, each of `rounds` times."""
    taken: list[float] = []
    clients = _connect(server, ca_file, 2 * threads, workers)

    def work(first: int) -> None:
        searching, binding = clients[2 * first], clients[2 * first + 1]
        searching.bind(*users[0])
        for at in range(first, rounds, threads):
            name, password = users[at % len(users)]
            started = time.perf_counter()
            matching = codec.equals(b"userPrincipalName", name.encode())
            wanted = codec.attribute_list(("objectGUID", "displayName", "mail", "memberOf", "badPwdCount"))
            searching.search(base_dn, matching, wanted)
            binding.bind(name, password)
            taken.append((time.perf_counter() - started) * 1000)
        searching.close()
        binding.close()

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return taken
