"""Where a directory's servers are: a list from the settings, or DNS SRV records."""

from __future__ import annotations

import random

from directory.errors import SettingsProblem
from directory.settings import DirectorySettings

TIMEOUT = 5.0
"""Seconds for the DNS."""


def resolve_servers(settings: DirectorySettings) -> tuple[str, ...]:
    """`host:port` of each server, in the order to try. Blocks. Raises SettingsProblem."""
    if settings.servers:
        return settings.servers
    if not settings.domain:
        raise SettingsProblem("servers", "is empty, and so is `domain`", "Name servers, or the domain with SRV records.")
    return _from_dns(settings.domain)


def _from_dns(domain: str) -> tuple[str, ...]:
    """`_ldap._tcp.dc._msdcs.DOMAIN` (MS-ADTS section 6.3.2.3), else `_ldap._tcp.DOMAIN` (RFC 2782); LDAPS on 636."""
    import dns.exception
    import dns.resolver

    problem = ""
    for name in (f"_ldap._tcp.dc._msdcs.{domain}", f"_ldap._tcp.{domain}"):
        try:
            answer = dns.resolver.resolve(name, "SRV", lifetime=TIMEOUT)
        except dns.exception.DNSException as error:
            problem = f"{name}: {error}"
            continue
        records = sorted(answer, key=lambda record: (record.priority, random.random() / (record.weight or 0.1)))  # noqa: S311
        return tuple(f"{str(record.target).rstrip('.')}:636" for record in records)
    remedy = "Name them in `servers`, or mend the DNS."
    raise SettingsProblem("domain", f"DNS knows no domain controllers ({problem})", remedy)
