"""What happens by itself as time passes: polls, heartbeats, AutoCertificateRollover, proxy trusts.

Nothing runs in the background. Before each command `advance` makes up for the time since the last one, in order: the state
between two commands cannot change but by what is here, so the result is the same as if it had been awake.

AutoCertificateRollover, at each CertificateRolloverInterval, for token-signing and token-decrypting (Set-AdfsProperties):

    primary ends in     secondary there                          no secondary
    more than 20 days   promoted once it is 5 days old           nothing
    20 days or less     likewise                                 a secondary is made
    2 days or less      promoted now                             one is made and promoted now
"""

from __future__ import annotations

import math

from tests.adfs.simulator.state import (
    DECRYPTING,
    HEARTBEAT,
    LEVELS,
    SIGNING,
    TRUST_LIFE,
    TRUST_RENEWAL,
    Configuration,
    Farm,
    FarmCertificate,
    FarmNode,
    Host,
    StoreEntry,
    World,
)
from tests.adfs.simulator.x509 import Cert, Keys, build

_SUBJECTS = {SIGNING: "ADFS Signing - ", DECRYPTING: "ADFS Encryption - "}


def advance(world: World, now: float) -> None:
    """Bring every farm to `now`."""
    for farm in world.farms:
        writer = world.writer(farm)
        interval = _interval(writer)
        if farm.next_check > now + interval:  # the clock went back: timers do not
            farm.next_check = now + interval
        while writer is not None and farm.next_check <= now:
            _poll(world, farm, farm.next_check)
            _roll(world, farm, writer, farm.next_check)
            farm.next_check += interval
        if writer is None and farm.next_check <= now:
            farm.next_check = now
        _poll(world, farm, now)
        _beat(world, farm, now)
        _renew_trusts(world, farm, now)


def _interval(writer: Host | None) -> float:
    minutes = _number(writer.node.configuration, "CertificateRolloverInterval") if writer and writer.node else 720
    return max(1, minutes) * 60.0


def _number(configuration: Configuration, name: str) -> int:
    value = configuration.properties[name]
    return value if isinstance(value, int) else 0


def _poll(world: World, farm: Farm, now: float) -> None:
    """Secondaries whose time has come copy the primary's database."""
    for host in world.nodes(farm):
        node = host.node
        if node is None or not node.secondary or not host.running("adfssrv"):
            continue
        pause = node.configuration.poll
        if node.next_poll > now + pause:
            node.next_poll = now + pause
        if node.next_poll <= now:
            last = node.next_poll + math.floor((now - node.next_poll) / pause) * pause
            sync(world, host, last)
            node.next_poll = last + pause


def sync(world: World, host: Host, now: float) -> None:
    """One poll of one secondary."""
    node = host.node
    if node is None or not node.secondary:
        return
    primary = world.host(node.primary_name)
    reachable = primary is not None and primary.running("adfssrv") and primary.node is not None
    node.last_sync, node.last_sync_ok = now, bool(reachable and primary and primary.node and not primary.node.secondary)
    if node.last_sync_ok and primary and primary.node:
        node.copy = primary.node.configuration.copy()


def _beat(world: World, farm: Farm, now: float) -> None:
    """Running nodes write themselves into the table, which only the primary can."""
    writer = world.writer(farm)
    if writer is None or writer.node is None:
        return
    table = writer.node.configuration.nodes
    for host in world.serving(farm):
        row = table.get(host.fqdn)
        if row is None or now - row.heartbeat >= HEARTBEAT:
            table[host.fqdn] = FarmNode(fqdn=host.fqdn, level=LEVELS[host.version], heartbeat=now)


def make_token_certificate(keys: Keys, use: str, farm_name: str, now: float, days: float) -> Cert:
    """Self-signed, as AD FS makes them."""
    return build(keys.take(), _SUBJECTS[use] + farm_name, now, now + days * 86400)


def add_managed(world: World, farm: Farm, use: str, now: float, *, primary: bool, configuration: Configuration) -> Cert:
    """A new certificate of AD FS's own, with its key in the configuration."""
    made = make_token_certificate(world.keys, use, farm.name, now, _number(configuration, "CertificateDuration"))
    configuration.certificates.append(FarmCertificate(use=use, certificate=made, is_primary=False, managed=True, since=now))
    if primary:
        configuration.promote(use, made.thumbprint)
    return made


def successor(configuration: Configuration, use: str) -> FarmCertificate | None:
    """The secondary that is younger than the primary, if there is one."""
    primary = configuration.primary(use)
    younger = [
        each
        for each in configuration.of(use)
        if not each.is_primary and (primary is None or each.certificate.not_after > primary.certificate.not_after)
    ]
    return max(younger, key=lambda each: each.since, default=None)


def _roll(world: World, farm: Farm, writer: Host, now: float) -> None:
    configuration = writer.node.configuration if writer.node else farm.shared
    if configuration.properties["AutoCertificateRollover"] is not True:
        return
    for use in (SIGNING, DECRYPTING):
        _roll_one(world, farm, configuration, use, now)
        for each in configuration.of(use):
            if not each.is_primary and each.certificate.not_after < now:
                configuration.drop(use, each.certificate.thumbprint)


def _roll_one(world: World, farm: Farm, configuration: Configuration, use: str, now: float) -> None:
    primary, following = configuration.primary(use), successor(configuration, use)
    unit = _number(configuration, "CertificateThresholdMultiplier") * 60.0
    left = primary.certificate.not_after - now if primary else 0.0
    critical = left <= _number(configuration, "CertificateCriticalThreshold") * unit
    if following is None and (critical or left <= _number(configuration, "CertificateGenerationThreshold") * unit):
        add_managed(world, farm, use, now, primary=critical, configuration=configuration)
    elif following and (critical or now - following.since >= _number(configuration, "CertificatePromotionThreshold") * unit):
        configuration.promote(use, following.certificate.thumbprint)


def promotion_time(configuration: Configuration, certificate: FarmCertificate) -> float:
    """When AutoCertificateRollover will promote this secondary."""
    unit = _number(configuration, "CertificateThresholdMultiplier") * 60.0
    return certificate.since + _number(configuration, "CertificatePromotionThreshold") * unit


def _renew_trusts(world: World, farm: Farm, now: float) -> None:
    """Every eight hours, if a federation server answers and the trust still lives."""
    for host in world.proxies(farm):
        proxy = host.proxy
        if proxy is None or now < proxy.next_renewal:
            continue
        last = proxy.next_renewal + math.floor((now - proxy.next_renewal) / TRUST_RENEWAL) * TRUST_RENEWAL
        able = host.running("adfssrv") and bool(world.serving(farm)) and proxy.next_renewal < proxy.trust_ends
        proxy.next_renewal = last + TRUST_RENEWAL
        if able:
            set_trust(host, last)


def set_trust(host: Host, now: float) -> None:
    """A new trust certificate in the proxy's store in place of the old one."""
    proxy = host.proxy
    if proxy is None:
        return
    host.store.pop(proxy.trust.thumbprint, None)
    proxy.trust = trust_certificate(host, proxy.trust, now)
    proxy.trust_ends = now + TRUST_LIFE
    host.store[proxy.trust.thumbprint] = StoreEntry(certificate=proxy.trust)


def trust_certificate(host: Host, old: Cert, now: float) -> Cert:
    """With which a proxy proves itself to the farm."""
    return build(old.key, f"ADFS ProxyTrust - {host.short}", now, now + TRUST_LIFE)
