"""Passwords as they are sent, and which can be sent at all. Pure."""

from __future__ import annotations

from directory.ldap.codec import MODIFY_ADD, MODIFY_DELETE, MODIFY_REPLACE

LONGEST_PASSWORD = 1024
"""Characters; a bound, so that nobody has the directory hash megabytes."""

_UNICODE_PWD = b"unicodePwd"

Modification = tuple[int, bytes, bytes]
"""(operation, attribute, value)"""


def password_is_possible(password: str) -> bool:
    """False for what must never be bound with: an empty password makes an anonymous bind that "succeeds"."""
    if not password or len(password) > LONGEST_PASSWORD or "\0" in password:
        return False
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True


def change_modifications(old: str, new: str) -> list[Modification]:
    """A change as Active Directory has it: delete the old, add the new; policy and history hold (MS-ADTS 3.1.1.3.1.5)."""
    return [(MODIFY_DELETE, _UNICODE_PWD, _quoted(old)), (MODIFY_ADD, _UNICODE_PWD, _quoted(new))]


def reset_modifications(new: str, *, must_change: bool) -> list[Modification]:
    """A reset: replace it, whatever it was. A pwdLastSet of 0 makes the person change it at the next sign-in."""
    modifications = [(MODIFY_REPLACE, _UNICODE_PWD, _quoted(new))]
    return [*modifications, (MODIFY_REPLACE, b"pwdLastSet", b"0")] if must_change else modifications


def _quoted(password: str) -> bytes:
    """As unicodePwd wants it: UTF-16, in quotation marks (MS-ADTS section 3.1.1.3.1.5.1)."""
    return f'"{password}"'.encode("utf-16-le")
