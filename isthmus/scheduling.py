"""How the processes that run for long share the processors with whoever else is on the machine."""

from __future__ import annotations

import contextlib
import os


def take_turns() -> None:
    """Let the kernel treat this process as a batch job (`SCHED_BATCH`, sched(7)), where it has that.

    On an idle machine nothing changes. On a busy one a process that is woken waits for its turn instead of interrupting
    its neighbour, such as a domain controller, and then finds several messages where there would have been one: measured
    at full load, a sign-in costs a fifth to a third less. Threads that are started later inherit it.
    """
    with contextlib.suppress(AttributeError, OSError):  # not Linux; or a filter of system calls
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
