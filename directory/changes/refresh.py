"""What the phases of a refresh mean (RFC 4533 section 3.3). Pure. Misread, they delete everything.

no cookie     every entry as `add`                                             absent is who is not named
present phase unchanged entries as `present`, singly or in sets; changed ones   absent is who is not named
              as `add`; ends with refreshPresent, or with refreshDeletes FALSE
delete phase  changed entries as `add`, deleted ones as `delete`, singly or in  absent is who is named as deleted
              sets; ends with refreshDelete, or with refreshDeletes TRUE

Servers are reported to end with refreshDeletes FALSE although there was no present phase (389 Directory Server where nothing
changed), and to send a present phase that names nothing (OpenLDAP before 2.5). So a present phase counts only where it
names at least one entry: else nothing is absent, and what changed has to be read in full. OpenLDAP was seen to take a
cookie that it cannot read for none, and to give no other one: changes without a cookie lead nowhere, either.
"""

from __future__ import annotations

from directory.changes.controls import ID_SET, REFRESH_DELETE, REFRESH_PRESENT, SyncInfo
from directory.changes.cookies import CookieRefused


class Refresh:
    """One refresh, by what is seen of it. `cookie`: the server's own that it began from, or empty; then the newest one."""

    def __init__(self, cookie: bytes) -> None:
        self._given = cookie
        self.cookie = cookie
        self.done = False
        """Whether what is told from now on is happening (refreshAndPersist)."""
        self._newer = False
        self._changed = False
        self._named_present = False
        self._present_ended = False

    def see_present(self) -> None:
        """An entry was named as unchanged."""
        self._named_present = True

    def see_change(self) -> None:
        """An entry was named as added, changed or deleted."""
        self._changed = True

    def see_cookie(self, cookie: bytes) -> None:
        """A newer one; empty: none came."""
        self.cookie = cookie or self.cookie
        self._newer = self._newer or bool(cookie)

    def see_info(self, info: SyncInfo) -> None:
        """A Sync Info message."""
        self.see_cookie(info.cookie)
        if info.kind in (REFRESH_DELETE, REFRESH_PRESENT):
            self.done = info.flag
        if info.kind == REFRESH_PRESENT:
            self._present_ended = True
        elif info.kind == ID_SET and info.uuids:
            if info.flag:
                self.see_change()
            else:
                self.see_present()

    def end(self, refresh_deletes: bool) -> bool:
        """Whether entries that were not named are absent. Raises CookieRefused where that cannot be told."""
        if not self._given:
            return True
        if self._changed and not self._newer:
            raise CookieRefused("the server tells changes, and gives no cookie for what comes after them")
        if refresh_deletes and not self._present_ended:
            return False
        if self._named_present:
            return True
        if self.cookie == self._given:
            return False
        raise CookieRefused("the server lists what is still there, and names nothing")
