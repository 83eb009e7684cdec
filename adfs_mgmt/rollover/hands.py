"""The runner's hands and eyes: a Shell, Entra ID, keys. Errors of each come out as ActFailed, which knows the effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from adfs_mgmt.remoting import (
    AccessDenied,
    Command,
    HostUnreachable,
    Interrupted,
    RemotingError,
    Secret,
    Shell,
    Thing,
    make_command,
)
from adfs_mgmt.rollover.errors import ActFailed, Effect
from adfs_mgmt.rollover.model import Act, Import, Publish, Snapshot, Withdraw
from adfs_mgmt.rollover.ports import Keys, Trust
from adfs_mgmt.trust.errors import LiveKeyLost, NotTaken, TrustError
from certs import Certificate, SourceError, normal_thumbprint
from foundation.graph import GraphError, MalformedAnswer, OutcomeUnknown

Look = Callable[[], Awaitable[Snapshot]]
_TIMEOUT = 60.0
_SLOW = {"Restart-Service": 300.0, "Update-AdfsCertificate": 180.0, "Set-AdfsSslCertificate": 180.0}
"""Seconds for commands that take longer than the usual."""


class Hands:
    """A Doer over real ports. `look` reads everything; `trust` and `keys` may be missing where no step needs them."""

    def __init__(self, shell: Shell, look: Look, trust: Trust | None, keys: Keys | None, now: Callable[[], float]) -> None:
        self._shell, self._look, self._trust, self._keys, self._now = shell, look, trust, keys, now
        self._last: Snapshot | None = None

    async def look(self) -> Snapshot:
        """Everything as it is now."""
        self._last = await self._look()
        return self._last

    async def do(self, act: Act) -> None:
        """Do it. Raises ActFailed."""
        what = act.what
        if isinstance(what, Command):
            await self._command(act.host, what)
        elif isinstance(what, Import):
            await self._import(act.host, what)
        else:
            await self._update(act, what)

    async def _update(self, act: Act, what: Publish | Withdraw) -> None:
        if self._trust is None:
            raise ActFailed(act.host, "no tenant of Entra ID is in the settings ([[entra]])", "none")
        try:
            if isinstance(what, Publish):
                await self._trust.publish(what.domain, self._certificate(act, what), what.keep, self._now())
            else:
                await self._trust.withdraw(what.domain, what.thumbprint, what.keep, self._now())
        except (TrustError, GraphError) as error:
            raise ActFailed(act.host, str(error), _effect_of_trust(error)) from error

    async def _command(self, host: str, command: Command) -> list[Thing]:
        try:
            return await self._shell.run(host, command, timeout=_SLOW.get(command.name, _TIMEOUT))
        except RemotingError as error:
            raise ActFailed(host, str(error), _effect(error)) from error

    async def _import(self, host: str, what: Import) -> None:
        if self._keys is None:
            raise ActFailed(host, f"the key of {what.thumbprint} is not here; give its PFX file again", "none")
        try:
            pfx = self._keys.pfx(what.thumbprint)
        except SourceError as error:
            raise ActFailed(host, str(error), "none") from error
        answer = await self._command(
            host, make_command("Import-IsthmusCertificate", Pfx=pfx.content, Password=Secret(pfx.password))
        )
        found = {normal_thumbprint(str(thing.get("Thumbprint", ""))) for thing in answer}
        if answer and what.thumbprint not in found:
            raise ActFailed(host, f"{host}: imported {', '.join(sorted(found))} instead of {what.thumbprint}", "refused")

    def _certificate(self, act: Act, what: Publish) -> Certificate:
        certificate = self._last.certificate(what.thumbprint) if self._last else None
        if certificate is None or not certificate.der:
            problem = f"of {what.thumbprint} only the thumbprint was seen; see that a node's metadata can be read"
            raise ActFailed(act.host, problem, "none")
        return certificate


def _effect(error: RemotingError) -> Effect:
    if isinstance(error, HostUnreachable | AccessDenied):
        return "none"
    return "unknown" if isinstance(error, Interrupted) else "refused"


def _effect_of_trust(error: TrustError | GraphError) -> Effect:
    if isinstance(error, OutcomeUnknown | MalformedAnswer):
        return "unknown"
    return "refused" if isinstance(error, NotTaken | LiveKeyLost) else "none"
