"""How to reach Windows hosts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from settings import Bounds, SecretFile


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotingSettings:
    """WinRM, for every host of a farm."""

    auth: Literal["kerberos", "ntlm", "negotiate", "certificate", "credssp", "basic"] = "kerberos"
    """Authentication method. Kerberos uses the ticket of `kinit` if no password is given; `credssp` sends the
    password to the host."""
    user: str = ""
    """Account: `admin@CORP.EXAMPLE.COM`, or `CORP\\admin` except for Kerberos. Empty: the owner of the existing
    ticket."""
    password_file: SecretFile | None = None
    """File with that account's password, mode 0600; a line break at the end is ignored."""
    certificate_file: Path | None = None
    """Client certificate (PEM) for `auth = "certificate"`."""
    key_file: SecretFile | None = None
    """File with its private key (PEM), mode 0600."""
    port: Annotated[int, Bounds(most=65_535)] = 5986
    """WinRM port: 5986 with TLS, 5985 without."""
    tls: bool = True
    """Whether to use HTTPS. Without it, Kerberos, NTLM and CredSSP still encrypt the messages; `basic` is
    refused."""
    tls_ca_file: Path | None = None
    """CA certificate (PEM) for the hosts' certificates. Empty: the system's certificate store."""
    configuration: str = "Microsoft.PowerShell"
    """Session configuration: the JEA endpoint of `isthmus adfs jea`, or the default one."""
    spn_service: str = "WSMAN"
    """Service class of the hosts' SPN; some hosts have only `HOST` or `HTTP`."""
    connect_timeout: float = 10.0
    """Maximum time to connect to a host, in seconds; after that it counts as unreachable."""
    hosts_at_once: Annotated[int, Bounds(most=10_000)] = 40
    """Maximum number of hosts that are contacted at the same time."""


def split_host(host: str) -> tuple[str, str]:
    """Name and address of a server as in the settings: `name`, or `name=address`."""
    name, _, address = host.partition("=")
    return name, address or name
