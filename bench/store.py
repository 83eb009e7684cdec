"""The store under load: entries of the audit trail by one node and by four, on one PostgreSQL whose commits reach the disk.

usage: python -m bench.store URL NODE SECONDS      one node, run by `append` as a process of its own; prints what came of it
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time

from bench.measure import show
from demo.postgres import ThrowawayPostgres
from gateway.protocol import AccountId
from gateway.store import AuditEvent, StoreError, open_store

_WAITING = 32
"""Sign-ins that wait at each node at a time."""
_SECRET = b"b" * 32


def append(seconds: int) -> None:
    """`audit.append_per_s` with 1 and with 4 writers; nobody may be refused."""
    refused = 0
    for nodes in (1, 4):
        with ThrowawayPostgres(careful=True) as server:
            url = server.create_database()
            asyncio.run(open_store(url, secret=_SECRET, node="setup").close())
            command = [sys.executable, "-m", "bench.store", url]
            running = [
                subprocess.Popen([*command, f"relay{number}", str(seconds)], stdout=subprocess.PIPE, text=True)
                for number in range(nodes)
            ]
            results = [process.communicate()[0].split() for process in running]
        done = sum(int(result[0]) for result in results)
        refused += sum(int(result[1]) for result in results)
        slowest = max(float(result[2]) for result in results)
        show(f"audit.append_per_s_{nodes}", done / seconds, f"{nodes} nodes, {_WAITING} wait at each; p99 {slowest:.0f} ms")
    show("audit.append_refused", refused)


def _event(number: int) -> AuditEvent:
    return AuditEvent(
        time=time.time(),
        kind="signin",
        actor="api:bench",
        subject=f"person{number % 2000}@people.example.org",
        account=AccountId("7a1f0c9e-4b1c-4f7e-9d55-3a1c0f5f2d11", f"{number % 2000:08d}-4b1c-4f7e-9d55-3a1c0f5f2d11"),
        outcome="success",
        address="192.0.2.7",
        agent="agent-1",
        correlation_id=secrets.token_hex(8),
        via="api:bench",
        milliseconds=3.5,
    )


async def _node(url: str, name: str, seconds: float) -> None:
    store = open_store(url, secret=_SECRET, node=name)
    end, waits, refused = time.monotonic() + seconds, list[float](), 0

    async def sign_in() -> None:
        nonlocal refused
        while (began := time.monotonic()) < end:
            try:
                await store.audit.append(_event(len(waits)))
            except StoreError:
                refused += 1
            else:
                waits.append(time.monotonic() - began)

    await asyncio.gather(*(sign_in() for _ in range(_WAITING)))
    await store.close()
    waits.sort()
    print(len(waits), refused, waits[len(waits) * 99 // 100] * 1000, flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(_node(sys.argv[1], sys.argv[2], float(sys.argv[3])))
