"""Why something failed, in words that a person reads."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from findings import plain_reason


class Wrapper(Exception):
    """As aiohttp wraps an error of the system."""

    def __init__(self, os_error: OSError) -> None:
        super().__init__(f"Cannot connect to host relay:443 ssl:<ssl.SSLContext object at 0x7fc6241de210> [{os_error}]")
        self.os_error = os_error


class ServerDisconnectedError(Exception):
    """A library's error that says nothing."""


class LockedUpError(Exception):
    """One whose text is only for programmers."""


UNTRUSTED = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")
UNTRUSTED.verify_message = "self-signed certificate in certificate chain"
WRONG_VERSION = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
WRONG_VERSION.reason = "WRONG_VERSION_NUMBER"
REFUSED = OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 443)")
SEVERAL = OSError(
    "Multiple exceptions: [Errno 111] Connect call failed ('::1', 443, 0, 0), "
    "[Errno 113] Connect call failed ('192.0.2.1', 443)"
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (REFUSED, "connection refused"),
        (Wrapper(REFUSED), "connection refused"),
        (SEVERAL, f"{os.strerror(111).lower()}, {os.strerror(113)}".replace("Connection", "connection")),
        (ExceptionGroup("both", [REFUSED, REFUSED]), "connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
        (UNTRUSTED, "the certificate is not trusted: self-signed certificate in certificate chain"),
        (WRONG_VERSION, "wrong version number"),
        (TimeoutError(), "no answer in time"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "connection timed out"),
        (PermissionError(errno.EACCES, "Permission denied"), "permission denied"),
        (ServerDisconnectedError(), "server disconnected"),
        (LockedUpError("[('dc1', <class 'OSError'>)]"), "locked up"),
        (ValueError("a port has five digits at most."), "a port has five digits at most"),
    ],
)
def test_a_reason_has_no_objects_of_python_in_it(error: Exception, expected: str) -> None:
    """Neither tuples, nor classes, nor addresses in memory, nor lines of a library's source."""
    assert plain_reason(error) == expected
