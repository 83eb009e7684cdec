"""Where a directory's servers are: a list from the settings, or DNS SRV records.

Whoever answers for the DNS, or is on the way to it, can name any server, and get a certificate for that name from some
public authority. So a name from DNS is a candidate only: it has to lie below the configured domain, and its certificate has
to come from a configured authority; or the certificate itself is pinned. A list in the settings needs neither.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import structlog

from directory.errors import SettingsProblem
from directory.ldap.connection import parse_server
from directory.settings import DirectorySettings

log = structlog.get_logger()

TIMEOUT = 5.0
"""Seconds for the DNS."""


class ServerList(NamedTuple):
    """`host:port` of each server, in the order to try."""

    used: tuple[str, ...]
    foreign: tuple[str, ...] = ()
    """Hosts that the DNS named beside them, and that are not used: they do not lie below the domain."""


def resolve_servers(settings: DirectorySettings) -> ServerList:
    """From the settings, else from the DNS. Blocks. Raises SettingsProblem."""
    check_servers(settings)
    if settings.servers:
        return ServerList(settings.servers)
    return servers_from_dns(settings.domain, anywhere=bool(settings.tls.pinned_sha256))


def check_servers(settings: DirectorySettings) -> None:
    """Refuse settings that name no servers, or none that may be believed; the DNS is not asked. Raises SettingsProblem."""
    if settings.servers:
        allow_plain = settings.send_passwords_unencrypted_over_the_network
        for server in settings.servers:
            parse_server(server, allow_plain=allow_plain)
        return
    if not settings.domain.strip("."):
        raise SettingsProblem("servers", "is empty, and so is `domain`", "Set `servers`, or a `domain` with SRV records.")
    if not settings.tls.ca_file and not settings.tls.pinned_sha256:
        raise SettingsProblem(
            "tls.ca_file",
            "is not set, and for names from DNS the certificates of public CAs are not trusted",
            "Set it to the CA of the domain controllers' certificates, or list the controllers in `servers`.",
        )


def servers_from_dns(domain: str, *, anywhere: bool) -> ServerList:
    """`_ldap._tcp.dc._msdcs.DOMAIN` (MS-ADTS section 6.3.2.3), else `_ldap._tcp.DOMAIN` (RFC 2782); LDAPS on 636.

    anywhere: also hosts that do not lie below the domain.
    """
    import dns.exception
    import dns.name
    import dns.resolver

    problem = ""
    for name in (f"_ldap._tcp.dc._msdcs.{domain}", f"_ldap._tcp.{domain}"):
        try:
            answer = dns.resolver.resolve(name, "SRV", lifetime=TIMEOUT)
            top = dns.name.from_text(domain)
        except dns.exception.DNSException as error:
            problem = f"{name}: {error}"
            continue
        records = sorted(answer, key=lambda record: (record.priority, random.random() / (record.weight or 0.1)))  # noqa: S311
        # the root as target says that there is no such service (RFC 2782)
        targets = [record.target for record in records if record.target != dns.name.root]
        ours = [target for target in targets if anywhere or target.is_subdomain(top)]
        foreign = tuple(_host(target) for target in targets if target not in ours)
        if foreign:
            log.warning(
                "dns.foreign_servers", record=name, servers=foreign, remedy="list them in `servers` if they are yours"
            )
        if ours:
            return ServerList(tuple(f"{_host(target)}:636" for target in ours), foreign)
        problem = f"{name} names {', '.join(foreign)}, not below {domain}" if foreign else f"{name}: no server"
    raise SettingsProblem(
        "domain", f"DNS knows no domain controllers ({problem})", "Name them in `servers`, or fix the DNS."
    )


def _host(target: object) -> str:
    """As the DNS writes it: what is odd in a label stands as its number."""
    return str(target).rstrip(".")
