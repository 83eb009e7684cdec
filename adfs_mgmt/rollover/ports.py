"""What the runner's hands hold on to, besides `remoting.Shell`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from adfs_mgmt.trust import FederatedDomain
from certs import Certificate, Pfx


class Trust(Protocol):
    """Entra ID's side (`adfs_mgmt.trust.port.Entra`). Every method raises TrustError, GraphError."""

    async def domains(self, now: float) -> Sequence[FederatedDomain]:
        """The domains that are federated with this farm; one that cannot be read has an `error`."""
        ...

    async def publish(self, domain: str, certificate: Certificate, keep: str, now: float) -> str:
        """Put a certificate into the slot that does not hold `keep` (a thumbprint; empty where there is none to keep), and
        read back that both are there. Nothing is written where it is there already. What was done, in words."""
        ...

    async def withdraw(self, domain: str, thumbprint: str, keep: str, now: float) -> str:
        """Take a certificate out, and read back that `keep` is there. Refused where `keep` is not."""
        ...


class Keys(Protocol):
    """Where the keys of new certificates are until the hosts have them."""

    def pfx(self, thumbprint: str) -> Pfx:
        """As PKCS #12 that Windows imports into a CSP, made for one import. Raises SourceError."""
        ...
