"""What changed below a base, by content synchronisation (RFC 4533).

OpenLDAP has it with the overlay syncprov, 389 Directory Server with its plug-in.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from directory.changes import controls
from directory.changes.answers import check_cookie_taken, check_done, identify_base, next_or_quiet, search
from directory.changes.cookies import ReadCookie, check_database
from directory.changes.model import DirectoryRecord, RecordKind
from directory.changes.records import whole_record
from directory.changes.refresh import Refresh
from directory.changes.run import ReadProgress, ReadServer
from directory.ldap import AnswerStream, SearchAnswer, codec

_REFRESH_REQUIRED = 4096
"""e-syncRefreshRequired, section 4.1."""
_COOKIE_RESULTS = frozenset({2, 53, _REFRESH_REQUIRED})
"""protocolError: a damaged cookie. unwillingToPerform: a cookie that is newer than the database (OpenLDAP)."""


@dataclass(frozen=True, slots=True)
class SyncReading:
    """What is asked for; `cookie` is that of the last reading."""

    base: str
    matching: bytes
    attributes: bytes
    question: bytes
    cookie: ReadCookie | None
    key: str
    """Attribute that identifies the base."""

    async def read(self, server: ReadServer, progress: ReadProgress) -> AsyncGenerator[DirectoryRecord | None, None]:
        """refreshOnly: what changed since the cookie, or everything."""
        database = await identify_base(server, self.base, self.key)
        refresh = Refresh(self._given(database))
        answers = self._ask(server, controls.REFRESH_ONLY, refresh)
        while (answer := await answers.next()) is not None:
            for record in read_answer(answer, refresh):
                yield record
        refresh_deletes = self._ended(server, answers, refresh)
        progress.exhaustive = refresh.end(refresh_deletes)
        progress.cookie = ReadCookie("syncrepl", database, self.question, refresh.cookie).seal() if refresh.cookie else None

    async def wait(self, server: ReadServer, progress: ReadProgress) -> AsyncGenerator[DirectoryRecord | None, None]:
        """refreshAndPersist: what changed since the cookie, then what changes; without a cookie, only the latter."""
        refresh = Refresh(self._given(await identify_base(server, self.base, self.key)))
        answers = self._ask(server, controls.REFRESH_AND_PERSIST, refresh, server.limits.seconds)
        telling = self.cookie is not None
        progress.armed = True
        yield None
        while (answer := await next_or_quiet(answers)) is not None:
            for record in read_answer(answer, refresh):
                if telling and record.kind is not RecordKind.PRESENT:
                    yield record
            telling = telling or refresh.done
        if answers.done is not None:
            self._ended(server, answers, refresh)

    def _given(self, database: bytes) -> bytes:
        if self.cookie is None:
            return b""
        check_database(self.cookie, database)
        return self.cookie.opaque

    def _ask(self, server: ReadServer, mode: int, refresh: Refresh, silence: float | None = None) -> AnswerStream:
        request = search(self.base, self.matching, self.attributes)
        return server.stream(request, controls.sync_request(mode, refresh.cookie), silence)

    def _ended(self, server: ReadServer, answers: AnswerStream, refresh: Refresh) -> bool:
        """refreshDeletes, as the server said at the end."""
        if self.cookie is not None:
            check_cookie_taken(server, answers, _COOKIE_RESULTS)
        check_done(server, answers, self.base)
        value = answers.done_controls.get(controls.SYNC_DONE)
        if value is None:
            raise codec.CodecError("a synchronisation without its control at the end")
        cookie, refresh_deletes = controls.read_sync_done(value)
        refresh.see_cookie(cookie)
        return refresh_deletes


def read_answer(answer: SearchAnswer, refresh: Refresh) -> list[DirectoryRecord]:
    """Pure. What an answer says; the refresh takes note of it. Raises CodecError."""
    if answer.tag == codec.ENTRY:
        return [_read_entry(answer, refresh)]
    if answer.tag != codec.INTERMEDIATE_RESPONSE:
        return []  # a reference to another directory
    name, value = codec.read_intermediate(answer.data, answer.start, answer.end)
    if name != controls.SYNC_INFO:
        return []
    info = controls.read_sync_info(value)
    refresh.see_info(info)
    kind = RecordKind.DELETED if info.flag else RecordKind.PRESENT
    return [DirectoryRecord(kind, uuid) for uuid in info.uuids]


def _read_entry(answer: SearchAnswer, refresh: Refresh) -> DirectoryRecord:
    value = answer.controls().get(controls.SYNC_STATE)
    if value is None:
        raise codec.CodecError("an entry of a synchronisation without its state")
    state, key, cookie = controls.read_sync_state(value)
    refresh.see_cookie(cookie)
    dn, entry = codec.read_entry(answer.data, answer.start, answer.end)
    if state != controls.PRESENT:
        refresh.see_change()
    if state == controls.DELETED:
        return DirectoryRecord(RecordKind.DELETED, key, dn)
    if state == controls.PRESENT:
        refresh.see_present()
        return DirectoryRecord(RecordKind.PRESENT, key, dn)
    return whole_record(dn, entry, key)
