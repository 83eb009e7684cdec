"""How to reach Microsoft Graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from settings import SecretFile


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """A tenant, and the application that signs in to it."""

    tenant: str
    """Directory (tenant) id, or one of its domain names."""
    client_id: str
    """Application (client) id."""
    certificate_file: SecretFile | None = None
    """The application's certificate and key (PEM), mode 0600. Better than a secret."""
    secret_file: SecretFile | None = None
    """Or a file with its secret, mode 0600; one line end is cut off."""
    authority: str = "https://login.microsoftonline.com"
    """Sign-in endpoint; national clouds have their own."""
    graph: str = "https://graph.microsoft.com"
    """Graph endpoint, likewise."""
    tls_ca_file: Path | None = None
    """CA (PEM) of a proxy that inspects TLS on the way there; none means the system's."""
    timeout: float = 30.0
    """Seconds for one request."""
