"""What simulated servers show to the network: TLS by their bindings, metadata, WS-Trust, the probe of load balancers.

Every host has a loopback address of its own, 127.x.y.z, and all have the same two ports, so that settings can say
`host=address`. It is read from the state at each request, so that this view and the one over WinRM are of one world.

A server that is off breaks every connection; one whose service is stopped still does TLS (http.sys does it) and answers 503.
TLS is verified by the real clock: where that matters, begin the simulation's clock at `time.time()`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from tests.adfs.simulator.metadata import CannotSign, document
from tests.adfs.simulator.simulator import Simulator
from tests.adfs.simulator.state import Farm, Host
from tests.adfs.simulator.ws_trust import ENDPOINTS, answer_request

METADATA = "/federationmetadata/2007-06/federationmetadata.xml"
PROBE = "/adfs/probe"
_START_SECONDS = 10.0
_NETS = iter(range(1, 10_000))
T = TypeVar("T")


class Network:
    """`with Network(simulator) as network:` serves every host there is; `attach` serves one that came later."""

    def __init__(self, simulator: Simulator, *, latency: float = 0.0) -> None:
        """`latency`: seconds that each request takes on the way, there and back."""
        self._simulator, self.latency = simulator, latency
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated-network", daemon=True)
        self._directory = tempfile.TemporaryDirectory(prefix="simulated-farm-")
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._runners: list[web.AppRunner] = []
        self._addresses: dict[str, str] = {}
        self._net = next(_NETS)
        self.https_port = 0
        self.http_port = 0

    @property
    def ca_file(self) -> str:
        """The simulated CA, PEM."""
        return str(Path(self._directory.name) / "ca.pem")

    def address(self, host: str) -> str:
        """Loopback address of a host."""
        return self._addresses[host.lower()]

    def nodes(self, farm: Farm) -> tuple[str, ...]:
        """`host=address` of each node."""
        return tuple(f"{host.fqdn}={self.address(host.fqdn)}" for host in self._simulator.world.nodes(farm))

    def proxies(self, farm: Farm) -> tuple[str, ...]:
        """`host=address` of each proxy."""
        return tuple(f"{host.fqdn}={self.address(host.fqdn)}" for host in self._simulator.world.proxies(farm))

    def federation_address(self, farm: Farm) -> str:
        """What the federation name leads people to: the first proxy, or node."""
        hosts = [*self._simulator.world.proxies(farm), *self._simulator.world.nodes(farm)]
        return self.address(hosts[0].fqdn)

    def __enter__(self) -> Network:
        Path(self.ca_file).write_bytes(self._simulator.world.authority.certificate.pem)
        self._thread.start()
        try:
            for host in list(self._simulator.world.hosts.values()):
                self.attach(host)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._do(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_START_SECONDS)
            self._loop.close()
            self._directory.cleanup()

    def attach(self, host: Host) -> None:
        """Serve this one, too."""
        number = len(self._addresses) + 1
        address = f"127.{10 + self._net // 250 % 200}.{self._net % 250}.{number}"
        self._addresses[host.fqdn.lower()] = address
        self._do(self._start(host, address))

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_START_SECONDS)

    async def _start(self, host: Host, address: str) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.sni_callback = _Sni(self, host)
        self.https_port = await self._listen(host, address, self.https_port, tls)
        self.http_port = await self._listen(host, address, self.http_port, None)

    async def _listen(self, host: Host, address: str, port: int, tls: ssl.SSLContext | None) -> int:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", _Site(self, self._simulator, host, secure=tls is not None).answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        listener = socket.create_server((address, port))
        await web.SockSite(runner, listener, ssl_context=tls).start()
        return int(listener.getsockname()[1])

    async def _stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    def context(self, host: Host, name: str) -> ssl.SSLContext | None:
        """With the certificate that is bound to this name, if its key is there."""
        here = host.node.farm if host.node is not None else host.proxy.farm if host.proxy is not None else None
        port = here.shared.properties["HttpsPort"] if here is not None else 443
        wanted = name.lower() or "0.0.0.0"  # noqa: S104 - a row of http.sys
        bound = next((each for each in host.bindings if each.host_name.lower() == wanted and each.port == port), None)
        entry = host.store.get(bound.thumbprint) if bound else None
        if entry is None or not entry.has_key:
            return None
        thumbprint = entry.certificate.thumbprint
        if thumbprint not in self._contexts:
            path = Path(self._directory.name) / f"{thumbprint}.pem"
            path.write_bytes(entry.certificate.pem + entry.certificate.key_pem)
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made.load_cert_chain(path)
            self._contexts[thumbprint] = made
        return self._contexts[thumbprint]


class _Sni:
    """Chooses the certificate by name, as http.sys does with host name bindings: without a name that of 0.0.0.0, if any."""

    def __init__(self, network: Network, host: Host) -> None:
        self._network, self._host = network, host

    def __call__(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        chosen = self._network.context(self._host, name or "") if self._host.online else None
        if chosen is None:
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        connection.context = chosen
        return None


class _Site:
    """One port of one host."""

    def __init__(self, network: Network, simulator: Simulator, host: Host, *, secure: bool) -> None:
        self._network, self._simulator, self._host, self._secure = network, simulator, host, secure

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if self._network.latency:
            await asyncio.sleep(self._network.latency)
        self._simulator.settle()
        if not self._host.online:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        path = request.path.lower()
        if path == METADATA and self._secure:
            return self._metadata()
        if path in ENDPOINTS and self._secure:
            return await self._token(request, path)
        if path == PROBE and not self._secure:
            return web.Response(status=200 if self._host.running("adfssrv") else 503)
        return web.Response(status=404)

    def _metadata(self) -> web.Response:
        backend = self._backend()
        if backend is None:
            return web.Response(status=503)
        try:
            return web.Response(body=document(backend), content_type="application/samlmetadata+xml")
        except CannotSign:
            return web.Response(status=503)

    async def _token(self, request: web.Request, path: str) -> web.Response:
        """Nobody is registered for an endpoint that is off, or that proxies do not pass: 503, as http.sys says."""
        backend = self._backend()
        if backend is None or backend.node is None:
            return web.Response(status=503)
        row = next((each for each in backend.node.configuration.endpoints if each.path.lower() == path), None)
        if row is None or not row.enabled or (self._host.proxy is not None and not row.proxy):
            return web.Response(status=503)
        if request.method != "POST":
            return web.Response(status=405)
        if request.content_type != "application/soap+xml":
            return web.Response(status=415)
        now = self._simulator.world.clock() + backend.skew
        status, body = answer_request(self._simulator.world, backend, path, await request.read(), now)
        return web.Response(status=status, body=body, content_type="application/soap+xml")

    def _backend(self) -> Host | None:
        """The node that answers: this one, or the one behind this proxy, as long as the trust holds."""
        if not self._host.running("adfssrv"):
            return None
        proxy = self._host.proxy
        if proxy is None:
            return self._host
        if self._simulator.world.clock() >= proxy.trust_ends:
            return None
        servers = self._simulator.world.serving(proxy.farm)
        wanted = self._host.resolves.get(proxy.farm.name.lower(), "").lower()
        return next((each for each in servers if each.fqdn.lower() == wanted), servers[0] if servers else None)
