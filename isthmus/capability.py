"""One of root's rights kept by a process that becomes another user (capabilities(7)); nothing where there is no Linux.

ctypes is loaded where it is needed: importing it maps memory to be written and executed, which a service's unit forbids.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any

NET_BIND_SERVICE = 10
"""CAP_NET_BIND_SERVICE: listening on ports below 1024."""
_PR_SET_KEEPCAPS = 8
_HEADER = struct.pack("=Ii", 0x20080522, 0)
"""`struct __user_cap_header_struct`: _LINUX_CAPABILITY_VERSION_3, whose sets are of 64 bits; this thread."""
_SETS = struct.Struct("=6I")
"""`struct __user_cap_data_struct` twice, for 32 capabilities each: effective, permitted, inheritable."""


def keep() -> None:
    """Before setuid: what is permitted stays permitted, until `reduce_to`. Raises OSError."""
    if sys.platform == "linux":
        _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)


def reduce_to(number: int) -> None:
    """After setuid: this right, below 32, and no other one, of this thread, which must be the only one. Raises OSError.

    It is not inherited: a program that is started has none. Where root itself lacks it, as in some containers, none is left.
    """
    if sys.platform != "linux":
        return
    import ctypes

    sets = ctypes.create_string_buffer(_SETS.size)
    _call("capget", _HEADER, sets)
    allowed = _SETS.unpack(sets.raw)[1] & 1 << number
    _call("capset", _HEADER, _SETS.pack(allowed, allowed, 0, 0, 0, 0))


def _call(name: str, *arguments: Any) -> None:
    import ctypes

    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
