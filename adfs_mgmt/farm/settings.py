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
    """Short name of the farm in these commands, such as `prod`."""
    federation_name: Annotated[str, host_name]
    """Federation service name: `fs.example.com`."""
    federation_address: str = ""
    """Address under which the federation service name is checked from outside. Empty: the address to which the name
    resolves on this machine."""
    nodes: tuple[str, ...] = ()
    """Federation servers, by fully qualified name, including the primary. `host=address` if the name does not
    resolve on this machine. Empty: a farm that is only checked from outside."""
    proxies: tuple[str, ...] = ()
    """Web Application Proxies, in the same format."""
    winrm: bool = True
    """Whether the servers are queried over WinRM. Without it, only what a farm publishes can be checked."""
    https_port: Annotated[int, Bounds(most=65_535)] = 443
    """Port for metadata and sign-in."""
    http_port: Annotated[int, Bounds(most=65_535)] = 80
    """Port for `/adfs/probe`."""
    tls_ca_file: str = ""
    """CA certificate (PEM) for the farm's SSL certificate. Empty: the system's certificate store. Untrusted
    certificates are checked, too."""
    outside_timeout: float = 8.0
    """Maximum time for each address that is checked from outside, in seconds."""
    synthetic_user: str = ""
    """Test account, as `user@example.com` or `CORP\\user`, with which `isthmus adfs check` requests a token over
    WS-Trust (`usernamemixed`) from each node and the federation service name. Empty: none. The account only needs
    to be able to sign in."""
    synthetic_password_file: SecretFile | None = None
    """File with that account's password, mode 0600; a line break at the end is ignored. It is sent only over
    verified TLS."""
    synthetic_relying_party: str = ""
    """Identifier of the relying party for which the token is requested. Empty: the farm's own identifier, as in AD
    FS's own diagnostics. Use a relying party without an encryption certificate: an encrypted token cannot be
    checked."""


def address_of(settings: FarmSettings, host: str) -> str:
    """Where to connect for a server, as in the settings, or for the federation name."""
    if host == settings.federation_name:
        return settings.federation_address or host
    return split_host(host)[1]
