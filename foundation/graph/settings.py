"""How to reach Microsoft Graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from settings import SecretFile


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """A tenant, and the application that signs in to it."""

    tenant: str
    """Directory (tenant) ID, or one of its domain names."""
    client_id: str
    """Application (client) ID."""
    certificate_file: SecretFile | None = None
    """File with the application's certificate and key (PEM), mode 0600. Preferable to a client secret."""
    secret_file: SecretFile | None = None
    """File with the application's client secret, mode 0600; a line break at the end is ignored."""
    authority: str = "https://login.microsoftonline.com"
    """Sign-in endpoint; national clouds have their own."""
    graph: str = "https://graph.microsoft.com"
    """Microsoft Graph endpoint; national clouds have their own."""
    tls_ca_file: Path | None = None
    """CA certificate (PEM) of a proxy that inspects TLS. Empty: the system's certificate store."""
    timeout: float = 30.0
    """Maximum time for one request, in seconds."""
