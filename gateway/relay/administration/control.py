"""The control socket: how `isthmus relay …` reaches the running relay.

A unix socket in the state directory, mode 0600: who may connect is who may read the state directory. Bodies are JSON.
Who gives an order, the kernel says (`foundation.actors`), not the order.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
from aiohttp import web

from foundation.actors import peer_actor, sudo_uid
from gateway.relay.administration.acts import Administration
from gateway.relay.administration.live import LiveActs
from gateway.relay.administration.views import AuditWanted
from gateway.relay.errors import ActRefused, ActUnavailable, NotPermitted, RelayAbsent, RelayError, RelayUnresponsive
from gateway.store import StoreError, StoreUnavailable

SOCKET_NAME = "control.sock"
ANSWER_TIMEOUT = 30.0
"""Seconds that the command line waits for an answer."""
_encode = msgspec.json.encode


class Order(msgspec.Struct, kw_only=True):
    """An act without arguments. Members that an act does not know are ignored: the command line may be a newer one."""

    sudo_uid: str = ""
    """SUDO_UID of whoever gives it; believed of root alone, and marked as a claim."""


class CreateToken(Order):
    """See `Administration.create_token`; the others likewise."""

    name: str
    domains: list[str]
    any_domain: bool = False


class Revoke(Order):
    """name: of an agent; why: for the trail and the agent's operator."""

    name: str
    why: str


class Bind(Order):
    """directory: what it says of itself."""

    domain: str
    directory: str


class Unbind(Order):
    """domain: as `bindings` lists it."""

    domain: str


class Unlock(Order):
    """user: any spelling of a user name, or a GUID."""

    user: str


class AboutPerson(Order):
    """user: a user name as it was recorded, or a GUID."""

    user: str


class CreateApiKey(Order):
    """lifetime: seconds; None: without end. networks: none for anywhere."""

    name: str
    lifetime: float | None
    scopes: list[str]
    networks: list[str]
    rate: float


class RevokeApiKey(Order):
    """key_id: as `api_keys` lists it; not the secret."""

    key_id: str


class ReadAudit(Order):
    """See `AuditWanted`."""

    limit: int = 50
    before: str | None = None
    kind: str = ""
    subject: str = ""
    person: str = ""
    agent: str = ""
    outcome: str = ""
    correlation_id: str = ""
    since: float | None = None
    until: float | None = None

    @property
    def wanted(self) -> AuditWanted:
        """As `Administration.audit` takes it."""
        return AuditWanted(
            limit=self.limit,
            before=self.before,
            kind=self.kind,
            subject=self.subject,
            person=self.person,
            agent=self.agent,
            outcome=self.outcome,
            correlation_id=self.correlation_id,
            since=self.since,
            until=self.until,
        )


class AcceptAudit(Order):
    """why: for the trail."""

    why: str


class SignIn(Order):
    """user: as it is typed on the page."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"SignIn({self.user!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "user", self.user


class RecordBackup(Order):
    """file: where it is."""

    file: str


class RecordExport(Order):
    """file: where it is; what: how much of the trail."""

    file: str
    what: str


T = TypeVar("T", bound=Order)
OrderHandler = Callable[[web.Request], Awaitable[web.Response]]

_LARGEST = 1024 * 1024
"""Bytes of an order: a trust's document is a quarter of that, and JSON escapes some of it."""


