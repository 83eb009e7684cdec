"""The fuzz target finds nothing in what it is given here, and would find something if there were something."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import fuzz_oidc
from tests.fuzz.fuzz_oidc import STAGES, fuzz_one
from tests.fuzz.fuzz_protocol import Finding
from tests.support.examples import examples


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(0, len(STAGES) - 1), st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(stage: int, data: bytes) -> None:
    """Each stage by itself: an exception that escapes is a finding."""
    fuzz_one(bytes([stage]) + data)


@pytest.mark.parametrize("stage", range(len(STAGES)))
def test_each_stage_reaches_what_it_attacks(stage: int) -> None:
    """Without a change it is read: a target that attacks nothing finds nothing."""
    assert fuzz_one(bytes([stage]) + bytes(20)) is not None


def test_a_verifier_that_accepts_everything_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The target compares what was read with what was signed."""

    def accept(_text: str, _find: Any, *, types: Any) -> dict[str, Any]:
        return {"sub": "somebody else"}

    monkeypatch.setattr(fuzz_oidc, "verify", accept)
    with pytest.raises(Finding):
        fuzz_one(bytes([2]) + bytes(20))


def test_an_open_redirect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where any address would do."""
    monkeypatch.setattr(fuzz_oidc, "check_redirect_uri", lambda _client, _uri: None)
    at = fuzz_oidc.QUERY.index(b"app.example.com")
    with pytest.raises(Finding):
        fuzz_one(bytes([0, 0, 0, 1]) + at.to_bytes(2, "big") + bytes([4]) + b"evil" + bytes(4))
