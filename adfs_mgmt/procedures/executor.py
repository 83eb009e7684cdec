"""Does the acts of procedures over a Shell, Entra ID and pending keys. What fails comes out as ActFailed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from adfs_mgmt.procedures.acts import KeyImport, Publication, Withdrawal
from adfs_mgmt.procedures.commands import run_command
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.remoting import Command, Secret, Shell, make_command
from adfs_mgmt.trust import FederatedDomain, LiveKeyLost, NotTaken, TrustError
from certs import Certificate, Pfx, SourceError, normal_thumbprint
from foundation.graph import GraphError, MalformedAnswer, OutcomeUnknown
from foundation.procedures import Act, ActFailed, Effect


class FederatedDomains(Protocol):
    """Entra ID's side (`adfs_mgmt.trust.Entra`). Every method raises TrustError, GraphError."""

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


class KeySource(Protocol):
    """Where the keys of new certificates are until the hosts have them (`certs.PendingKeys`)."""

    def pfx(self, thumbprint: str) -> Pfx:
        """As PKCS #12 that Windows imports into a CSP, made for one import. Raises SourceError."""
        ...


@dataclass(slots=True)
class AdfsExecutor:
    """An executor over real ports. `trust` and `keys` may be missing where no act needs them."""

    shell: Shell
    read: Callable[[], Awaitable[FarmObservation]]
    """Reads everything."""
    trust: FederatedDomains | None
    keys: KeySource | None
    now: Callable[[], float]
    _last: FarmObservation | None = None

    async def observe(self) -> FarmObservation:
        """Everything as it is now."""
        self._last = await self.read()
        return self._last

    async def do(self, act: Act) -> None:
        """Do it. Raises ActFailed."""
        what = act.what
        if isinstance(what, Command):
            await run_command(self.shell, act.place, what)
        elif isinstance(what, KeyImport):
            await self._import(act.place, what)
        elif isinstance(what, Publication | Withdrawal):
            await self._tell_entra(act, what)
        else:
            raise TypeError(f"this program cannot carry out {act}")

    async def _tell_entra(self, act: Act, what: Publication | Withdrawal) -> None:
        if self.trust is None:
            raise ActFailed(act.place, "the settings contain no Entra ID tenant ([[entra]])", "none")
        try:
            if isinstance(what, Publication):
                await self.trust.publish(what.domain, self._certificate(act, what), what.keep, self.now())
            else:
                await self.trust.withdraw(what.domain, what.thumbprint, what.keep, self.now())
        except (TrustError, GraphError) as error:
            raise ActFailed(act.place, str(error), effect_at_entra(error)) from error

    async def _import(self, host: str, what: KeyImport) -> None:
        if self.keys is None:
            raise ActFailed(host, f"the private key of {what.thumbprint} is not here; give its PFX file again", "none")
        try:
            pfx = self.keys.pfx(what.thumbprint)
        except SourceError as error:
            raise ActFailed(host, str(error), "none") from error
        command = make_command("Import-IsthmusCertificate", Pfx=pfx.content, Password=Secret(pfx.password))
        answer = await run_command(self.shell, host, command)
        found = {normal_thumbprint(str(row.get("Thumbprint", ""))) for row in answer}
        if answer and what.thumbprint not in found:
            raise ActFailed(host, f"{host}: imported {', '.join(sorted(found))} instead of {what.thumbprint}", "refused")

    def _certificate(self, act: Act, what: Publication) -> Certificate:
        certificate = self._last.certificate(what.thumbprint) if self._last else None
        if certificate is None or not certificate.der:
            problem = f"of {what.thumbprint} only the thumbprint is known; make sure that a node's metadata can be read"
            raise ActFailed(act.place, problem, "none")
        return certificate


def effect_at_entra(error: TrustError | GraphError) -> Effect:
    """What a change of the trust that failed left behind."""
    if isinstance(error, OutcomeUnknown | MalformedAnswer):
        return "unknown"
    return "refused" if isinstance(error, NotTaken | LiveKeyLost) else "none"
