"""Which lifetime holds: the trust's, or else the relay's."""

from __future__ import annotations

import functools
from dataclasses import fields

from gateway.federation.settings import LifetimeSettings
from gateway.federation.trusts.model import Lifetimes


@functools.lru_cache(maxsize=256)  # of two values that do not change: most trusts have none of their own
def effective_lifetimes(own: Lifetimes, defaults: LifetimeSettings) -> Lifetimes:
    """All of a trust's lifetimes in seconds; `reauthenticate` alone stays 0 where the trust does not set it."""
    return Lifetimes(
        **{field.name: getattr(own, field.name) or getattr(defaults, field.name, 0.0) for field in fields(Lifetimes)}
    )
