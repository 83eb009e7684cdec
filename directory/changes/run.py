"""One reading from beginning to end: which domain controller, what its failures mean, and the result.

Whatever the directory does ends in a `ReadResult`. Until the first record another domain controller is asked where one
fails; after it, the reading is partial, because the next one would tell everything again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from types import TracebackType

from directory.changes.cookies import CookieRefused, OfAnotherServer
from directory.changes.model import DirectoryRecord, ReadLimits, ReadOutcome, ReadResult
from directory.errors import DirectoryError, LdapConnectionError, Malformed, ServerRefused
from directory.ldap import AnswerStream, CodecError, Controller, Controllers, LdapConnection, StreamLimits, is_server_fault
from directory.settings import DirectorySettings

_BUSY = frozenset({51, 52})
"""busy, unavailable: another domain controller may do better."""
_FLAWS = 5
"""That are named to the operator."""


@dataclass(slots=True)
class ReadProgress:
    """What a method of reading has come to; it sets what it knows."""

    cookie: bytes | None = None
    exhaustive: bool = False
    records: int = 0
    armed: bool = False
    """The server was asked to tell what changes from now on."""
    nameless: bool = False
    """There were entries that cannot be identified."""
    flaws: list[str] = field(default_factory=list)
    """What is missing although the server did all that was asked: the reading is partial. The first ones."""

    def note(self, flaw: str) -> None:
        """One more flaw."""
        if len(self.flaws) < _FLAWS:
            self.flaws.append(flaw)


@dataclass(frozen=True, slots=True)
class ReadServer:
    """The domain controller that is read, for one reading."""

    controller: Controller
    connection: LdapConnection
    limits: ReadLimits
    give_up: float
    """time.monotonic()."""
    search_timeout: float
    """Seconds for a question about one entry."""

    def stream(self, request: bytes, controls: bytes, silence: float | None = None) -> AnswerStream:
        """Sends a search on the connection of the reading. silence: seconds, where it is not that of the limits."""
        patience = self.limits.silence if silence is None else silence
        return self.connection.stream(request, controls, StreamLimits(self.limits.largest_message, patience, self.give_up))


Method = Callable[[ReadServer, ReadProgress], AsyncGenerator[DirectoryRecord | None, None]]
"""Reads; None where it has asked the server to tell what changes from now on, before anything did."""


def refusal(refused: CookieRefused) -> Method:
    """The reading of a cookie that no server need be asked about."""

    async def read(server: ReadServer, progress: ReadProgress) -> AsyncGenerator[DirectoryRecord | None, None]:
        raise refused
        yield None

    return read


class Reading:
    """An asynchronous iterator of records, and a context manager. `result` is there when the iteration has ended."""

    def __init__(
        self,
        settings: DirectorySettings,
        controllers: Controllers,
        method: Method,
        limits: ReadLimits,
        cookie: bytes | None,
    ) -> None:
        self._settings, self._controllers, self._method, self._limits = settings, controllers, method, limits
        self._given, self._progress = cookie, ReadProgress(cookie)
        self._result: ReadResult | None = None
        self._records = self._run()

    async def __aenter__(self) -> Reading:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._records.aclose()

    def __aiter__(self) -> AsyncIterator[DirectoryRecord]:
        return self

    async def __anext__(self) -> DirectoryRecord:
        while True:
            record = await self._records.__anext__()
            if record is not None:
                return record

    async def begin(self) -> bool:
        """Ask, before the first record is wanted; of `wait_for_change`: what changes from now on will be told.

        False where the directory could not be asked: `result` says why. To be called once, first.
        """
        async for record in self._records:
            if record is not None:
                raise RuntimeError("only what waits for changes can begin before its first record")
            return True
        return False

    @property
    def result(self) -> ReadResult:
        """How it ended. Raises RuntimeError while records may come."""
        if self._result is None:
            raise RuntimeError("the reading has not ended: take its records first")
        return self._result

    async def _run(self) -> AsyncGenerator[DirectoryRecord | None, None]:
        give_up = time.monotonic() + self._limits.seconds
        problem: Exception = self._controllers.none_answered()
        other: OfAnotherServer | None = None
        for controller in self._controllers.candidates(self._settings.name):  # the same one first, each time
            controller.in_flight += 1
            try:
                async with controller.searching() as connection:
                    server = ReadServer(controller, connection, self._limits, give_up, self._settings.search_timeout)
                    async with contextlib.aclosing(self._method(server, self._progress)) as records:
                        async for record in records:
                            if record is not None:
                                self._progress.records += 1
                            yield record
            except OfAnotherServer as refused:
                controller.succeeded()
                other = refused
            except (CookieRefused, DirectoryError, CodecError) as error:
                problem = _named(error, controller)
                if not self._may_ask_another(problem, controller):
                    self._end(problem, controller)
                    return
            else:
                controller.succeeded()
                self._complete(controller)
                return
            finally:
                controller.in_flight -= 1
        self._end(other or problem, None)

    def _may_ask_another(self, problem: Exception, controller: Controller) -> bool:
        """Tells the domain controller's failure, too."""
        if isinstance(problem, LdapConnectionError):
            if is_server_fault(problem):
                controller.failed(problem)
        elif isinstance(problem, ServerRefused) and problem.code in _BUSY:
            controller.failed(LdapConnectionError(str(controller), str(problem)))
        else:
            return False
        return not self._progress.records and not self._progress.armed

    def _complete(self, controller: Controller) -> None:
        progress = self._progress
        flaws = "; ".join(progress.flaws)
        outcome = ReadOutcome.PARTIAL if flaws else ReadOutcome.COMPLETE
        exhaustive = progress.exhaustive and not flaws
        self._result = ReadResult(outcome, flaws, self._cookie, exhaustive, progress.records, str(controller))

    @property
    def _cookie(self) -> bytes | None:
        """To continue with; what came with a flaw has to be told again."""
        return self._given if self._progress.flaws else self._progress.cookie

    def _end(self, problem: Exception, controller: Controller | None) -> None:
        progress, cookie = self._progress, self._cookie
        if isinstance(problem, CookieRefused):
            outcome, cookie = ReadOutcome.COOKIE_REFUSED, None
        else:
            outcome = ReadOutcome.PARTIAL if progress.records else ReadOutcome.FAILED
        code = problem.code if isinstance(problem, ServerRefused) else 0
        self._result = ReadResult(outcome, str(problem), cookie, False, progress.records, str(controller or ""), code)


def _named(error: Exception, controller: Controller) -> Exception:
    """What a codec could not read, as a fault of the server."""
    return Malformed(str(controller), str(error)) if isinstance(error, CodecError) else error
