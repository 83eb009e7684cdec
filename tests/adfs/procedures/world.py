"""A farm in memory, small and quick: what the planner's and the runner's tests walk through many times over.

It speaks the ports of the package (Shell, FederatedDomains, KeySource, Clock) and answers `observe` with the model itself.
The simulator's tests go the whole way, over `farm.read_farm`.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from adfs_mgmt.farm import (
    Binding,
    ExternalView,
    Farm,
    FarmCertificate,
    KeyAccess,
    Node,
    Properties,
    Proxy,
    PublishedApplication,
    Served,
    StoredCertificate,
    SyncRole,
    Use,
)
from adfs_mgmt.farm.model import RelyingParty
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.remoting import Command, CommandFailed, HostUnreachable, Interrupted, PSObject
from adfs_mgmt.trust import model as trust_model
from certs import Certificate, Partner, Pfx, SourceError
from foundation.graph import OutcomeUnknown, Unreachable

DAY = 86400.0
NOW = 1_800_000_000.0
POLL = 300.0
NAME = "fs.example.com"
TOKEN = (Use.SIGNING, Use.DECRYPTING)


def thumb(name: str) -> str:
    """A thumbprint that can be recognised."""
    return (name.encode().hex().upper() + "0" * 40)[:40]


OLD, OLD_D, NEW, NEW_D = thumb("old-s"), thumb("old-d"), thumb("made-1"), thumb("made-2")
OLD_SSL, NEW_SSL = thumb("old-tls"), thumb("new-tls")


@functools.cache
def some_der() -> bytes:
    """A certificate that can be parsed; the world's certificates share it, and differ by their thumbprints."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name.from_rfc4514_string("CN=some")
    start = dt.datetime.fromtimestamp(NOW - DAY, dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(start).not_valid_after(start + dt.timedelta(days=400))
    from cryptography.hazmat.primitives.serialization import Encoding

    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def certificate(name: str, ends: float = NOW + 365 * DAY, *, starts: float = NOW - DAY, der: bool = True) -> Certificate:
    """One by its thumbprint."""
    return Certificate(
        thumbprint=name,
        subject=f"CN={bytes.fromhex(name).rstrip(bytes(1)).decode(errors='replace')}",
        issuer="CN=CA",
        not_before=starts,
        not_after=ends,
        names=(NAME, f"certauth.{NAME}"),
        server_auth=True,
        der=some_der() if der else b"",
    )


@dataclass
class Configuration:
    """What the database of the farm holds."""

    token: dict[Use, list[str]] = field(default_factory=dict)
    """The primary first."""
    service: str = OLD_SSL
    auto: bool = True


@dataclass
class World:
    """Everything there is."""

    nodes: tuple[str, ...] = ("n1", "n2", "n3")
    proxies: tuple[str, ...] = ()
    time: float = NOW
    offline: set[str] = field(default_factory=set)
    domains: dict[str, list[str]] = field(default_factory=lambda: {"a.example": [OLD], "b.example": [thumb("stale"), OLD]})
    partners: tuple[Partner, ...] = ()
    entra_down: bool = False
    vault: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    event: Callable[[str], None] = lambda what: None
    """Called before and after everything that could be the last."""
    interrupt: set[str] = field(default_factory=set)
    """Names of commands whose answer is lost, once each."""
    restart_seconds: float = 0.0
    alternate: bool = False
    secondaries_bind: bool = True
    """Whether Set-AdfsSslCertificate runs on a secondary, for itself: Microsoft documents the primary only."""
    level: int = 4
    dates: dict[str, Certificate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = Configuration(token={Use.SIGNING: [OLD], Use.DECRYPTING: [OLD_D]})
        self.history = [(0.0, deepcopy(self.config))]
        self.stores: dict[str, dict[str, StoredCertificate]] = {
            host: {OLD_SSL: StoredCertificate(certificate=self.certificate(OLD_SSL), key=KeyAccess.READABLE)}
            for host in (*self.nodes, *self.proxies)
        }
        names = [NAME, "localhost", f"certauth.{NAME}"] if self.alternate else [NAME, "localhost"]
        self.bindings = {host: dict.fromkeys(names, OLD_SSL) for host in (*self.nodes, *self.proxies)}
        self.applications = {host: {"0" * 8 + "-0000-0000-0000-" + "0" * 12: OLD_SSL} for host in self.proxies}
        self.made = 0
        self.restarted: list[str] = []
        self.back_at: dict[str, float] = {}
        self.stopped_at: dict[str, float] = {}
        self.relying_parties: tuple[RelyingParty, ...] = ()

    # -- clock

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.event("sleep")
        self.time += seconds

    # -- shell

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        if host in self.offline:
            raise HostUnreachable(host, "no answer")
        self.event(f"before {command.name}")
        self.log.append(f"{host}: {command}")
        answer = self._effect(host, command)
        self.history.append((self.time, deepcopy(self.config)))
        self.event(f"after {command.name}")
        if command.name in self.interrupt:
            self.interrupt.remove(command.name)
            raise Interrupted(host, "the connection broke")
        return answer

    async def close(self) -> None:
        """Nothing to let go of."""

    def _effect(self, host: str, command: Command) -> list[PSObject]:
        given = dict(command.parameters)
        if "Adfs" in command.name and command.name not in {"Set-AdfsSslCertificate", "Set-AdfsAlternateTlsClientBinding"}:
            self._needs(host, command, host == self.nodes[0], "PS0033: run this on the primary")
        thumbprint, use = str(given.get("Thumbprint", "")), str(given.get("CertificateType", ""))
        answer: list[PSObject] = getattr(self, "_" + command.name.replace("-", "_").lower())(
            host, command, thumbprint, use, given
        )
        return answer or []

    def _needs(self, host: str, command: Command, holds: bool, why: str) -> None:
        if not holds:
            raise CommandFailed(host, command.name, why)

    def _set_adfsproperties(self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]) -> None:
        self.config.auto = bool(given["AutoCertificateRollover"])

    def _update_adfscertificate(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> None:
        self._needs(host, command, self.config.auto, "AutoCertificateRollover is off")
        self.made += 1
        rows = self.config.token[Use(use)]
        fresh = thumb(f"made-{self.made}")
        if given.get("Urgent"):
            self.config.token[Use(use)] = [fresh, rows[0]]
        else:
            self.config.token[Use(use)] = [rows[0], fresh]

    def _add_adfscertificate(self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]) -> None:
        self._needs(host, command, not self.config.auto, "AutoCertificateRollover is on")
        row = self.stores[host].get(thumbprint)
        self._needs(host, command, row is not None and row.key is KeyAccess.READABLE, "the key cannot be read")
        self._needs(host, command, thumbprint not in self.config.token[Use(use)], "it is there already")
        self.config.token[Use(use)].append(thumbprint)

    def _set_adfscertificate(self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]) -> None:
        if use == Use.SERVICE.value:
            self.config.service = thumbprint
            return
        self._needs(host, command, not self.config.auto, "AutoCertificateRollover is on")
        rows = self.config.token[Use(use)]
        self._needs(host, command, thumbprint in rows, "no such certificate")
        self.config.token[Use(use)] = [thumbprint, *(each for each in rows if each != thumbprint)]

    def _remove_adfscertificate(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> None:
        self._needs(host, command, not self.config.auto, "AutoCertificateRollover is on")
        rows = self.config.token[Use(use)]
        self._needs(host, command, thumbprint in rows[1:], "it is the primary, or not there")
        rows.remove(thumbprint)

    def _restart_service(self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]) -> None:
        self.restarted.append(host)
        self.back_at[host] = self.time + self.restart_seconds
        self.stopped_at[host] = self.time

    def _import_isthmuscertificate(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> list[PSObject]:
        name = bytes(given["Pfx"]).decode()  # type: ignore[call-overload]
        self.stores[host][name] = StoredCertificate(certificate=self.certificate(name), key=KeyAccess.NOT_GRANTED)
        return [{"Thumbprint": name, "Cng": False, "Existed": False}]

    def _grant_isthmuskeyaccess(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> None:
        self.stores[host][thumbprint] = replace(self.stores[host][thumbprint], key=KeyAccess.READABLE)

    def _set_adfssslcertificate(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> None:
        self._needs(host, command, not self.alternate, "PS0159: the binding mode is another")
        self._bind(host, command, thumbprint, given)

    def _set_adfsalternatetlsclientbinding(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> None:
        self._needs(host, command, self.alternate, "this would switch the mode")
        self._bind(host, command, thumbprint, given)

    def _bind(self, host: str, command: Command, thumbprint: str, given: dict[str, object]) -> None:
        members = given.get("Member", ())
        assert isinstance(members, tuple)
        allowed = self.secondaries_bind or host == self.nodes[0]
        self._needs(host, command, allowed, "PS0033: This cmdlet cannot be executed from a secondary server")
        for each in [name.split(".")[0] for name in members] or [host]:
            self._needs(host, command, thumbprint in self.stores[each], "no such certificate")
            self.bindings[each] = dict.fromkeys(self.bindings[each], thumbprint)

    def _set_webapplicationproxysslcertificate(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> None:
        self._needs(host, command, thumbprint in self.stores[host], "no such certificate")
        self.bindings[host] = dict.fromkeys(self.bindings[host], thumbprint)

    def _set_webapplicationproxyapplication(
        self, host: str, command: Command, thumbprint: str, use: str, given: dict[str, object]
    ) -> None:
        self.applications[host][str(given["ID"])] = str(given["ExternalCertificateThumbprint"])

    # -- keys

    def pfx(self, thumbprint: str) -> Pfx:
        if thumbprint not in self.vault:
            raise SourceError(thumbprint, "its key is not here", "give the PFX file again")
        return Pfx(thumbprint.encode(), "swordfish")

    # -- trust

    async def publish(self, domain: str, certificate: Certificate, keep: str, now: float) -> str:
        self._entra("publish")
        slots = self.domains[domain]
        if certificate.thumbprint not in slots:
            kept = [each for each in slots if each == keep]
            self.domains[domain] = [*kept, certificate.thumbprint] if kept else [certificate.thumbprint, *slots[1:2]]
        self.event("after publish")
        self._lose("publish")
        return ""

    async def withdraw(self, domain: str, thumbprint: str, keep: str, now: float) -> str:
        self._entra("withdraw")
        assert keep in self.domains[domain]
        self.domains[domain] = [each for each in self.domains[domain] if each != thumbprint]
        self.event("after withdraw")
        self._lose("withdraw")
        return ""

    def _entra(self, what: str) -> None:
        if self.entra_down:
            raise Unreachable(what, "no answer")
        self.event(f"before {what}")

    def _lose(self, what: str) -> None:
        if what in self.interrupt:
            self.interrupt.remove(what)
            raise OutcomeUnknown(what, "the answer did not come")

    # -- eyes

    def certificate(self, name: str) -> Certificate:
        return self.dates.get(name) or certificate(name, NOW + (15 if name in {OLD, OLD_D} else 365) * DAY)

    def seen(self, host: str) -> Configuration:
        """What a node's database holds now: a secondary's is as old as its last poll."""
        if host == self.nodes[0]:
            return self.config
        polled = self.polled(host)
        return next(config for at, config in reversed(self.history) if at <= polled)

    def running(self, host: str) -> bool:
        """Whether its service is up."""
        return self.time >= self.back_at.get(host, 0.0)

    def polled(self, host: str) -> float:
        """When a secondary last did: a service that is down polls nobody."""
        return (self.time if self.running(host) else self.stopped_at[host]) // POLL * POLL

    async def observe(self) -> FarmObservation:
        farm = Farm(
            name="prod",
            read_at=self.time,
            properties=Properties(
                federation_name=NAME,
                auto_rollover=self.config.auto,
                behaviour_level=self.level,
                alternate_tls_binding=self.alternate,
            ),
            nodes=tuple(self._node(host) for host in self.nodes),
            proxies=tuple(self._proxy(host) for host in self.proxies),
            relying_parties=self.relying_parties,
        )
        served = tuple(self._served(host) for host in (*self.nodes, *self.proxies))
        names = {each for rows in self.config.token.values() for each in rows}
        outside = ExternalView(
            federation_name=NAME,
            read_at=self.time,
            served=served,
            certificates={name: self.certificate(name) for name in names},
        )
        domains = () if self.entra_down else trust_domains(self)
        problems = ("Entra ID cannot be reached",) if self.entra_down else ()
        return FarmObservation(farm=farm, outside=outside, domains=domains, partners=self.partners, problems=problems)

    def _node(self, host: str) -> Node:
        if host in self.offline:
            return Node(host=host, error="no answer")
        config, first = self.seen(host), host == self.nodes[0]
        rows = [
            FarmCertificate(use=use, certificate=self.certificate(name), is_primary=number == 0)
            for use, names in config.token.items()
            for number, name in enumerate(names)
        ]
        rows.append(FarmCertificate(use=Use.SERVICE, certificate=self.certificate(config.service), is_primary=True))
        return Node(
            host=host,
            fqdn=f"{host}.example.com",
            role=SyncRole.PRIMARY if first else SyncRole.SECONDARY,
            last_sync=None if first else self.polled(host),
            clock_skew=0.0,
            poll_seconds=POLL,
            service_running=self.running(host),
            service_account="EXAMPLE\\adfs$",
            certificates=tuple(rows) if first else (),  # PS0033: a secondary does not tell
            stored=tuple(self.stores[host].values()),
            bindings=self._rows(host),
        )

    def _rows(self, host: str) -> tuple[Binding, ...]:
        return tuple(Binding(host_name=name, port=443, thumbprint=each) for name, each in self.bindings[host].items())

    def _proxy(self, host: str) -> Proxy:
        if host in self.offline:
            return Proxy(host=host, error="no answer")
        applications = tuple(
            PublishedApplication(id=id_, name="app", external_url=f"https://{NAME}/app", thumbprint=each)
            for id_, each in self.applications[host].items()
        )
        return Proxy(
            host=host,
            bindings=self._rows(host),
            applications=applications,
            stored=tuple(self.stores[host].values()),
            service_running=True,
            clock_skew=0.0,
        )

    def _served(self, host: str) -> Served:
        if host in self.offline or not self.running(host):
            return Served(host=host, port=443, errors={"TLS": "no answer"})
        config = self.seen(host if host in self.nodes else self.nodes[0])
        return Served(
            host=host,
            port=443,
            tls=self.certificate(self.bindings[host][NAME]),
            signing=tuple(config.token[Use.SIGNING]),
            encryption=tuple(config.token[Use.DECRYPTING][:1]),
            signed_by=next(iter(config.token[Use.SIGNING]), ""),
            probe_ok=True,
        )


def trust_domains(world: World) -> tuple[trust_model.FederatedDomain, ...]:
    """As the trust has them."""
    found = []
    for name, names in world.domains.items():
        slots = {slot: world.certificate(each) for slot, each in zip(trust_model.Slot, names, strict=False)}
        configuration = trust_model.Configuration(id="1", issuer_uri="http://x", certificates=slots)
        federated = trust_model.Authentication.FEDERATED
        found.append(trust_model.FederatedDomain(name=name, authentication=federated, configuration=configuration))
    return tuple(found)
