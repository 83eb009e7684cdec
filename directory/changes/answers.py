"""What the methods of reading have in common: taking answers, and judging how a search ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from directory.changes.cookies import CookieRefused
from directory.changes.records import entry_key
from directory.changes.run import ReadProgress, ReadServer
from directory.errors import BaseNotFound, ConnectionTimedOut, DirectoryError, ServerRefused
from directory.ldap import AnswerStream, Entry, LdapResult, SearchAnswer, codec

_NO_BASE = (10, 32, 34)
"""referral (AD's word for a base outside its naming contexts), noSuchObject, invalidDNSyntax."""


class AttributeUnreadable(DirectoryError):
    """The service account may not read something that a reading cannot do without."""

    def __init__(self, server: str, attribute: str, dn: str) -> None:
        super().__init__(server, attribute, dn)
        self.server, self.attribute, self.dn = server, attribute, dn

    def __str__(self) -> str:
        where = self.dn or "the root entry"
        return f"{self.server}: {self.attribute} of {where} is not readable. Let the service account read it."


class DatabaseState(NamedTuple):
    """Which database answers, and how far it has come."""

    identity: bytes
    usn: int


async def identify_controller(server: ReadServer) -> DatabaseState:
    """invocationId and highestCommittedUSN of the domain controller (MS-ADTS: nTDSDSA object, section 3.1.1.3.2).

    Read for each reading: a domain controller that was put back properly has another invocationId.
    """
    root = await read_base(server, "", ("dsServiceName", "highestCommittedUSN"))
    settings_dn = _value(server, root, "dsServiceName", "").decode("utf-8", "replace")
    usn = _value(server, root, "highestCommittedUSN", "")
    settings_object = await read_base(server, settings_dn, ("invocationId",))
    return DatabaseState(_value(server, settings_object, "invocationId", settings_dn), int(usn) if usn.isdigit() else 0)


async def identify_base(server: ReadServer, base: str, attribute: str) -> bytes:
    """Key of the base: replicas have it in common, as they have their cookies; a database made anew has another.

    attribute: entryUUID or nsUniqueId.
    """
    entry = await read_base(server, base, (attribute,))
    key = entry_key({attribute.lower().encode(): [_value(server, entry, attribute, base)]})
    if not key:
        raise AttributeUnreadable(str(server.controller), attribute, base)
    return key


async def read_base(server: ReadServer, dn: str, attributes: tuple[str, ...]) -> Entry:
    """One entry; without attributes where there is none."""
    wanted = codec.attribute_list(attributes)
    found = await server.connection.search(
        dn.encode(), codec.SCOPE_BASE, codec.ANYTHING, wanted, limit=1, timeout=server.search_timeout
    )
    return found[0][1] if found else {}


def _value(server: ReadServer, entry: Entry, attribute: str, dn: str) -> bytes:
    values = entry.get(attribute.lower().encode())
    if not values:
        raise AttributeUnreadable(str(server.controller), attribute, dn)
    return values[0]


def search(base: str, matching: bytes, attributes: bytes) -> bytes:
    """A search of the whole subtree without limits of ours: what the server limits, it says in its result."""
    return codec.search_request(base.encode(), codec.SCOPE_SUBTREE, matching, attributes, limit=0, seconds=0)


def check_cookie_taken(server: ReadServer, answers: AnswerStream, refusals: Collection[int]) -> None:
    """Of a search with a cookie. refusals: results that mean the cookie. Raises CookieRefused."""
    result = answers.done
    if result is not None and result.code in refusals:
        said = f"LDAP result {result.code}, {result.text or 'no reason given'}"
        raise CookieRefused(f"{server.controller} does not take the cookie: {said}")


def check_done(server: ReadServer, answers: AnswerStream, base: str) -> LdapResult:
    """Raises ServerRefused, BaseNotFound where the search did not end with success."""
    result = answers.done
    assert result is not None  # noqa: S101 - whoever calls has taken all answers
    if result.code in _NO_BASE:
        raise BaseNotFound(str(server.controller), base, result.code, result.text)
    if result.code != 0:
        raise ServerRefused(str(server.controller), "search", result.code, result.text)
    return result


def note_nameless(progress: ReadProgress, dn: str, attribute: str) -> None:
    """An entry that cannot be identified: what it stands for would look absent."""
    if not progress.nameless:
        progress.note(f"entries without a readable {attribute}, the first of them {dn}")
    progress.nameless = True


async def next_or_quiet(answers: AnswerStream) -> SearchAnswer | None:
    """The next answer of a server that tells what happens; None, too, where nothing has until it was time to give up."""
    try:
        return await answers.next()
    except ConnectionTimedOut:
        return None
