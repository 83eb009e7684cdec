"""The server of an application that hears of logouts, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class ApplicationServer:
    """What it was sent, and how it behaves."""

    url: str = ""
    tokens: list[str] = field(default_factory=list)
    other_requests: list[str] = field(default_factory=list)
    status: int = 200
    location: str = ""
    """Where it redirects to; empty: nowhere."""
    is_silent: bool = False
    """Whether it never answers."""

    async def hear(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.tokens.append(str(form["logout_token"]))
        if self.is_silent:
            await asyncio.Event().wait()
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=self.status, headers=headers, text="x" * 100_000)

    async def other(self, request: web.Request) -> web.Response:
        self.other_requests.append(request.path)
        return web.Response()


@asynccontextmanager
async def application_server() -> AsyncIterator[ApplicationServer]:
    """It serves as long as the block runs."""
    server = ApplicationServer()
    app = web.Application()
    app.router.add_post("/backchannel", server.hear)
    app.router.add_route("*", "/{tail:.*}", server.other)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/backchannel"
    try:
        yield server
    finally:
        await runner.cleanup()
