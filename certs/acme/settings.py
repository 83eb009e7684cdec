"""Settings of an ACME server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from settings import SecretFile, listen_address, web_address


@dataclass(frozen=True, slots=True, kw_only=True)
class AcmeSettings:
    """An ACME server, and how names are proven to it."""

    directory: Annotated[str, web_address] = "https://acme-v02.api.letsencrypt.org/directory"
    """The server's directory URL."""
    tls_ca_file: Path | None = None
    """CA certificate (PEM) for the ACME server's own certificate. Empty: the system's certificate store."""
    contact: tuple[str, ...] = ()
    """E-mail addresses that are given to the server when the account is created."""
    agree_terms: bool = False
    """Whether you agree to the server's terms of service. Without it, servers that have terms cannot be used."""
    eab_key_id: str = ""
    """Key identifier from the CA for external account binding (RFC 8555, 7.3.4). Empty: none."""
    eab_hmac_file: SecretFile | None = None
    """File with the key for external account binding, base64url, mode 0600."""
    preferred_chain: str = ""
    """Common name of the issuer at the top of the chain, if the CA offers several. Empty: the CA's default."""
    challenge: Literal["dns-01", "http-01"] = "dns-01"
    """Challenge type that proves control of the names. Wildcard names, and servers that the CA cannot reach, need
    dns-01."""
    hook: Path | None = None
    """Program for dns-01, called as `hook present|cleanup DOMAIN RECORD VALUE` (the same in ISTHMUS_ACME_ACTION,
    _DOMAIN, _RECORD and _VALUE). It adds or removes one TXT record, and exits with 0 once every name server has it.
    A record may have two values at the same time."""
    hook_timeout: float = 180.0
    """Maximum run time of the hook, in seconds; after that it is stopped and counts as failed."""
    http_address: Annotated[str, listen_address] = "0.0.0.0:80"
    """Address and port that answer http-01 challenges while a certificate is being requested; port 80 of each name
    must lead there."""
    key_bits: int = 2048
    """Size of the certificate's RSA key: 2048, 3072 or 4096."""
    timeout: float = 600.0
    """Maximum time for the whole request, including hooks, in seconds."""
