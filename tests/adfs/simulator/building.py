"""Farms as they stand after years of ordinary use, made in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.adfs.simulator.making import blank, configuration, connect, fallback, join
from tests.adfs.simulator.passing import make_token_certificate
from tests.adfs.simulator.state import (
    DECRYPTING,
    LEVELS,
    SERVICE,
    SERVICE_SID,
    SIGNING,
    Application,
    Farm,
    FarmCertificate,
    Host,
    RelyingParty,
    StoreEntry,
    World,
)
from tests.adfs.simulator.x509 import DAY, Cert


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """See `Simulator.farm`."""

    version: str
    nodes: int
    proxies: int
    wid: bool
    name: str
    domain: str
    account: str
    level: int | None
    auto_rollover: bool
    managed: bool
    signing_days: float
    decrypting_days: float
    ssl_days: float
    ssl_names: tuple[str, ...] | None
    alternate_tls: bool
    relying_parties: int
    applications: int
    jea: bool
    prefix: str


def farm(world: World, wish: Wish) -> Farm:
    """All of it."""
    now = world.clock()
    shared = configuration(wish.name, level=wish.level or LEVELS[wish.version], wid=wish.wid)
    shared.properties["AutoCertificateRollover"] = wish.auto_rollover
    if wish.alternate_tls:
        shared.properties["TlsClientPort"] = 443
    made = Farm(name=wish.name, wid=wish.wid, account=wish.account, shared=shared, next_check=now + 720 * 60)
    world.farms.append(made)
    world.principals.setdefault(wish.account, []).append(f"host/{wish.name}")
    ssl = world.authority.issue(wish.ssl_names or _ssl_names(wish), now - DAY, now + wish.ssl_days * DAY)
    hosts = [
        blank(world, f"{wish.prefix}adfs{i + 1}.{wish.domain}", wish.version, wish.domain, jea=wish.jea)
        for i in range(wish.nodes)
    ]
    _fill(world, made, wish, ssl, now)
    for host in hosts:
        own = [each.certificate for each in shared.certificates if not each.managed]
        _stock(host, own)
        join(host, made, ssl.thumbprint, now, primary=hosts[0], database=shared, alternate=wish.alternate_tls)
        fallback(host, ssl.thumbprint)
    for i in range(wish.proxies):
        _add_proxy(world, made, wish, f"{wish.prefix}wap{i + 1}.dmz.{wish.domain}", ssl, hosts[0])
    return made


def _ssl_names(wish: Wish) -> tuple[str, ...]:
    """The federation service's own names and those of the published applications."""
    parent = wish.name.partition(".")[2]
    applications = (f"app{number}.example.com" for number in range(1, wish.applications + 1))
    return (wish.name, f"certauth.{wish.name}", f"enterpriseregistration.{parent}", *applications)


def _fill(world: World, made: Farm, wish: Wish, ssl: Cert, now: float) -> None:
    shared = made.shared
    shared.certificates = [
        FarmCertificate(use=SERVICE, certificate=ssl, is_primary=True, managed=False, since=now - DAY),
        _token(world, wish, DECRYPTING, wish.decrypting_days, now),
        _token(world, wish, SIGNING, wish.signing_days, now),
    ]
    shared.relying_parties = [_relying_party(number, now) for number in range(1, wish.relying_parties + 1)]
    shared.applications = [
        Application(
            name=f"App {number}",
            external_url=f"https://app{number}.example.com/",
            backend_url=f"https://app{number}.corp.example.com/",
            thumbprint=ssl.thumbprint,
        )
        for number in range(1, wish.applications + 1)
    ]


def _token(world: World, wish: Wish, use: str, days: float, now: float) -> FarmCertificate:
    end = now + days * DAY
    start = min(end - 365 * DAY, now - DAY)
    if wish.managed:
        certificate = make_token_certificate(world.keys, use, wish.name, start, (end - start) / DAY)
    else:
        certificate = world.authority.issue([wish.name], start, end, subject=f"{use} {wish.name}")
    return FarmCertificate(use=use, certificate=certificate, is_primary=True, managed=wish.managed, since=start)


def _relying_party(number: int, now: float) -> RelyingParty:
    """Every second one has metadata that AD FS watches."""
    watched = number % 2 == 1
    url = f"https://app{number}.partner.example/federationmetadata.xml" if watched else ""
    identifier = "urn:federation:MicrosoftOnline" if number == 1 else f"https://app{number}.partner.example/"
    name = "Microsoft Office 365 Identity Platform" if number == 1 else f"Partner {number}"
    return RelyingParty(
        name=name,
        identifiers=(identifier,),
        metadata_url=url,
        monitoring=watched,
        auto_update=watched,
        updated=now - DAY,
        rules=_ENTRA_RULES if number == 1 else "",
    )


_ENTRA_RULES = """@RuleName = "Issue UPN"
c:[Type == "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname"]
 => issue(store = "Active Directory", types = ("http://schemas.xmlsoap.org/claims/UPN"), query = ";userPrincipalName;{0}",
 param = c.Value);

@RuleName = "Issue issuerid when it is not a computer account"
c:[Type == "http://schemas.xmlsoap.org/claims/UPN"]
 => issue(Type = "http://schemas.microsoft.com/ws/2008/06/identity/claims/issuerid", Value =
 regexreplace(c.Value, ".+@(?<domain>.+)", "http://${domain}/adfs/services/trust/"));
"""
"""As the wizard writes them for several domains."""


def _stock(host: Host, certificates: Sequence[Cert]) -> None:
    for each in certificates:
        host.store[each.thumbprint] = StoreEntry(certificate=each, readers={SERVICE_SID.lower()})


def _add_proxy(world: World, made: Farm, wish: Wish, fqdn: str, ssl: Cert, primary: Host) -> None:
    host = blank(world, fqdn, wish.version, "", jea=wish.jea)
    host.features.add("Web-Application-Proxy")
    host.resolves[made.name] = primary.fqdn
    host.store[ssl.thumbprint] = StoreEntry(certificate=ssl)
    connect(world, host, made, ssl.thumbprint, 443 if wish.alternate_tls else 49443)
    fallback(host, ssl.thumbprint)
