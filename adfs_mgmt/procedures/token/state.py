"""What a rollover of token certificates remembers, and the view that its stages have. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import msgspec

from adfs_mgmt.farm import Use
from adfs_mgmt.procedures.view import FarmView, RolloverPolicy

NEW = "0" * 40
"""Stands for the thumbprint of a certificate that does not exist yet, in plans that are shown."""


class ReplacedState(msgspec.Struct, frozen=True, kw_only=True):
    """Certificates that are replaced, by use, as thumbprints."""

    uses: tuple[Use, ...]
    old: dict[Use, str]
    """In use at the start."""
    known: dict[Use, tuple[str, ...]]
    """All that the farm had at the start."""
    new: dict[Use, str] = {}
    """What replaces them, as far as it is known."""
    auto: bool
    """AutoCertificateRollover, as it was."""
    auto_after: bool
    """As it is to be afterwards."""


class TokenState(ReplacedState, frozen=True, kw_only=True):
    """Of a planned rollover."""

    supplied: bool
    """The certificate was given; otherwise AD FS makes it."""
    material: bool
    """Its key is here, so that it can be imported; otherwise it is in the stores already."""
    slots: dict[str, tuple[str, ...]] = {}
    """What each federated domain had at the start, for people."""
    publish_for: float | None = None
    """Seconds that partners get, where that was agreed on; else the policy's."""
    retire_after: float | None = None
    """Seconds for which the way back stays open, likewise."""


class EmergencyState(ReplacedState, frozen=True, kw_only=True):
    """What an emergency must remember: the keys that may be stolen, and how automatic rollover was set."""


ReplacedT = TypeVar("ReplacedT", bound=ReplacedState)


@dataclass(frozen=True, slots=True)
class TokenRolloverView(FarmView[ReplacedT], Generic[ReplacedT]):
    """A farm whose token certificates are replaced."""

    @property
    def uses(self) -> tuple[Use, ...]:
        """What is replaced."""
        return self.state.uses

    @property
    def signing(self) -> bool:
        """Whether token-signing is, which partners must know."""
        return Use.SIGNING in self.state.uses

    def old(self, use: Use) -> str:
        """Thumbprint that is replaced."""
        return self.state.old.get(use, "")

    def new(self, use: Use) -> str:
        """Thumbprint that replaces it; empty while nobody knows it."""
        return self.state.new.get(use, "")


def agreed(state: TokenState, policy: RolloverPolicy) -> RolloverPolicy:
    """The policy with the waiting times that were agreed on when the work started."""
    keys = policy.keys
    publish_for = keys.publish_for if state.publish_for is None else state.publish_for
    retire_after = keys.retire_after if state.retire_after is None else state.retire_after
    return replace(policy, keys=replace(keys, publish_for=publish_for, retire_after=retire_after))


def with_placeholders(state: ReplacedT) -> ReplacedT:
    """For a plan: what AD FS has yet to make stands there as zeros."""
    return msgspec.structs.replace(state, new=dict.fromkeys(state.uses, NEW) | state.new)
