"""The way into the simulation: build a farm, break things, run commands.

simulator = Simulator(clock=ManualClock(1_700_000_000.0))
farm = simulator.farm(version="2019", nodes=3, proxies=2)
simulator.invoke("CORP\\\\admin", "adfs1.corp.example.com", "Get-AdfsProperties", {})
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tests.adfs.simulator import building, making
from tests.adfs.simulator.binding import bind, command_not_found
from tests.adfs.simulator.cmdlets import CMDLETS, Call, Row
from tests.adfs.simulator.passing import advance
from tests.adfs.simulator.signatures import ADFS, FUNCTION, VERSIONS, WAP, Signature, signatures
from tests.adfs.simulator.state import Farm, Host, StoreEntry, World
from tests.adfs.simulator.x509 import CNG_PROVIDER, LEGACY_PROVIDER, Authority, Cert, Keys

ADMIN = "CORP\\admin"
_ON_NODES = {"get-isthmusserviceprincipal"}
"""Functions of the endpoint for nodes alone."""
When = Literal["before_effect", "after_effect"]


class Unreachable(ConnectionError):
    """No connection to this host: it is off, or there is none of that name."""


class Dropped(ConnectionError):
    """The connection broke while the command ran. A ConnectionError: whoever carries the command breaks it, too."""


class Logged(NamedTuple):
    """One command that reached a host, whether it was refused or not."""

    host: str
    command: str
    parameters: dict[str, object]


class ManualClock:
    """Unix seconds that pass only when told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True)
class _Drop:
    command: str
    times: int
    when: When
    host: str


