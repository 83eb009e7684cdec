"""What a sync asks of a directory: everything, what changed, and to be told when something does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from directory.changes import controls
from directory.changes.cookies import CookieRefused, ReadCookie, digest, open_cookie
from directory.changes.dirsync import DirSyncReading
from directory.changes.full import FullReading
from directory.changes.model import ReadLimits
from directory.changes.notification import Notification
from directory.changes.run import Method, Reading, refusal
from directory.changes.single import BaseReading
from directory.changes.syncrepl import SyncReading
from directory.ldap import Controllers, codec, domain_root, read_filter, resolve_servers
from directory.settings import DirectorySettings

_NEEDED = ("objectGUID", "name", "parentGUID", "isDeleted")
"""Beside what is asked of DirSync: moves are told only to those who ask for `name` and `parentGUID` (seen on Samba)."""


class ChangeReader:
    """One for a directory; may read several times at once. Blocks for DNS. Raises SettingsProblem.

    key: what identifies objects of a directory other than Active Directory. clock: Unix seconds.
    """

    def __init__(
        self,
        settings: DirectorySettings,
        limits: ReadLimits = ReadLimits(),  # noqa: B008 - frozen
        *,
        key: Literal["entryUUID", "nsUniqueId"] = "entryUUID",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._limits = settings, limits
        self._key = "objectGUID" if settings.kind == "ad" else key
        self._controllers = Controllers(settings, resolve_servers(settings).used, clock)

    async def close(self) -> None:
        """Hang up; no reading may be under way."""
        await self._controllers.close()

    def read_full(
        self,
        *,
        attributes: tuple[str, ...] = (),
        matching: str = "",
        base: str = "",
        deleted: bool = False,
        extended_dn: bool = False,
    ) -> Reading:
        """Everything below `base`. attributes: none means all. matching: a filter (RFC 4515). Raises SettingsProblem.

        deleted: tombstones, too, of Active Directory. extended_dn: its values that name objects come as `<GUID=…>;…`.
        """
        key = self._key
        wanted = (*attributes, key, *(("isDeleted",) if deleted else ())) if attributes else ("*", key)
        more = controls.SHOW_DELETED_REQUEST * deleted + controls.EXTENDED_DN_REQUEST * extended_dn
        method = FullReading(base or self._settings.base_dn, _filter(matching), codec.attribute_list(wanted), key, more)
        return self._reading(method.read)

    def read_base(self, dn: str, *, attributes: tuple[str, ...]) -> Reading:
        """One object, or what the server says of itself (no DN). Without a record where it is not there, or not to be seen.

        The record has no key unless that was asked for.
        """
        return self._reading(BaseReading(dn, attributes).read)

    def read_dirsync(
        self,
        cookie: bytes | None,
        *,
        attributes: tuple[str, ...] = (),
        base: str = "",
        own_rights: bool = False,
        incremental: bool = True,
        extended_dn: bool = False,
    ) -> Reading:
        """What changed in a naming context of Active Directory since `cookie`; without one, everything, tombstones too.

        base: its root; that of the domain unless it is said. own_rights: only what the service account may read; without it,
        the account needs the right Replicating Directory Changes. incremental: single values of linked attributes.
        """
        base = base or domain_root(self._settings.base_dn)
        flags = controls.OBJECT_SECURITY * own_rights | controls.INCREMENTAL_VALUES * incremental
        question = digest(base, attributes, flags, extended_dn)
        wanted = codec.attribute_list((*attributes, *_NEEDED) if attributes else ("*", *_NEEDED))
        more = controls.EXTENDED_DN_REQUEST * extended_dn

        def method(known: ReadCookie | None) -> Method:
            return DirSyncReading(base, wanted, flags, question, known, more).read

        return self._continued(cookie, "dirsync", question, method)

    def read_syncrepl(
        self, cookie: bytes | None, *, attributes: tuple[str, ...] = (), matching: str = "", base: str = ""
    ) -> Reading:
        """What changed below `base` since `cookie` (RFC 4533); without one, everything. Raises SettingsProblem."""
        base, encoded = base or self._settings.base_dn, _filter(matching)
        question, wanted = digest(base, attributes, encoded), codec.attribute_list(attributes)

        def method(known: ReadCookie | None) -> Method:
            return SyncReading(base, encoded, wanted, question, known, self._key).read

        return self._continued(cookie, "syncrepl", question, method)

    def wait_for_change(self, cookie: bytes | None, *, seconds: float, matching: str = "", base: str = "") -> Reading:
        """Objects that change, as they do, for so many seconds; then the reading is complete. It gives no cookie.

        cookie: that of the last reading. Active Directory: its domain controller is the one that tells. Elsewhere: what
        changed since is told first. Between a reading and `begin` changes can be missed: begin first, then read.
        """
        limits = replace(self._limits, seconds=seconds)
        if self._settings.kind == "ad":
            base = base or domain_root(self._settings.base_dn)
            return self._continued(cookie, "dirsync", None, lambda known: Notification(base, known).wait, limits, keep=False)
        base, encoded, nothing = base or self._settings.base_dn, _filter(matching), codec.attribute_list(("1.1",))
        return self._continued(
            cookie,
            "syncrepl",
            None,
            lambda known: SyncReading(base, encoded, nothing, b"", known, self._key).wait,
            limits,
            keep=False,
        )

    def _continued(
        self,
        cookie: bytes | None,
        kind: Literal["dirsync", "syncrepl"],
        question: bytes | None,
        method: Callable[[ReadCookie | None], Method],
        limits: ReadLimits | None = None,
        *,
        keep: bool = True,
    ) -> Reading:
        """From a cookie, where it can be used. keep: what could not be read is asked for from the same one again."""
        try:
            known = open_cookie(cookie, kind, question) if cookie is not None else None
        except CookieRefused as refused:
            return self._reading(refusal(refused))
        return self._reading(method(known), limits, cookie if keep else None)

    def _reading(self, method: Method, limits: ReadLimits | None = None, cookie: bytes | None = None) -> Reading:
        return Reading(self._settings, self._controllers, method, limits or self._limits, cookie)


def _filter(matching: str) -> bytes:
    return read_filter(matching, "matching").encoded if matching else codec.ANYTHING