def control_app(administration: Administration, live: LiveActs, *others: Mapping[str, OrderHandler]) -> web.Application:
    """The acts, each as POST /<act> with its arguments. others: acts of other packages (`order_handler`)."""

    acts = administration
    handlers: dict[str, OrderHandler] = {
        "create_token": order_handler(
            CreateToken,
            lambda order, actor: acts.create_token(order.name, actor, order.domains, any_domain=order.any_domain),
        ),
        "bindings": order_handler(Order, lambda _order, _actor: acts.bindings()),
        "bind": order_handler(Bind, lambda order, actor: acts.bind(order.domain, order.directory, actor)),
        "unbind": order_handler(Unbind, lambda order, actor: acts.unbind(order.domain, actor)),
        "agents": order_handler(Order, lambda _order, _actor: acts.agents()),
        "revoke": order_handler(Revoke, lambda order, actor: acts.revoke(order.name, order.why, actor)),
        "unlock": order_handler(Unlock, lambda order, actor: acts.unlock(order.user, actor)),
        "export_person": order_handler(AboutPerson, lambda order, actor: acts.export_person(order.user, actor)),
        "pseudonymise_person": order_handler(AboutPerson, lambda order, actor: acts.pseudonymise_person(order.user, actor)),
        "locks": order_handler(Order, lambda _order, _actor: acts.locks()),
        "create_api_key": order_handler(
            CreateApiKey,
            lambda order, actor: acts.create_api_key(
                order.name, order.lifetime, actor, scopes=order.scopes, networks=order.networks, rate=order.rate
            ),
        ),
        "api_keys": order_handler(Order, lambda _order, _actor: acts.api_keys()),
        "revoke_api_key": order_handler(RevokeApiKey, lambda order, actor: acts.revoke_api_key(order.key_id, actor)),
        "audit": order_handler(ReadAudit, lambda order, _actor: acts.audit(**order.wanted)),
        "verify_audit": order_handler(Order, lambda _order, _actor: acts.verify_audit()),
        "accept_audit": order_handler(AcceptAudit, lambda order, actor: acts.accept_audit(order.why, actor)),
        "record_export": order_handler(RecordExport, lambda order, actor: acts.record_export(order.file, order.what, actor)),
        "record_backup": order_handler(RecordBackup, lambda order, actor: acts.record_backup(order.file, actor)),
        "roll_keys": order_handler(Order, lambda _order, actor: acts.roll_keys(actor)),
        "health": order_handler(Order, lambda _order, _actor: live.health()),
        "sign_in": order_handler(SignIn, lambda order, actor: live.sign_in(order.user, order.password, actor)),
    }
    app = web.Application(client_max_size=_LARGEST)
    for acts_by_name in (handlers, *others):
        for name, handler in acts_by_name.items():
            app.router.add_post(f"/{name}", handler)
    return app


def order_handler(kind: type[T], act: Callable[[T, str], Awaitable[Any]]) -> OrderHandler:
    """Has an act done. act: takes the order, and who gives it as the trail names them."""

    async def handle(request: web.Request) -> web.Response:
        try:
            order = msgspec.convert(await request.json(), kind)
            result = await act(order, _actor(request, order.sudo_uid))
        except StoreUnavailable as error:
            return web.json_response({"error": str(error)}, status=503)
        except (RelayError, StoreError, ValueError) as error:  # msgspec's errors of shape are ValueErrors too
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(body=_encode(result), content_type="application/json")

    return handle


def _actor(request: web.Request, claimed_uid: str) -> str:
    if request.transport is None:  # hung up: whoever it was waits for no answer
        raise ConnectionResetError("the connection ended before the order was read")
    descriptor = request.transport.get_extra_info("socket").fileno()
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        return f"admin:{peer_actor(connection, claimed_uid)}"


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


async def ask_relay(path: Path, act: str, order: dict[str, Any], patience: float = ANSWER_TIMEOUT) -> bytes:
    """Have the running relay do an act; its answer, JSON. Who asks, it sees itself. patience: seconds.

    Raises ActRefused; ActUnavailable; NotPermitted; RelayAbsent where none runs; RelayUnresponsive where nobody knows what
    came of it.
    """
    timeout = aiohttp.ClientTimeout(total=patience)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=timeout) as session,
            session.post(f"http://relay/{act}", json={"sudo_uid": sudo_uid(), **order}) as response,
        ):
            body = await response.read()
            if response.status in {400, 503}:
                reason = str(msgspec.json.decode(body)["error"])
                raise ActRefused(reason) if response.status == 400 else ActUnavailable(reason)
            response.raise_for_status()
            return body
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, PermissionError):
            raise NotPermitted(path) from error
        raise RelayAbsent(path) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise RelayUnresponsive(str(error) or "no answer in time") from error
