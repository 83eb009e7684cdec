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
    """How to prove who we are. Kerberos takes the ticket of `kinit` where no password is given; `credssp` hands the
    password over to the host."""
    user: str = ""
    """The account: `admin@CORP.EXAMPLE.COM`, or `CORP\\admin` except for Kerberos; empty for whose ticket is there."""
    password_file: SecretFile | None = None
    """File with that account's password, mode 0600; one line end is cut off."""
    certificate_file: Path | None = None
    """Client certificate (PEM) for `auth = "certificate"`."""
    key_file: SecretFile | None = None
    """Its key (PEM), mode 0600."""
    port: Annotated[int, Bounds(most=65_535)] = 5986
    """WinRM's port: 5986 with TLS, 5985 without."""
    tls: bool = True
    """Whether to speak HTTPS. Without it Kerberos, NTLM and CredSSP still encrypt what is said; `basic` is refused."""
    tls_ca_file: Path | None = None
    """CA (PEM) that signed the hosts' certificates; none means the system's."""
    configuration: str = "Microsoft.PowerShell"
    """Session configuration: the JEA endpoint of `isthmus adfs jea`, or the ordinary one."""
    spn_service: str = "WSMAN"
    """Service class of the hosts' SPN; some have `HOST` or `HTTP` only."""
    connect_timeout: float = 10.0
    """Seconds until a host counts as unreachable."""
    hosts_at_once: Annotated[int, Bounds(most=10_000)] = 40
    """Hosts that are spoken to at the same time."""


def split_host(host: str) -> tuple[str, str]:
    """Name and address of a server as in the settings: `name`, or `name=address`."""
    name, _, address = host.partition("=")
    return name, address or name
