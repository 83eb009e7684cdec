"""Being told by Active Directory that something changed (MS-ADTS section 3.1.1.3.4.1.9).

The search has no end: the server answers with each object that changes after it was asked. Its filter can only be
(objectClass=*). It wakes whoever reads by DirSync then; what changed, this does not tell reliably.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from directory.changes import controls
from directory.changes.answers import check_done, identify_controller, next_or_quiet, search
from directory.changes.cookies import ReadCookie, check_database
from directory.changes.model import DirectoryRecord, RecordKind
from directory.changes.records import entry_key, is_deleted, plain_dn
from directory.changes.run import ReadProgress, ReadServer
from directory.ldap import codec

_WANTED = codec.attribute_list(("objectGUID", "isDeleted"))


@dataclass(frozen=True, slots=True)
class Notification:
    """cookie: of the DirSync that is to be woken; a change arrives at its domain controller last of all, or first."""

    base: str
    cookie: ReadCookie | None

    async def wait(self, server: ReadServer, progress: ReadProgress) -> AsyncGenerator[DirectoryRecord | None, None]:
        """Objects that change, with their key only."""
        if self.cookie is not None:
            database = await identify_controller(server)
            check_database(self.cookie, database.identity, database.usn)
        answers = server.stream(
            search(self.base, codec.ANYTHING, _WANTED), controls.NOTIFICATION_REQUEST, server.limits.seconds
        )
        progress.armed = True
        yield None
        while (answer := await next_or_quiet(answers)) is not None:
            if answer.tag != codec.ENTRY:
                continue
            dn, entry = codec.read_entry(answer.data, answer.start, answer.end)
            yield DirectoryRecord(
                RecordKind.DELETED if is_deleted(entry) else RecordKind.CHANGED, entry_key(entry), plain_dn(dn)
            )
        if answers.done is not None:
            check_done(server, answers, self.base)
