"""The fuzz target finds nothing in what it is given here, and would find something if there were something."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.saml import RedirectMessage
from tests.foundation.saml.parties import party
from tests.fuzz import fuzz_saml
from tests.fuzz.fuzz_protocol import Finding
from tests.fuzz.fuzz_saml import QUERY, STAGES, fuzz_one
from tests.support.examples import examples


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, len(STAGES) - 1), st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(stage: int, data: bytes) -> None:
    """Each stage by itself: an exception that escapes is a finding."""
    fuzz_one(bytes([stage]) + data)


@pytest.mark.parametrize("stage", range(3))
def test_each_stage_reaches_the_readers(stage: int) -> None:
    """Something is read, although it was changed: a target that attacks nothing finds nothing."""
    chance = random.Random(stage)  # noqa: S311 - the same inputs each time
    inputs = [bytes([stage, chance.randrange(256), 0]) + chance.randbytes(2) + bytes(4) for _ in range(200)]
    assert any(fuzz_one(data) for data in inputs)


def test_a_verifier_that_accepts_everything_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target compares what was read with what was signed."""

    def accept(_message: RedirectMessage, _keys: object) -> object:
        return party().certificate

    monkeypatch.setattr(fuzz_saml, "verify_redirect", accept)
    at = QUERY.index("RelayState=") + len("RelayState=")
    with pytest.raises(Finding):
        fuzz_one(bytes([0, 2, 0]) + at.to_bytes(2, "big") + b"\1x\0")
