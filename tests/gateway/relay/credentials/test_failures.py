"""Failures of what is no account: the rule, and that nodes count them together."""

from __future__ import annotations

from typing import Never

import pytest

from gateway.relay.credentials.admission import Admission, AdmissionSettings, LockRecord, MemoryAdmissionStore, retention
from gateway.relay.credentials.admission.callers import RECORDS
from gateway.relay.credentials.admission.failures import KIND, WINDOW, fail, wait
from gateway.store import StoreUnavailable

NOW, MOST = 1_800_000_000.0, 3


def failed(times: int, at: float = NOW) -> LockRecord:
    record = LockRecord()
    for _ in range(times):
        record = fail(record, at)
    return record


@pytest.mark.parametrize(
    ("times", "later", "seconds"),
    [(2, 0.0, 0.0), (3, 0.0, 60.0), (3, 45.0, 15.0), (3, 59.5, 0.5), (3, 60.0, 0.0), (9, 61.0, 0.0), (3, -1.0, 0.0)],
)
def test_after_so_many_there_is_a_wait(times: int, later: float, seconds: float) -> None:
    """Until a minute after the first; a clock that was set back keeps nobody out for longer."""
    assert wait(failed(times), MOST, NOW + later) == seconds


def test_a_minute_later_it_begins_anew() -> None:
    """With one, and from that moment on; so it does where the clock went back."""
    for moment in (NOW + WINDOW, NOW - 1):
        assert fail(failed(3), moment) == LockRecord(failures=1, touched=moment)


def nodes() -> tuple[Admission, Admission]:
    store, secret = MemoryAdmissionStore(AdmissionSettings()), (b"k" * 32,)
    one, two = (Admission(AdmissionSettings(), keys=lambda: secret, store=store) for _ in range(2))
    return one, two


async def test_nodes_count_together() -> None:
    """The other one knows with its own next failure, and whoever is right meanwhile is not held up."""
    one, two = nodes()
    for _ in range(MOST):
        assert one.failing("a", MOST, NOW) == 0
        await one.fail(["a", "b"], NOW)
    assert (one.failing("a", MOST, NOW), one.failing("b", MOST, NOW), one.failing("c", MOST, NOW)) == (60.0, 60.0, 0.0)
    assert two.failing("a", MOST, NOW) == 0
    await two.fail(["a"], NOW + 1)
    assert two.failing("a", MOST, NOW + 1) == 59.0
    assert two.failing("b", MOST, NOW + 1) == 0
    assert await one.locked(NOW) == []  # it is no user


async def test_a_burst_counts_before_the_store_has_answered() -> None:
    """Whoever comes at the same moment finds it counted, though the store is slow, or fails."""

    class Silent(MemoryAdmissionStore):
        async def apply(self, *_: object) -> Never:
            raise StoreUnavailable("admission", "it is gone", "wait")

    one = Admission(AdmissionSettings(), store=Silent(AdmissionSettings()))
    for _ in range(MOST):
        with pytest.raises(StoreUnavailable):
            await one.fail(["a"], NOW)
    assert one.failing("a", MOST, NOW) == 60.0


async def test_what_a_node_remembers_is_bounded() -> None:
    """The one that failed longest ago goes."""
    one, _ = nodes()
    for number in range(RECORDS + 5):
        await one.fail([str(number)], NOW)
    assert len(one._failures) == RECORDS
    assert one.failing("0", 1, NOW) == 0


def test_a_record_is_kept_as_its_kind_says() -> None:
    """Of failures for a minute, of an account for a day; which it is, the end of its key says."""
    brief, account = b"somebody" + KIND, KIND + b"somebody"
    settings, record = AdmissionSettings(), LockRecord(failures=1, touched=NOW)
    assert (retention.is_brief(brief), retention.is_brief(account)) == (True, False)
    assert retention.expiry(brief, record, settings) == NOW + WINDOW
    assert retention.expiry(account, record, settings) == NOW + settings.forget_after
    for key, kept in ((brief, WINDOW), (account, settings.forget_after)):
        assert not retention.is_stale(key, record, settings, NOW + kept - 1)
        assert retention.is_stale(key, record, settings, NOW + kept + 1)
