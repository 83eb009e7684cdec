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
    """CA (PEM) that signed the server's own certificate; none means the system's."""
    contact: tuple[str, ...] = ()
    """E-mail addresses that the server is told when the account is made."""
    agree_terms: bool = False
    """Whether you agree to the server's terms of service. Without it a server that has some is not used."""
    eab_key_id: str = ""
    """External account binding (RFC 8555, 7.3.4): key identifier that the CA gave you; empty where it needs none."""
    eab_hmac_file: SecretFile | None = None
    """File with the key that belongs to it, base64url, mode 0600."""
    preferred_chain: str = ""
    """Common name of the issuer at the top of the chain, where the CA offers several; empty for the CA's own choice."""
    challenge: Literal["dns-01", "http-01"] = "dns-01"
    """How names are proven. Wildcards, and servers that the CA cannot reach, need dns-01."""
    hook: Path | None = None
    """Program for dns-01, called as `hook present|cleanup DOMAIN RECORD VALUE` (the same in ISTHMUS_ACME_ACTION, _DOMAIN,
    _RECORD and _VALUE). It adds or removes one TXT record, and returns 0 once every name server has it. A record may have
    two values at a time."""
    hook_timeout: float = 180.0
    """Seconds until a hook that does not return is ended and counts as failed."""
    http_address: Annotated[str, listen_address] = "0.0.0.0:80"
    """Address and port where http-01 is answered while a certificate is asked for; port 80 of each name must lead there."""
    key_bits: int = 2048
    """Size of the certificate's RSA key: 2048, 3072 or 4096."""
    timeout: float = 600.0
    """Seconds for all of it, hooks included."""
