"""Up, down, probing: when a domain controller is asked again."""

from __future__ import annotations

from directory.ldap.availability import Availability

NOW = 1_800_000_000.0


def test_a_controller_is_down_at_once_probed_once_and_up_again() -> None:
    """UP, DOWN, one probe, UP."""
    availability = Availability(first_pause=2, longest_pause=8, probe_seconds=10)
    assert availability.failed("refused", NOW)
    assert not availability.may_probe(NOW + 1.9)
    assert availability.may_probe(NOW + 2)
    assert not availability.may_probe(NOW + 2.1)
    assert availability.succeeded()
    assert (availability.state, availability.failures) == ("up", 0)
    assert not availability.succeeded()


def test_the_pause_doubles_up_to_its_ceiling() -> None:
    """2, 4, 8, 8 …; a late failure of a server that is down changes nothing."""
    availability = Availability(first_pause=2, longest_pause=8, probe_seconds=10)
    now, pauses = NOW, []
    availability.failed("x", now)
    for _ in range(4):
        pauses.append(availability.pause)
        availability.failed("late", now)
        now = availability.retry_at
        assert availability.may_probe(now)
        availability.failed("x", now)
    assert pauses == [2, 4, 8, 8]


def test_whoever_looks_anyway_need_not_wait() -> None:
    """And spares everybody else the probe; one that is up stays so."""
    availability = Availability(first_pause=2, longest_pause=8, probe_seconds=10)
    states = []
    availability.begin_probe(NOW)
    states.append(availability.state)
    availability.failed("x", NOW)
    availability.begin_probe(NOW + 1)
    assert [*states, availability.state] == ["up", "probing"]
    assert not availability.may_probe(NOW + 2)
    availability.failed("x", NOW + 2)
    assert not availability.may_probe(NOW + 5.9)
    assert availability.may_probe(NOW + 6)


def test_a_clock_that_jumps_back_makes_the_next_try_due_at_once() -> None:
    """Rather than never."""
    availability = Availability(first_pause=2, longest_pause=8, probe_seconds=10)
    availability.failed("x", NOW)
    assert availability.may_probe(NOW - 3600)


def test_a_probe_that_is_never_reported_is_given_up() -> None:
    """After `probe_seconds` somebody else may try."""
    availability = Availability(first_pause=2, longest_pause=8, probe_seconds=10)
    availability.failed("x", NOW)
    assert availability.may_probe(NOW + 2)
    assert not availability.may_probe(NOW + 11.9)
    assert availability.may_probe(NOW + 12)
