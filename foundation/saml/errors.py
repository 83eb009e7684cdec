"""What can be wrong with a SAML or WS-Trust document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from certs import CertificateUnreadable
from foundation.xml import MalformedXml


class SamlError(Exception):
    """A document that cannot be used, or whose signature does not hold. `what` names it."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@contextmanager
def as_saml_error() -> Iterator[None]:
    """What the XML parser and the certificates in a document raise, as SamlError."""
    try:
        yield
    except (MalformedXml, CertificateUnreadable) as error:
        raise SamlError(error.what, error.reason) from error
