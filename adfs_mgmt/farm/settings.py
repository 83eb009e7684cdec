"""Which servers make up a farm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from adfs_mgmt.remoting import split_host
from settings import Bounds, SecretFile, host_name


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmSettings:
    """One AD FS farm."""

    name: str
    """A short name for it here, such as `prod`."""
    federation_name: Annotated[str, host_name]
    """What people and partners call it: `fs.example.com`."""
    federation_address: str = ""
    """Address to look at under that name from outside; empty for what the name resolves to here."""
    nodes: tuple[str, ...] = ()
    """Federation servers, by fully qualified name; the primary among them. `host=address` where the name does not resolve
    here. None for a farm that is looked at from outside only."""
    proxies: tuple[str, ...] = ()
    """Web Application Proxies, likewise."""
    winrm: bool = True
    """Whether the servers are asked over WinRM. Without it a farm is judged by what it shows to everybody."""
    https_port: Annotated[int, Bounds(most=65_535)] = 443
    """Port of metadata and sign-in."""
    http_port: Annotated[int, Bounds(most=65_535)] = 80
    """Port of `/adfs/probe`."""
    tls_ca_file: str = ""
    """CA (PEM) that signed the farm's SSL certificate; empty for the system's. Untrusted ones are looked at, too."""
    outside_timeout: float = 8.0
    """Seconds for each address that is looked at from outside."""
    synthetic_user: str = ""
    """A test account, as `user@example.com` or `CORP\\user`, for which `isthmus adfs check` asks each node and the
    federation name for a token by WS-Trust (`usernamemixed`); empty for none. It needs no right but to sign in."""
    synthetic_password_file: SecretFile | None = None
    """File with that account's password, mode 0600; one line end is cut off. It is sent by verified TLS only."""
    synthetic_relying_party: str = ""
    """Identifier of the relying party that the token is asked for; empty for the farm's own identifier, as AD FS's own
    diagnostics do. One without an encryption certificate: an encrypted token cannot be looked into."""


def address_of(settings: FarmSettings, host: str) -> str:
    """Where to connect for a server, as in the settings, or for the federation name."""
    if host == settings.federation_name:
        return settings.federation_address or host
    return split_host(host)[1]
