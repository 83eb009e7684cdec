"""What every cmdlet is given, and the checks that many share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.output import CERTIFICATE
from tests.adfs.simulator.signatures import Signature
from tests.adfs.simulator.state import SERVICE_SID, Configuration, Host, Node, StoreEntry, World, may_read
from tests.adfs.simulator.values import PsCredential, PsObject
from tests.adfs.simulator.x509 import Cert

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One cmdlet that was called."""

    world: World
    host: Host
    user: str
    now: float
    signature: Signature
    parameters: dict[str, object]

    def fail(self, message: str, error_id: str = "InvalidOperationException", category: str = "InvalidOperation") -> PsError:
        """An error of this cmdlet."""
        return PsError(message, f"{error_id},{self.signature.type_name}", category)

    def text(self, name: str) -> str:
        value = self.parameters.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        value = self.parameters.get(name)
        return [str(each) for each in value] if isinstance(value, list) else []

    def number(self, name: str, default: int = 0) -> int:
        value = self.parameters.get(name)
        return value if isinstance(value, int) else default

    def flag(self, name: str) -> bool:
        return self.parameters.get(name) is True

    def credential(self, name: str) -> PsCredential | None:
        value = self.parameters.get(name)
        return value if isinstance(value, PsCredential) else None

    def thumbprint(self, name: str = "Thumbprint") -> str:
        return self.text(name).replace(" ", "").upper()


Action = Callable[[Call], list[Row]]
CMDLETS: dict[str, Action] = {}


def cmdlet(name: str) -> Callable[[Action], Action]:
    """Register what a cmdlet does."""

    def register(action: Action) -> Action:
        CMDLETS[name.lower()] = action
        return action

    return register


def node(call: Call) -> Node:
    """The federation server here, running. Raises PsError."""
    if call.host.node is None:
        raise call.fail("The AD FS Windows Service is not configured on this server.", category="ObjectNotFound")
    if not call.host.running("adfssrv"):
        raise call.fail(
            "Could not connect to net.tcp://localhost:1500/policy. The connection attempt lasted for a time span of "
            "00:00:02.0499038. TCP error code 10061: No connection could be made because the target machine actively "
            "refused it 127.0.0.1:1500.",
            "EndpointNotFoundException",
            "OpenError",
        )
    return call.host.node


def secondary_refused(call: Call, primary: str) -> PsError:
    """What a secondary of a WID farm says."""
    return call.fail(
        "PS0033: This cmdlet cannot be executed from a secondary server in a local database farm. The primary server is "
        f"presently: {primary}. To execute management cmdlets, either log onto the primary server or connect using "
        "PowerShell remoting. For more information see https://go.microsoft.com/fwlink/?LinkId=294129.",
        "PS0033",
        "OpenError",
    )


def configuration(call: Call, *, write: bool = False) -> Configuration:
    """The configuration, for a cmdlet that only the primary takes."""
    here = node(call)
    if here.secondary and (write or not call.world.secondaries_answer):
        raise secondary_refused(call, here.primary_name)
    return here.configuration


def stored(call: Call, thumbprint: str, *, host: Host | None = None) -> StoreEntry:
    """From LocalMachine\\My, with a private key. Raises PsError."""
    entry = (host or call.host).store.get(thumbprint)
    if entry is None:
        raise call.fail(
            f"The certificate with thumbprint '{thumbprint}' was not found in the LocalMachine\\My store of "
            f"{(host or call.host).fqdn}.",
            "ArgumentException",
            "InvalidArgument",
        )
    if not entry.has_key:
        raise call.fail(
            f"The certificate with thumbprint '{thumbprint}' does not have a private key.",
            "ArgumentException",
            "InvalidArgument",
        )
    return entry


def require_service_access(call: Call, entry: StoreEntry) -> None:
    """The service account must be able to read the key."""
    if not may_read(call.host, entry):
        raise call.fail(
            f"The private key for the certificate with thumbprint '{entry.certificate.thumbprint}' is not accessible to the "
            f"federation service account ({SERVICE_SID}). Grant it read permission to the private key.",
            "UnauthorizedAccessException",
            "PermissionDenied",
        )


def grant_service(host: Host, thumbprint: str) -> None:
    """The deployment cmdlets grant the service account read permission by themselves."""
    host.store[thumbprint].readers.add(SERVICE_SID.lower())


def may_hop(call: Call, credential: PsCredential | None) -> bool:
    """Whether this session can go on to another server: delegation, or a credential that holds there."""
    if credential is not None:
        return call.world.accounts.get(credential.user) == str(credential.password)
    return call.user in call.world.delegated


def moment(seconds: float) -> dt.datetime:
    """As PSRP carries times."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def nested(certificate: Cert, utc_offset: float = 0.0) -> PsObject:
    """An X509Certificate2 inside another object: RawData, and a text whose times are the server's, in its culture."""
    return PsObject(CERTIFICATE, described(certificate, utc_offset), {"RawData": certificate.der})


def described(certificate: Cert, utc_offset: float = 0.0) -> str:
    """X509Certificate2.ToString()."""
    zone = dt.timezone(dt.timedelta(seconds=utc_offset))

    def local(seconds: float) -> str:
        when = dt.datetime.fromtimestamp(seconds, zone)
        return f"{when.month}/{when.day}/{when.year} {when.hour % 12 or 12}:{when:%M:%S %p}"

    parts = {
        "Subject": certificate.subject,
        "Issuer": certificate.issuer,
        "Serial Number": f"{certificate.parsed.serial_number:X}",
        "Not Before": local(certificate.not_before),
        "Not After": local(certificate.not_after),
        "Thumbprint": certificate.thumbprint,
    }
    return "\r\n\r\n".join(f"[{name}]\r\n  {value}" for name, value in parts.items()) + "\r\n"
