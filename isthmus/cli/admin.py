"""Administrative acts: through the control socket of the running relay, else on its store."""

from __future__ import annotations

import getpass
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec

from certs import CertsError
from gateway.app import ServerError, ServerSettings, load_keys, open_relay_store
from gateway.relay.administration.acts import Administration, AgentView, ApiKeyView, AuditView, TokenView
from gateway.relay.administration.control import SOCKET_NAME
from gateway.relay.agents.registry import Roster
from gateway.relay.errors import RelayError
from gateway.store import AuditBroken, StoreError
from isthmus.cli.output import UNREACHABLE, Failure

T = TypeVar("T")


def actor() -> str:
    """Who is at the keyboard, for the audit trail."""
    return f"admin:{getpass.getuser()}"


class RelayAdmin:
    """The acts, wherever the relay is. Errors are Failures."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self.reached_relay = False
        """Whether the last act was the running relay's; otherwise it was done on the store."""

    async def create_token(self, name: str, domains: Sequence[str] = ()) -> TokenView:
        """An enrolment token."""
        return await self._do(
            "create_token", TokenView, lambda acts: acts.create_token(name, actor(), domains), name=name, domains=domains
        )

    async def agents(self) -> list[AgentView]:
        """Every agent."""
        return await self._do("agents", list[AgentView], lambda acts: acts.agents())

    async def revoke(self, name: str, why: str) -> int:
        """Revoke an agent; live connections that ended."""
        return await self._do("revoke", int, lambda acts: acts.revoke(name, why, actor()), name=name, why=why)

    async def unlock(self, user: str) -> bool:
        """Forget what smart lockout counted."""
        return await self._do("unlock", bool, lambda acts: acts.unlock(user, actor()), user=user)

    async def create_api_key(self, name: str, lifetime: float | None) -> ApiKeyView:
        """An API key."""
        return await self._do(
            "create_api_key",
            ApiKeyView,
            lambda acts: acts.create_api_key(name, lifetime, actor()),
            name=name,
            lifetime=lifetime,
        )

    async def api_keys(self) -> list[ApiKeyView]:
        """Every API key."""
        return await self._do("api_keys", list[ApiKeyView], lambda acts: acts.api_keys())

    async def revoke_api_key(self, key_id: str) -> bool:
        """Revoke an API key."""
        return await self._do("revoke_api_key", bool, lambda acts: acts.revoke_api_key(key_id, actor()), key_id=key_id)

    async def audit(self, *, limit: int, before: int | None, kind: str, subject: str) -> list[AuditView]:
        """The audit trail, newest first."""
        return await self._do(
            "audit",
            list[AuditView],
            lambda acts: acts.audit(limit=limit, before=before, kind=kind, subject=subject),
            limit=limit,
            before=before,
            kind=kind,
            subject=subject,
        )

    async def verify_audit(self, progress: Callable[[int, int], None]) -> AuditView | None:
        """Check the audit trail. Always on the store itself: the check must not depend on the relay that it checks."""
        return await self._on_store(lambda acts: acts.verify_audit(progress))

    # -- the two ways

    async def _do(self, act: str, answer: type[T], on_store: Callable[[Administration], Awaitable[T]], **order: Any) -> T:
        path = self._settings.state_dir / SOCKET_NAME
        try:
            reply = await _ask(path, act, {"actor": actor(), **order})
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, PermissionError):
                raise Failure(_not_yours(path)) from error
            self.reached_relay = False  # no socket, or one left over from a relay that was killed
            return await self._on_store(on_store)
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            raise Failure(f"the running relay did not answer ({reason}); see its log", UNREACHABLE) from error
        self.reached_relay = True
        return msgspec.json.decode(reply, type=answer)

    async def _on_store(self, work: Callable[[Administration], Awaitable[T]]) -> T:
        settings = self._settings
        try:
            keys = load_keys(settings, time.time())
            store = open_relay_store(settings, keys.secret)
        except (ServerError, StoreError, CertsError, PermissionError) as error:
            if isinstance(error, PermissionError) or isinstance(error.__cause__, PermissionError):
                raise Failure(_not_yours(settings.state_dir)) from error
            raise Failure(str(error)) from error
        try:
            acts = Administration(
                store,
                Roster(store.agents),
                relay_url=settings.public_url.rstrip("/"),
                authority_fingerprint=keys.authority.fingerprint,
                token_lifetime=settings.core.token_lifetime,
                clock=time.time,
            )
            return await work(acts)
        except (RelayError, StoreError, AuditBroken, ValueError) as error:
            raise Failure(str(error)) from error
        finally:
            await store.close()


def _not_yours(path: Path) -> str:
    return f"{path}: only the relay's own user may; try `sudo -u isthmus-relay isthmus relay …`"


async def _ask(path: Path, act: str, order: dict[str, Any]) -> bytes:
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=timeout) as session,
        session.post(f"http://relay/{act}", json=order) as response,
    ):
        body = await response.read()
        if response.status == 400:
            raise Failure(str(msgspec.json.decode(body)["error"]))
        response.raise_for_status()
        return body
