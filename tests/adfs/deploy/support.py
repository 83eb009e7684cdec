"""Deployments on the simulator, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from adfs_mgmt.farm import ExternalView, FarmSettings, Served, read_external_view
from adfs_mgmt.operations import OperationContext, ServerOperation
from adfs_mgmt.procedures.server import Operation, Secrets, ServerSpec, ServerState
from adfs_mgmt.remoting import CATALOGUE, Command, PSObject, Secret, Shell
from certs import read_certificate
from findings import explain
from foundation.procedures import Clock, End, Plan, Progress, Record, RunResult, WallClock
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator
from tests.adfs.simulator.state import SIGNING, Farm, Host

START = 1_764_000_000.0
DOMAIN = "corp.example.com"
NEW = f"adfs9.{DOMAIN}"
PRIMARY = f"adfs1.{DOMAIN}"
PROXY = f"wap9.dmz.{DOMAIN}"
NAME = "fs.example.com"
ADMIN = "CORP\\admin"
PASSWORD = "Adm1n-Passw0rd"
SECRETS = Secrets(admin=Secret(PASSWORD), trust_admin=Secret(PASSWORD))


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


@dataclass
class Watch:
    """Progress that remembers."""

    acts: list[str] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        if progress.event == "act":
            self.acts.append(progress.text)


@dataclass
class VirtualClock:
    """Time that passes by being waited for."""

    simulated: ManualClock

    def now(self) -> float:
        return self.simulated()

    async def sleep(self, seconds: float) -> None:
        self.simulated.advance(seconds)


def done(result: RunResult) -> Record[ServerState]:
    """What was written down by a run that has come to its end."""
    assert result.end is End.DONE, result
    return result.record


@dataclass
class Watched:
    """A shell that tells of each changing command, before and after its effect."""

    inner: Shell
    on: Callable[[str, str], None]

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        changes = CATALOGUE[command.name].changes
        if changes:
            self.on("before", command.name)
        answer = await self.inner.run(host, command, timeout=timeout)
        if changes:
            self.on("after", command.name)
        return answer

    async def close(self) -> None:
        await self.inner.close()


@dataclass
class Deployment:
    """Operations on servers of one farm, as a freshly started process has them."""

    connect: Callable[[], Shell]
    settings: FarmSettings
    state_dir: Path
    progress: Callable[[Progress], None]
    clock: Clock = field(default_factory=WallClock)
    external: Callable[[FarmSettings, float], Awaitable[ExternalView]] = read_external_view
    who: str = "ann@ws1"

    def operation(self, spec: ServerSpec, secrets: Secrets = SECRETS) -> ServerOperation:
        """One of them."""
        from tests.adfs.operations.settings import Settings  # which has its clock from here

        context = OperationContext(
            settings=Settings(self.state_dir, (self.settings,)),
            connect=lambda _settings: self.connect(),
            external=self.external,
            clock=self.clock,
        )
        return ServerOperation(context=context, farm=self.settings, spec=spec, secrets=secrets, who=self.who)

    def record(self, name: str) -> Record[ServerState] | None:
        """What was done about a server last."""
        return self.operation(self._named(name)).record

    async def plan(self, spec: ServerSpec, secrets: Secrets) -> Plan[ServerState]:
        """Observe, check and plan."""
        return await self.operation(spec, secrets).plan()

    async def apply(self, plan: Plan[ServerState], secrets: Secrets) -> RunResult:
        """As it was planned."""
        return await self.operation(plan.state.spec, secrets).apply(plan, self.progress)

    async def resume(self, name: str, secrets: Secrets, *, undo: bool = False) -> RunResult:
        """Whatever is under way at a server."""
        return await self.operation(self._named(name), secrets).resume(undo=undo, progress=self.progress)

    def _named(self, name: str) -> ServerSpec:
        operation = Operation.NODE_ADD  # what is under way says itself what it is
        return ServerSpec(operation=operation, farm=self.settings.name, federation_name=NAME, host=name)


class Scene:
    """A farm, a new server and a new proxy, both prepared as the runbook says."""

    def __init__(self, state_dir: Path, *, prepared: bool = True, nodes: int = 2, **farm: object) -> None:
        self.clock = ManualClock(START)
        self.simulator = Simulator(self.clock)
        self.farm: Farm = self.simulator.farm(nodes=nodes, proxies=1, name=NAME, **farm)  # type: ignore[arg-type]
        version = str(farm.get("version", "2019"))
        self.new = self.simulator.host(NEW, version)
        self.proxy = self.simulator.host(PROXY, version, domain="")
        self.ssl = self.simulator[PRIMARY].store[self.simulator[PRIMARY].bindings[0].thumbprint].certificate
        if prepared:
            self.farm.gmsa_hosts.add(NEW)
            for host in (NEW, PROXY):
                self.simulator.put(host, self.ssl)
            self.proxy.resolves[NAME] = PRIMARY
        self.settings = FarmSettings(
            name="prod",
            federation_name=NAME,
            federation_address="127.0.0.1",
            nodes=tuple(f"adfs{number}.{DOMAIN}=127.0.0.1" for number in range(1, nodes + 1)),
            proxies=(f"wap1.dmz.{DOMAIN}=127.0.0.1",),
            https_port=1,  # nobody listens there: what is seen from outside comes from the simulator's state
        )
        self.state_dir = state_dir
        state_dir.chmod(0o700)
        self.on: Callable[[str, str], None] = lambda _when, _what: None
        self.watch = Watch()

    def deployment(self) -> Deployment:
        """As a freshly started process has it."""
        return Deployment(
            connect=lambda: Watched(SimulatedShell(self.simulator), lambda when, what: self.on(when, what)),
            settings=self.settings,
            state_dir=self.state_dir,
            progress=self.watch,
            clock=VirtualClock(self.clock),
            external=self.external,
        )

    def spec(self, operation: Operation = Operation.NODE_ADD, **more: object) -> ServerSpec:
        """For the server that the operation is about."""
        proxy = operation in {Operation.PROXY_ADD, Operation.PROXY_REMOVE}
        given = {
            "operation": operation,
            "farm": "prod",
            "federation_name": NAME,
            "host": PROXY if proxy else NEW,
            "admin": "" if proxy else ADMIN,
            "trust_admin": ADMIN if operation is Operation.PROXY_ADD else "",
            "thumbprint": self.ssl.thumbprint if proxy else "",
        }
        return ServerSpec(**{**given, **more})  # type: ignore[arg-type]

    async def plan(self, operation: Operation = Operation.NODE_ADD, **more: object) -> Plan[ServerState]:
        """A plan for it."""
        return await self.deployment().plan(self.spec(operation, **more), SECRETS)

    async def apply(self, operation: Operation = Operation.NODE_ADD, **more: object) -> Record[ServerState]:
        """Plan and apply."""
        return done(await self.deployment().apply(await self.plan(operation, **more), SECRETS))

    async def external(self, settings: FarmSettings, now: float) -> ExternalView:
        """What each host would show, from the simulator's own state."""
        self.simulator.settle()
        served = tuple(self._served(host) for host in (*settings.nodes, *settings.proxies))
        return ExternalView(federation_name=settings.federation_name, read_at=now, served=served)

    def _served(self, host: str) -> Served:
        here = self.simulator.world.host(host.partition("=")[0])
        if here is None:
            return Served(host=host, port=443, errors={"TLS": "Name or service not known"})
        backend = here if here.node else self._backend(here)
        runs = here.online and backend is not None and backend.running("adfssrv")
        if not runs or backend is None or backend.node is None or not here.bindings:
            return Served(host=host, port=443, errors={"TLS": "Connection refused"})
        tls = read_certificate(here.store[here.bindings[0].thumbprint].certificate.der)
        signing = tuple(row.certificate.thumbprint for row in backend.node.configuration.of(SIGNING))
        return Served(host=host, port=443, tls=tls, signing=signing, probe_ok=here.node is not None)

    def _backend(self, here: Host) -> Host | None:
        alive = here.proxy is not None and self.clock() < here.proxy.trust_ends
        return self.simulator.world.host(here.resolves.get(NAME, "")) if alive else None


def written(directory: Path) -> str:
    """Everything in the files below it."""
    return "".join(path.read_text() for path in directory.rglob("*") if path.is_file())


def failed(plan: Plan[ServerState]) -> dict[str, str]:
    """Name and text of each failed check."""
    return {finding.name: explain(finding) for finding in plan.failed}
