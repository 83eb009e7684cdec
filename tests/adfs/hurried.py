"""The real `isthmus` with shorter waits, for tests that kill it: the constants by which it gives servers time, nothing else.

usage: python -m tests.adfs.hurried < CALLS > EVENTS

Each line of CALLS is a JSON list: a file for the output, then the command line. Each call is a process of its own, forked
from this one, in which everything is imported already (that takes longer than the work). EVENTS are `pid N`, then
`ended CODE`, which is negative for a signal.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from dataclasses import replace
from importlib import import_module

from adfs_mgmt import operations as _operations
from adfs_mgmt.procedures import deployment
from adfs_mgmt.procedures import executor as _executor
from adfs_mgmt.procedures import observer as _observer
from adfs_mgmt.remoting import winrm as _winrm
from adfs_mgmt.trust import port as _port
from foundation.procedures import Rules
from isthmus import cli
from isthmus.cli.adfs import check as _check
from isthmus.cli.adfs import rollover as _rollover
from isthmus.cli.adfs import servers as _servers
from isthmus.cli.adfs import ssl as _ssl

IMPORTED = (_check, _executor, _observer, _port, _operations, _rollover, _servers, _ssl, _winrm)
LATER = (
    "cryptography.hazmat.backends.openssl.backend",
    "foundation.graph.client",
    "foundation.graph.credential",
    "isthmus.adfs_settings",
    "isthmus.cli.procedure_data",
    "isthmus.logging",
    "signxml.schemas",
    "uvloop",
)
"""What a command imports once it needs it: here once for all of them."""
SETTLED = 0.3
"""Seconds for an act whose fate is open, instead of three minutes: the simulated host decides at once."""
POLL = 0.1
"""Seconds between two looks, instead of up to 15."""


def hurry() -> None:
    """Shorten the waits."""
    defaults = Rules.__init__.__kwdefaults__ or {}
    assert (defaults["settle"], defaults["poll"]) == (180.0, 15.0), "they are set by other names now"
    defaults |= {"settle": SETTLED, "poll": POLL}
    quick = Rules()
    deployment.SERVER_PROCEDURES = {
        kind: replace(table, rules=quick) for kind, table in deployment.SERVER_PROCEDURES.items()
    }


def call(output: str, words: list[str]) -> int:
    """Run a command line in a process of its own."""
    child = os.fork()
    if child == 0:
        _become(output)
        cli.main(words)
    tell(f"pid {child}")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def tell(event: str) -> None:
    """Whoever started this."""
    sys.stdout.write(f"{event}\n")
    sys.stdout.flush()


def _become(output: str) -> None:
    """Standard files of its own."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(written, 1)
    os.dup2(written, 2)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")


if __name__ == "__main__":
    hurry()
    for name in LATER:
        import_module(name)
    gc.freeze()  # no command looks through what all of them share
    for line in sys.stdin:
        file, *arguments = json.loads(line)
        tell(f"ended {call(file, arguments)}")
