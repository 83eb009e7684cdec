"""The relay's signing keys are replaced while people sign in: what an administrator orders, and what can be seen of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from demo.stand import Stand

RINGS = ("oidc", "saml")
PERIODS = """
[server.federation.keys]
lead = 3
publish_for = 8
retire_after = 32

[server.federation.lifetimes]
access_token = 20
id_token = 20
assertion = 30
"""
"""What takes days takes seconds: a key is published for 11 s before it signs (see `WITHIN`), and for 32 s after it did,
which is longer than anything lives that it has signed."""
WITHIN = 6
"""Seconds within which both applications have read the new keys."""


@dataclass(frozen=True, slots=True)
class ShownRing:
    """Of one ring: its active keys, and whether a replacement is under way."""

    active: frozenset[str]
    keys: frozenset[str]
    in_progress: bool
    standing: str


class SigningKeyRollover:
    """Orders it, and follows it."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self.before = self.rings()

    def order(self) -> None:
        """As an administrator does. Raises StandFailed."""
        for ring in RINGS:
            self._stand.run("certs", "rollover", ring, "--config", str(self._stand.relay_config), "--yes", "--json")

    def rings(self) -> dict[str, ShownRing]:
        """As `isthmus certs list` shows them. Raises StandFailed."""
        found = json.loads(self._stand.run("certs", "list", "--config", str(self._stand.relay_config), "--json"))
        return {view["ring"]: _state(view) for view in found if view["ring"] in RINGS}

    def replaced(self, ring: str, now: ShownRing) -> bool:
        """All keys of a ring are new ones, and the old ones are gone."""
        return not now.in_progress and not now.keys & self.before[ring].keys and now.active == now.keys

    def shown(self, ring: str) -> int:
        """How many keys applications are shown by address: key set, or metadata."""
        if ring == "oidc":
            return len(json.loads(self._stand.get("/oidc/jwks")[1])["keys"])
        return len(re.findall(rb'use="signing"', self._stand.get("/saml/metadata")[1]))


def _state(view: dict[str, object]) -> ShownRing:
    keys, rollover = view["keys"], view["rollover"]
    assert isinstance(keys, list)  # noqa: S101 - as the command prints it
    return ShownRing(
        active=frozenset(key["id"] for key in keys if key["state"] == "active"),
        keys=frozenset(key["id"] for key in keys),
        in_progress=isinstance(rollover, dict) and not rollover["finished"],
        standing=str(rollover["standing"]) if isinstance(rollover, dict) else "",
    )
