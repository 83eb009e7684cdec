"""The floor: a bare client that does nothing but bind, on persistent TLS connections, from as many threads as pays."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from directory import wire
from directory.link import Link, parse_server
from directory.settings import TlsSettings
from directory.tls import make_context


def binds_per_second(server: str, ca_file: Path, users: Sequence[tuple[str, str]], *, threads: int, seconds: float) -> float:
    """Concurrent re-binds a second; users are (bind name, password)."""
    links = [_link(server, ca_file) for _ in range(threads)]
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        link, at = links[number], number
        while time.perf_counter() < end:
            name, password = users[at % len(users)]
            at += threads
            result = link.bind(name.encode(), password.encode(), 30)
            if result.code != 0:
                raise RuntimeError(f"{name}: {result}")
            counts[number] += 1

    started = time.perf_counter()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - started
    for link in links:
        link.close()
    return sum(counts) / elapsed


def bind_milliseconds(
    server: str, ca_file: Path, users: Sequence[tuple[str, str]], *, rounds: int, base_dn: str, threads: int
) -> list[float]:
    """How long a search for the person and a bind take, from this many threads at a time, each of `rounds` times."""
    taken: list[float] = []

    def work(first: int) -> None:
        searching, binding = _link(server, ca_file), _link(server, ca_file)
        searching.bind(users[0][0].encode(), users[0][1].encode(), 30)
        for at in range(first, rounds, threads):
            name, password = users[at % len(users)]
            started = time.perf_counter()
            matching = wire.equals(b"userPrincipalName", name.encode())
            wanted = wire.attribute_list(("objectGUID", "displayName", "mail", "memberOf", "badPwdCount"))
            searching.search(base_dn.encode(), wire.SCOPE_SUBTREE, matching, wanted, limit=2, timeout=30)
            binding.bind(name.encode(), password.encode(), 30)
            taken.append((time.perf_counter() - started) * 1000)
        searching.close()
        binding.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return taken


def _link(server: str, ca_file: Path) -> Link:
    return Link.open(parse_server(server, allow_plain=False), make_context(TlsSettings(ca_file=ca_file)), (), 10)
