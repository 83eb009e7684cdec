"""How many requests may be open at once, and who finds no place."""

from __future__ import annotations

import itertools

from gateway.relay.refusals import OpenRequests


def test_one_address_has_its_share() -> None:
    """And a place again when one of its requests is answered."""
    requests = OpenRequests(per_address=3, most=1000)
    assert [requests.enter("192.0.2.1") for _ in range(4)] == [True, True, True, False]
    assert requests.enter("192.0.2.2")
    requests.leave("192.0.2.1")
    assert requests.enter("192.0.2.1")
    assert not requests.enter("192.0.2.1")
    assert len(requests) == 4


def test_there_is_an_end_of_all() -> None:
    """Also for an address that stands for many people."""
    requests = OpenRequests(per_address=3, most=10)
    assert [requests.enter("") for _ in range(11)] == [True] * 10 + [False]
    assert not requests.enter("192.0.2.1")
    requests.leave("")
    assert requests.enter("192.0.2.1")


def test_a_flood_from_many_addresses_leaves_room_for_somebody_else() -> None:
    """Each of two hundred takes all that it can get, again and again as its requests are answered."""
    requests = OpenRequests(per_address=120, most=4096)
    crowd = dict.fromkeys((f"192.0.2.{number}" for number in range(200)), 0)
    for _ in range(30):
        for address, held in crowd.items():
            for _ in range(held // 2):
                requests.leave(address)
            taken = itertools.takewhile(bool, (requests.enter(address) for _ in range(1000)))
            crowd[address] = held - held // 2 + sum(taken)
    assert max(crowd.values()) < 120
    assert all(requests.enter(f"198.51.100.{number}") for number in range(50))


def test_nothing_is_left_of_an_address_that_has_nothing_open() -> None:
    """Memory does not grow with addresses."""
    requests = OpenRequests(per_address=3)
    for number in range(1000):
        assert requests.enter(f"192.0.2.{number}")
        requests.leave(f"192.0.2.{number}")
    assert len(requests) == 0
    assert not requests._by_address
