"""The phases of RFC 4533: whoever misreads them deletes everything."""

from __future__ import annotations

import pytest

from directory.changes.controls import ID_SET, NEW_COOKIE, REFRESH_DELETE, REFRESH_PRESENT, SyncInfo
from directory.changes.cookies import CookieRefused
from directory.changes.refresh import Refresh

UUIDS = (b"u" * 16,)
PRESENT, DELETED, EMPTY = SyncInfo(ID_SET, b"", False, UUIDS), SyncInfo(ID_SET, b"", True, UUIDS), SyncInfo(ID_SET, b"")
PRESENT_ENDS, DELETE_ENDS = SyncInfo(REFRESH_PRESENT, b"", False), SyncInfo(REFRESH_DELETE, b"", True)


def refresh_of(cookie: bytes, *infos: SyncInfo, newer: bytes = b"newer") -> Refresh:
    """What was seen."""
    refresh = Refresh(cookie)
    for info in infos:
        refresh.see_info(info)
    refresh.see_cookie(newer)
    return refresh


@pytest.mark.parametrize("refresh_deletes", [True, False])
def test_without_a_cookie_everything_is_named(refresh_deletes: bool) -> None:
    """Whatever the end says."""
    assert refresh_of(b"").end(refresh_deletes)


@pytest.mark.parametrize(
    ("infos", "refresh_deletes", "exhaustive"),
    [
        ((), True, False),
        ((DELETED,), True, False),
        ((DELETED, DELETE_ENDS), True, False),
        ((PRESENT,), False, True),
        ((PRESENT, PRESENT_ENDS), True, True),
        ((PRESENT, PRESENT_ENDS, DELETED), True, True),
    ],
)
def test_what_is_not_named_is_absent_after_a_present_phase_only(
    infos: tuple[SyncInfo, ...], refresh_deletes: bool, exhaustive: bool
) -> None:
    """RFC 4533 section 3.3.2."""
    assert refresh_of(b"older", *infos).end(refresh_deletes) is exhaustive


def test_an_entry_that_is_named_singly_makes_a_present_phase_too() -> None:
    """By its sync state control."""
    refresh = refresh_of(b"older")
    refresh.see_present()
    assert refresh.end(refresh_deletes=False)


@pytest.mark.parametrize("infos", [(), (DELETED,), (EMPTY,), (PRESENT_ENDS,)])
def test_a_present_phase_that_names_nothing_means_nothing(infos: tuple[SyncInfo, ...]) -> None:
    """Else everything were gone: what is there has to be read in full."""
    with pytest.raises(CookieRefused, match="names nothing"):
        refresh_of(b"older", *infos).end(refresh_deletes=False)


def test_nothing_changed_where_the_cookie_is_the_same() -> None:
    """Reported of 389 Directory Server (akkornel/syncrepl#24), which ends with refreshDeletes FALSE then."""
    assert not refresh_of(b"same", newer=b"same").end(refresh_deletes=False)
    assert not refresh_of(b"same", newer=b"").end(refresh_deletes=False)
    assert not refresh_of(b"same", newer=b"").end(refresh_deletes=True)


@pytest.mark.parametrize("refresh_deletes", [True, False])
def test_changes_without_a_cookie_lead_nowhere(refresh_deletes: bool) -> None:
    """OpenLDAP takes a cookie that it cannot read for none, tells everything and gives no other one."""
    refresh = refresh_of(b"older", newer=b"")
    refresh.see_change()
    with pytest.raises(CookieRefused, match="no cookie"):
        refresh.end(refresh_deletes)
    with pytest.raises(CookieRefused, match="no cookie"):
        refresh_of(b"older", DELETED, newer=b"").end(refresh_deletes)


def test_the_newest_cookie_counts() -> None:
    """Wherever it stood."""
    refresh = refresh_of(b"older", SyncInfo(NEW_COOKIE, b"first"), SyncInfo(ID_SET, b"second", True, UUIDS), newer=b"")
    assert refresh.cookie == b"second"


def test_when_what_is_told_is_happening() -> None:
    """refreshDone, of either end of a phase (section 3.4)."""
    assert not refresh_of(b"", PRESENT_ENDS).done
    assert refresh_of(b"", DELETE_ENDS).done
    assert not refresh_of(b"", SyncInfo(ID_SET, b"", True, UUIDS)).done
