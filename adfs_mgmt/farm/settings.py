"""Which servers make up a farm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmSettings:
    """One AD FS farm."""

    name: str
    """A short name for it here, such as `prod`."""
    federation_name: str
    """What people and partners call it: `fs.example.com`."""
    nodes: tuple[str, ...] = ()
    """Federation servers, by fully qualified name; the primary among them. `host=address` where the name does not resolve
    here. None for a farm that is looked at from outside only."""
    proxies: tuple[str, ...] = ()
    """Web Application Proxies, likewise."""
    winrm: bool = True
    """Whether the servers are asked over WinRM. Without it a farm is judged by what it shows to everybody."""
    https_port: int = 443
    """Port of metadata and sign-in."""
    http_port: int = 80
    """Port of `/adfs/probe`."""
    tls_ca_file: str = ""
    """CA (PEM) that signed the farm's SSL certificate; empty for the system's. Untrusted ones are looked at, too."""
    outside_timeout: float = 8.0
    """Seconds for each address that is looked at from outside."""
