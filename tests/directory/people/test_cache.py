"""A bounded memory."""

from __future__ import annotations

from directory.people.cache import Cache


def test_a_cache_forgets_the_oldest_and_what_is_too_old() -> None:
    """Bounded in entries and in time; 0 seconds keep nothing."""
    cache: Cache[int] = Cache(2, 100.0)
    for number in range(3):
        cache.put(str(number).encode(), number)
    assert [cache.get(key) for key in (b"0", b"1", b"2")] == [None, 1, 2]
    cache.drop(b"1")
    assert cache.get(b"1") is None
    never: Cache[int] = Cache(2, 0.0)
    never.put(b"a", 1)
    assert never.get(b"a") is None