class Simulator:
    """Servers and farms on one clock. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        keys = Keys()
        self.world = World(clock=clock, keys=keys, authority=Authority(keys, clock()))
        self.log: list[Logged] = []
        self._drops: list[_Drop] = []
        self._delays: dict[str, float] = {}
        self._lock = threading.RLock()

    # -- building

    def farm(
        self,
        version: str = "2019",
        nodes: int = 3,
        proxies: int = 2,
        *,
        wid: bool = True,
        name: str = "fs.example.com",
        domain: str = "corp.example.com",
        account: str = "CORP\\adfs-svc$",
        level: int | None = None,
        auto_rollover: bool = True,
        managed: bool = True,
        signing_days: float = 300.0,
        decrypting_days: float = 300.0,
        ssl_days: float = 300.0,
        ssl_names: tuple[str, ...] | None = None,
        alternate_tls: bool = False,
        relying_parties: int = 2,
        applications: int = 1,
        jea: bool = True,
        prefix: str = "",
    ) -> Farm:
        """A healthy farm: adfs1…N.<domain>, the first of them primary, and wap1…N.dmz.<domain>.

        `managed`: the token certificates are AD FS's own; otherwise the CA's, in every node's store. `…_days`: until they
        end.
        `prefix` goes before each host's name, for a second farm in one domain.
        """
        wish = building.Wish(
            version=version,
            nodes=nodes,
            proxies=proxies,
            wid=wid,
            name=name,
            domain=domain,
            account=account,
            level=level,
            auto_rollover=auto_rollover,
            managed=managed,
            signing_days=signing_days,
            decrypting_days=decrypting_days,
            ssl_days=ssl_days,
            ssl_names=ssl_names,
            alternate_tls=alternate_tls,
            relying_parties=relying_parties,
            applications=applications,
            jea=jea,
            prefix=prefix,
        )
        with self._lock:
            return building.farm(self.world, wish)

    def host(self, fqdn: str, version: str = "2019", *, domain: str = "corp.example.com", jea: bool = True) -> Host:
        """A server with nothing on it. An empty domain is a workgroup."""
        with self._lock:
            return making.blank(self.world, fqdn, version, domain, jea=jea)

    def issue(self, *names: str, days: float = 365.0, starts_in_days: float = 0.0, server_auth: bool = True) -> Cert:
        """A certificate by the simulated CA, in no store yet."""
        now = self.world.clock()
        return self.world.authority.issue(
            names,
            now + starts_in_days * 86400 - (0 if starts_in_days else 3600),
            now + days * 86400,
            server_auth=server_auth,
        )

    def put(
        self, host: str, certificate: Cert, *, key: bool = True, cng: bool = False, key_spec: int = 1, readable: bool = True
    ) -> None:
        """Into a host's LocalMachine\\My."""
        self[host].store[certificate.thumbprint] = StoreEntry(
            certificate=certificate,
            has_key=key,
            cng=cng,
            provider=CNG_PROVIDER if cng else LEGACY_PROVIDER,
            key_spec=0 if cng else key_spec,
            readers={"nt service\\adfssrv"} if readable and key else set(),
        )

    def __getitem__(self, host: str) -> Host:
        found = self.world.host(host)
        if found is None:
            raise KeyError(host)
        return found

    # -- faults

    def offline(self, host: str) -> None:
        """Switch a server off."""
        self._settle()
        self[host].online = False

    def online(self, host: str) -> None:
        """Switch it on again."""
        self._settle()
        self[host].online = True
        self[host].booted = self.world.clock()

    def drop_during(self, command: str, times: int = 1, when: When = "before_effect", *, host: str = "") -> None:
        """Break the connection while this command runs, the next `times` times, on one host or any."""
        self._drops.append(_Drop(command.lower(), times, when, host.lower()))

    def slow(self, host: str, seconds: float) -> None:
        """Every command on this host takes so long. Who carries the command does the waiting: see `delay`."""
        self._delays[host.lower()] = seconds

    def delay(self, host: str) -> float:
        """Seconds that a command on this host takes."""
        return self._delays.get(host.lower(), 0.0)

    def skew(self, host: str, seconds: float) -> None:
        """Put a server's clock ahead (or, negative, behind)."""
        self[host].skew = seconds

    def stop_service(self, host: str, service: str = "adfssrv") -> None:
        """As an administrator on the console would."""
        self._settle()
        self[host].services[service].running = False

    def _settle(self) -> None:
        with self._lock:
            advance(self.world, self.world.clock())

    def settle(self) -> None:
        """Bring the farms up to the clock, as every command does."""
        self._settle()

    # -- running

    def invoke(self, user: str, host: str, command: str, parameters: Mapping[str, object]) -> list[Row]:
        """Run one cmdlet on one host. Raises PsError, Unreachable, Dropped."""
        with self._lock:
            server = self.world.host(host)
            if server is None or not server.online:
                raise Unreachable(host)
            now = self.world.clock()
            advance(self.world, now)
            self.log.append(Logged(server.fqdn, command, dict(parameters)))
            drop = self._take_drop(command, server)
            if drop == "before_effect":
                raise Dropped(command)
            rows = self._run(user, server, command, parameters, now)
            if drop == "after_effect":
                raise Dropped(command)
            return rows

    def _run(self, user: str, server: Host, command: str, parameters: Mapping[str, object], now: float) -> list[Row]:
        signature = find(server, command)
        bound = bind(signature, parameters)
        if bound.get("WhatIf") is True:
            return []
        call = Call(world=self.world, host=server, user=user, now=now, signature=signature, parameters=bound)
        return CMDLETS[signature.name.lower()](call)

    def _take_drop(self, command: str, host: Host) -> str:
        for drop in self._drops:
            if drop.times > 0 and drop.command == command.lower() and drop.host in {"", host.fqdn.lower()}:
                drop.times -= 1
                return drop.when
        return ""


def find(host: Host, command: str) -> Signature:
    """The command as this host has it; modules come with their roles, functions with the JEA endpoint."""
    if host.version not in VERSIONS:
        raise ValueError(host.version)
    signature = signatures(host.version).get(command.lower())
    there = {
        ADFS: "ADFS-Federation" in host.features,
        WAP: "Web-Application-Proxy" in host.features,
        FUNCTION: host.jea and (bool(host.domain) or command.lower() not in _ON_NODES),
    }
    if signature is None or not there.get(signature.module, True):
        raise command_not_found(command)
    return signature
