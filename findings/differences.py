"""How far two clocks are apart, as people read it. Pure."""

from __future__ import annotations


def difference(seconds: float, digits: int = 0) -> str:
    """Such as `+3 s`, `-2.5 s` or, without a sign, `0 s`. digits: after the point."""
    rounded = round(seconds, digits)
    return f"{rounded:+.{digits}f} s" if rounded else "0 s"
