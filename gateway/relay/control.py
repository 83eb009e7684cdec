"""The control socket: how `isthmus relay …` reaches the running relay.

A unix socket in the state directory, mode 0600: who may connect is who may read the state directory. Bodies are JSON.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from gateway.relay.administration import Administration
from gateway.relay.errors import RelayError
from gateway.store import StoreError

SOCKET_NAME = "control.sock"
_encode = msgspec.json.encode

Act = Callable[[dict[str, Any]], Awaitable[Any]]


def control_app(administration: Administration) -> web.Application:
    """The acts of `administration`, each as POST /<act> with its arguments."""

    async def revoke(order: dict[str, Any]) -> Any:
        return await administration.revoke(order["name"], order["why"], order["actor"])

    async def audit(order: dict[str, Any]) -> Any:
        return await administration.audit(
            limit=order["limit"], before=order["before"], kind=order["kind"], subject=order["subject"]
        )

    acts: dict[str, Act] = {
        "create_token": lambda order: administration.create_token(order["name"], order["actor"], order["domains"]),
        "agents": lambda _order: administration.agents(),
        "revoke": revoke,
        "unlock": lambda order: administration.unlock(order["user"], order["actor"]),
        "create_api_key": lambda order: administration.create_api_key(order["name"], order["lifetime"], order["actor"]),
        "api_keys": lambda _order: administration.api_keys(),
        "revoke_api_key": lambda order: administration.revoke_api_key(order["key_id"], order["actor"]),
        "audit": audit,
        "verify_audit": lambda _order: administration.verify_audit(),
    }
    app = web.Application(client_max_size=64 * 1024)
    for name, act in acts.items():
        app.router.add_post(f"/{name}", _handler(act))
    return app


def _handler(act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            result = await act(await request.json())
        except (RelayError, StoreError, ValueError, KeyError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(body=_encode(result), content_type="application/json")

    return handle


def bind_control_socket(path: Path) -> socket.socket:
    """A listening socket that only this user can reach. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # before listen: nobody can have connected yet
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    return listener
