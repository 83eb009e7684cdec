"""The whole fake: one HTTPS address on loopback that is both the sign-in authority and Graph."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from cryptography import x509

from tests.fakes.graph.domains import Domain, Domains
from tests.fakes.graph.faults import Fault, Faults
from tests.fakes.graph.gate import Gate
from tests.fakes.graph.identity import Application, Identity
from tests.fakes.graph.pki import Pki
from tests.fakes.graph.validation import check_properties


class FakeGraph:
    """One tenant. `with` serves from a thread of its own, `async with` from the running loop."""

    def __init__(self, *, tenant: str = "contoso.onmicrosoft.com", clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.tenant = tenant
        self.tenant_id = str(uuid.uuid4())
        self.faults = Faults(clock=self._now)
        self.identity = Identity(self._now, self.tenant_id, [tenant])
        self.gate = Gate(self.identity, self.faults)
        self.domains = Domains(self.gate, self.faults)
        self._directory = tempfile.TemporaryDirectory(prefix="fake-graph-")
        self.pki = Pki(Path(self._directory.name), time.time())
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.add_domain(tenant, is_initial=True, is_default=True)

    @property
    def ca_file(self) -> Path:
        """The CA (PEM) that clients must trust."""
        return self.pki.ca_file

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Every request to Graph so far: method and path."""
        return self.gate.log

    def register(
        self, name: str, *, roles: Iterable[str] = (), secret: str = "", certificates: Iterable[x509.Certificate] = ()
    ) -> Application:
        """An application; a secret is made where neither is given."""
        given = list(certificates)
        made = secret or ("" if given else secrets.token_urlsafe(24))
        application = Application(name=name, roles=set(roles), secret=made, certificates=given)
        self.identity.applications[application.client_id] = application
        return application

    def add_domain(self, name: str, *, federation: Mapping[str, Any] | None = None, **more: Any) -> Domain:
        """A domain, federated where a configuration is given. Keyword arguments as the fields of Domain."""
        domain = Domain(name=name.lower(), **more)
        self.domains.all[domain.name] = domain
        if federation is not None:
            self.domains.set_configuration(domain, check_properties(dict(federation)))
        return domain

    def fault(self, status: int = 503, times: int = 1, path: str = "", **more: object) -> Fault:
        """See `Faults.fault`."""
        return self.faults.fault(status, times, path, **more)

    def _now(self) -> float:
        return self.clock()

    async def start(self) -> None:
        """Serve on a free port."""
        application = web.Application(middlewares=[self.gate.middleware])
        application.add_routes([*self.identity.routes(), *self.domains.routes()])
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.pki.server_context())
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = self.identity.base = self.domains.base = f"https://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.stop()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake-graph", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._directory.cleanup()
