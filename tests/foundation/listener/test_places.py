"""Who gets a place, and who loses it."""

from __future__ import annotations

import ipaddress

import pytest

from foundation.listener import ConnectionPlaces, NoPlace

HERE, THERE = "203.0.113.5", "198.51.100.7"


def test_one_more_of_an_address_sends_its_longest_waiting_one_away() -> None:
    """Nobody else's."""
    places: ConnectionPlaces[str] = ConnectionPlaces(10, 2)
    assert places.take("other", THERE, 0.0) == []
    assert places.take("a", HERE, 1.0) == places.take("b", HERE, 2.0) == []
    assert places.take("c", HERE, 3.0) == ["a"]
    places.work("b")
    places.wait("b", 4.0)
    assert places.take("d", HERE, 5.0) == ["c"]
    assert len(places) == 3


def test_who_is_at_work_stays() -> None:
    """Then there is no place for the newcomer, until one leaves."""
    places: ConnectionPlaces[str] = ConnectionPlaces(10, 2)
    for who in ("a", "b"):
        places.take(who, HERE, 0.0)
        places.work(who)
    with pytest.raises(NoPlace):
        places.take("c", HERE, 1.0)
    assert len(places) == 2
    places.leave("a")
    assert places.take("c", HERE, 2.0) == []
    with pytest.raises(NoPlace):
        ConnectionPlaces[str](0, 0).take("a", HERE, 0.0)


def test_in_all_the_longest_waiting_one_leaves_whose_ever_it_is() -> None:
    """So many addresses take places from each other only."""
    places: ConnectionPlaces[int] = ConnectionPlaces(100, 50)
    gone = [who for number in range(1000) for who in places.take(number, f"2001:db8:{number:x}::1", float(number))]
    assert gone == list(range(900))
    assert len(places) == 100
    for number in range(1000):
        places.leave(number)
    assert (len(places), places._counts, places._waiting, places._waiting_at) == (0, {}, {}, {})


def test_a_64_is_one_address_and_a_proxy_is_many() -> None:
    """Behind a proxy all come from one address; that is no reason to send anybody away."""
    proxies = [ipaddress.ip_network("10.0.0.0/8")]
    places: ConnectionPlaces[str] = ConnectionPlaces(5, 1, proxies)
    assert places.take("a", "2001:db8::1", 0.0) == []
    assert places.take("b", "2001:db8::2", 0.0) == ["a"]
    assert places.take("c", "10.0.0.1", 0.0) == places.take("d", "10.0.0.1", 0.0) == []
    assert places.take("e", "::ffff:10.0.0.1", 0.0) == places.take("f", "10.9.9.9", 0.0) == []
    assert places.take("g", "10.0.0.1", 0.0) == ["b"]


def test_what_was_sent_away_can_say_so_late() -> None:
    """A request that ends after its connection was given up changes nothing."""
    places: ConnectionPlaces[str] = ConnectionPlaces(1, 1)
    places.take("a", HERE, 0.0)
    assert places.take("b", THERE, 1.0) == ["a"]
    places.wait("a", 2.0)
    places.leave("a")
    places.work("a")
    assert list(places.waiting_since(9.0)) == ["b"]
    assert list(places.waiting_since(0.5)) == []
