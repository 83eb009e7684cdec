"""What can be wrong with what a farm shows.

Unreadable   something that a server sent is not what it should be; `what` it was, and the `reason`
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from certs import CertificateUnreadable
from foundation.saml import SamlError


class Unreadable(Exception):
    """A server sent something that cannot be used."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@contextmanager
def as_unreadable() -> Iterator[None]:
    """What certificates, metadata and tokens raise, as Unreadable."""
    try:
        yield
    except (SamlError, CertificateUnreadable) as error:
        raise Unreadable(error.what, error.reason) from error
