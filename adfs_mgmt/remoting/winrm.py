"""Commands over WinRM: a Shell of pypsrp's blocking connections, in a bounded pool of threads.

Accounts must not be locked by us. Each wrong password counts against the account, at whatever host it is shown (with
Kerberos the domain controller is shown it, once: see `account`):

    unknown ──first host accepts──► good ──another host refuses──► that host is not asked again
       │
       └────first host refuses────► refused: no host is asked again

While the credential is unknown one host is asked and the others wait. That holds for the life of a `WinRm`, which is that
of its settings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from adfs_mgmt.remoting.account import RemotingAccount
from adfs_mgmt.remoting.command import Command, PSObject
from adfs_mgmt.remoting.connection import RunspaceConnection
from adfs_mgmt.remoting.errors import AccessDenied, CredentialRefused
from adfs_mgmt.remoting.settings import RemotingSettings

T = TypeVar("T")


class _HostQueue:
    """The way to one host: commands to it go one after the other."""

    def __init__(self, connection: RunspaceConnection) -> None:
        self.connection = connection
        self.turn = asyncio.Lock()
        self.opened = False
        self.denied: AccessDenied | None = None


class WinRm:
    """A Shell. `host` is a name, or `name=address` where the name does not resolve here."""

    def __init__(self, settings: RemotingSettings) -> None:
        self._settings = settings
        self._account = RemotingAccount(settings)
        self._queues: dict[str, _HostQueue] = {}
        self._threads = ThreadPoolExecutor(settings.hosts_at_once, thread_name_prefix="winrm")
        self._first = asyncio.Lock()
        self._good = self._account.password is None  # a ticket or a certificate cannot be locked by trying it
        self._refused: AccessDenied | None = None

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        """See Shell. A host that is busy with another command of ours is waited for; `timeout` begins after that."""
        queue = self._queues.get(host) or self._queues.setdefault(host, self._queue(host))
        async with queue.turn:
            try:
                await self._open(queue)
                return await self._thread(lambda: queue.connection.run(command, timeout))
            except AccessDenied as error:
                queue.denied = queue.denied or error
                if queue.opened and isinstance(error, CredentialRefused):  # accepted here before: the password changed
                    self._refused = self._refused or error
                raise
            except asyncio.CancelledError:
                if self._queues.get(host) is queue:  # its thread is busy until the command ends: it gets no other
                    del self._queues[host]
                queue.connection.abandon()
                raise

    async def close(self) -> None:
        """See Shell."""
        queues, self._queues = self._queues, {}
        await asyncio.gather(*(self._thread(queue.connection.close) for queue in queues.values()))
        self._account.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _queue(self, host: str) -> _HostQueue:
        return _HostQueue(RunspaceConnection(host, self._settings, self._account))

    async def _open(self, queue: _HostQueue) -> None:
        self._check_refusal(queue)
        if queue.opened:
            return
        await self._thread(queue.connection.reach)  # so that hosts that are off do not hold up the one that decides
        async with self._first if not self._good else contextlib.nullcontext():
            await self._decide(queue)
        if not queue.opened:  # another host decided meanwhile: now all at the same time
            await self._thread(queue.connection.open)
        queue.opened = True

    async def _decide(self, queue: _HostQueue) -> None:
        """Ask the first host. Whoever waited for its answer finds it here."""
        self._check_refusal(queue)
        if self._good:
            return
        try:
            await self._thread(queue.connection.open)
        except CredentialRefused as error:
            self._refused = error
            raise
        self._good = queue.opened = True

    def _check_refusal(self, queue: _HostQueue) -> None:
        """Never show a credential again where it was refused."""
        name = queue.connection.name
        if queue.denied is not None:
            raise AccessDenied(name, queue.denied.reason) from queue.denied
        if self._refused is not None:
            reason = f"not contacted, because {self._refused.host} refused the credentials: {self._refused.reason}"
            raise AccessDenied(name, reason) from self._refused

    async def _thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
