"""Why something failed, in words: Python and its libraries print tuples, class names and addresses in memory. Pure."""

from __future__ import annotations

import os
import re

_OBJECT = re.compile(r"<[^<>]* at 0x[0-9a-f]+>|<class '[^']*'>|\('[^']*', \d+(, \d+)*\)|\[\(")
_TLS_SOURCE = re.compile(r" \(_ssl\.c:\d+\)$|^\[[A-Z]+: \w+\] ")


def plain_reason(error: BaseException) -> str:
    """A cause for a person to read: of a failed connection, handshake, look-up or file. Without a full stop.

    What a library wrapped is unwrapped where it says more than its wrapper (aiohttp's errors hold `certificate_error`
    and `os_error`).
    """
    for inner in ("certificate_error", "os_error"):
        cause = getattr(error, inner, None)
        if isinstance(cause, BaseException):
            return plain_reason(cause)
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(map(plain_reason, error.exceptions)))
    if verify_message := getattr(error, "verify_message", ""):  # ssl.SSLCertVerificationError
        return f"the certificate is not trusted: {str(verify_message).rstrip('.')}"
    if isinstance(error, TimeoutError) and not error.errno:
        return "no answer in time"
    if isinstance(error, OSError):
        return _system_reason(error)
    text = str(error).rstrip(".")
    return text if text and not _OBJECT.search(text) else _words(type(error).__name__)


def _system_reason(error: OSError) -> str:
    """asyncio puts the peer's address, as a tuple, where the system's own text belongs."""
    if reason := getattr(error, "reason", None):  # ssl.SSLError
        return f"{str(reason).lower().replace('_', ' ')}"
    if error.errno and error.errno > 0 and (not error.strerror or _OBJECT.search(error.strerror)):
        return os.strerror(error.errno).lower()
    text = _TLS_SOURCE.sub("", error.strerror or str(error)).rstrip(".")
    if _OBJECT.search(text):  # several addresses were tried
        numbers = dict.fromkeys(int(number) for number in re.findall(r"\[Errno (\d+)\]", text))
        text = ", ".join(os.strerror(number) for number in numbers)
    return text[:1].lower() + text[1:] if text else _words(type(error).__name__)


def _words(name: str) -> str:
    """`ServerDisconnectedError` as `server disconnected`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).removesuffix(" Error").lower()
