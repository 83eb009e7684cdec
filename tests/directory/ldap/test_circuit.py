"""Up, down, probing: when a domain controller is asked again."""

from __future__ import annotations

from directory.ldap.circuit import Circuit

NOW = 1_800_000_000.0


def test_a_circuit_is_down_at_once_probed_once_and_up_again() -> None:
    """UP, DOWN, one probe, UP."""
    circuit = Circuit(first_pause=2, longest_pause=8, probe_seconds=10)
    assert circuit.failed("refused", NOW)
    assert not circuit.may_probe(NOW + 1.9)
    assert circuit.may_probe(NOW + 2)
    assert not circuit.may_probe(NOW + 2.1)
    assert circuit.succeeded()
    assert (circuit.state, circuit.failures) == ("up", 0)
    assert not circuit.succeeded()


def test_the_pause_doubles_up_to_its_ceiling() -> None:
    """2, 4, 8, 8 …; a late failure of a server that is down changes nothing."""
    circuit = Circuit(first_pause=2, longest_pause=8, probe_seconds=10)
    now, pauses = NOW, []
    circuit.failed("x", now)
    for _ in range(4):
        pauses.append(circuit.pause)
        circuit.failed("late", now)
        now = circuit.retry_at
        assert circuit.may_probe(now)
        circuit.failed("x", now)
    assert pauses == [2, 4, 8, 8]


def test_a_clock_that_jumps_back_makes_the_next_try_due_at_once() -> None:
    """Rather than never."""
    circuit = Circuit(first_pause=2, longest_pause=8, probe_seconds=10)
    circuit.failed("x", NOW)
    assert circuit.may_probe(NOW - 3600)


def test_a_probe_that_is_never_reported_is_given_up() -> None:
    """After `probe_seconds` somebody else may try."""
    circuit = Circuit(first_pause=2, longest_pause=8, probe_seconds=10)
    circuit.failed("x", NOW)
    assert circuit.may_probe(NOW + 2)
    assert not circuit.may_probe(NOW + 11.9)
    assert circuit.may_probe(NOW + 12)
