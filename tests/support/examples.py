"""How many examples hypothesis makes up: in `make test-long` many times as many."""

from __future__ import annotations

from hypothesis import settings

LONG_EXAMPLES = 3000
"""What a test without a number of its own tries in `make test-long`, instead of hypothesis's usual 100."""


def examples(usual: int) -> int:
    """For a test whose examples are dear: the number in `make test`, in the proportion of the profile that is loaded."""
    return max(1, usual * settings().max_examples // 100)
