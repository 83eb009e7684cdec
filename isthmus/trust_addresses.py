"""Whether the addresses of a trust can be reached by TLS from this machine."""

from __future__ import annotations

import asyncio
import ssl
import time
from urllib.parse import urlsplit

from certs import CertsError, read_certificate
from findings import Finding, passed, plain_reason, warned
from gateway.federation import Trust
from isthmus.relay_check import judge_end

_PATIENCE = 5.0
"""Seconds for each server."""
_MOST = 20
"""Servers that are asked."""
_REMEDY = "Users' browsers have to reach it; this machine need not, unless the relay sends logouts or reads metadata there."


def servers_of(trust: Trust) -> list[tuple[str, int]]:
    """Hosts and ports of its HTTPS addresses, each once, in order; apps on the user's machine have none."""
    oidc, saml = trust.oidc, trust.saml
    addresses = [*oidc.redirect_uris, oidc.backchannel_logout_uri, oidc.jwks_uri]
    addresses += [*(consumer.url for consumer in saml.consumers), saml.logout_url, saml.metadata_url]
    parts = [urlsplit(address) for address in addresses if address]
    return list(dict.fromkeys((part.hostname or "", part.port or 443) for part in parts if part.scheme == "https"))


async def check_servers(trust: Trust) -> list[Finding]:
    """A TLS connection to each; nothing is sent. Never raises for what it finds."""
    return list(await asyncio.gather(*(_check(host, port) for host, port in servers_of(trust)[:_MOST])))


async def _check(host: str, port: int) -> Finding:
    where = host if port == 443 else f"{host}:{port}"
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=ssl.create_default_context())
            try:
                der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                writer.close()
        certificate = read_certificate(der or b"", f"the certificate served at {host}")
    except (OSError, TimeoutError, UnicodeError) as error:
        return warned("server", where, plain_reason(error), _REMEDY)
    except CertsError as error:
        return warned("server", where, str(error))
    found = judge_end("server", where, certificate, time.time())
    return passed("server", where, found.seen) if found.status == "pass" else found
