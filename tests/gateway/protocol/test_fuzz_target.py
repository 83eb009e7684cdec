"""The fuzz target finds nothing in what it is given here, and would find something if there were something."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.events import Closed
from tests.fuzz.fuzz_protocol import STAGES, fuzz_one
from tests.support.examples import examples


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, len(STAGES) - 1), st.binary(max_size=400))
def test_whatever_comes_a_session_gives_events_or_ends(stage: int, data: bytes) -> None:
    """Each stage by itself: an exception that escapes is a finding."""
    fuzz_one(bytes([stage]) + data)


@pytest.mark.parametrize("stage", range(len(STAGES)))
def test_each_stage_reaches_the_sessions(stage: int) -> None:
    """Something comes of it: a target that attacks nothing finds nothing."""
    chance = random.Random(stage)  # noqa: S311 - the same inputs each time
    kinds = {type(event) for _ in range(60) for event in fuzz_one(bytes([stage]) + chance.randbytes(300))}
    assert Closed in kinds
