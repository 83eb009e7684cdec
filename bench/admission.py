"""What smart lockout costs: memory of what is remembered, time of a decision."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import subprocess
import sys
import time

from bench.measure import rss_mb, show
from gateway.protocol import Outcome
from gateway.relay.credentials.admission import (
    Admission,
    AdmissionRequest,
    AdmissionSettings,
    Admitted,
    MemoryAdmissionStore,
)

NAMES = 50_000
_KEY_ID = "0123456789abcdef"


def measure() -> None:
    """Each kind in a process of its own, so that none reuses what another has freed."""
    for name, known, remark in (
        ("admission.bytes_per_name", False, "locked, nobody's account: one record"),
        ("admission.bytes_per_account", True, "locked, by one spelling: its record and two that point to it"),
    ):
        command = [sys.executable, "-m", "bench.admission", str(int(known))]
        show(name, json.loads(subprocess.check_output(command)), remark)
    show("admission.success_us", asyncio.run(_success()), "processor time of check and settle, memory")


async def _bytes(known: bool) -> float:
    store = MemoryAdmissionStore(AdmissionSettings(records=10 * NAMES))
    admission = Admission(AdmissionSettings(), store=store)
    gc.collect()
    before = rss_mb(os.getpid())
    for number in range(NAMES):
        for wrong in range(4):
            await _attempt(admission, number, f"wrong{wrong}", Outcome.WRONG_CREDENTIAL, known)
    gc.collect()
    return (rss_mb(os.getpid()) - before) * 1024 * 1024 / NAMES


async def _success() -> float:
    admission = Admission(AdmissionSettings())
    times = []
    for _ in range(5):
        begun = time.process_time()
        for number in range(20_000):
            await _attempt(admission, number, "right", Outcome.SUCCESS, known=False)
        times.append((time.process_time() - begun) / 20_000 * 1e6)
    return min(times)


async def _attempt(admission: Admission, number: int, password: str, outcome: Outcome, known: bool) -> None:
    name = f"user{number}@corp.example.com"
    request = AdmissionRequest(
        user_name=name, password=password, address="192.0.2.1", throttled=False, correlation_id=f"{number:016x}"
    )
    ticket = await admission.check(request, 1.8e9)
    if not isinstance(ticket, Admitted):
        raise TypeError(f"{name}: refused, {ticket.reason}")
    account = hashlib.sha256(name.encode()).digest()[:16] if known else b""
    await admission.settle(ticket, outcome, 1.8e9, account=account, account_key=_KEY_ID)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_bytes(bool(int(sys.argv[1]))))))
