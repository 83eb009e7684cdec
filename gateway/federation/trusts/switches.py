"""Switches of a trust: what a real component wants although a specification does not say so. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class TrustSwitch(NamedTuple):
    """One switch; it is false unless a trust sets it."""

    protocol: Literal["oidc", "saml"]
    meaning: str


SWITCHES: Mapping[str, TrustSwitch] = {
    "escape_plus": TrustSwitch("saml", "`+` in the NameID is written `.2B`, as Microsoft Entra ID wants its ImmutableID"),
    "reused_assertions": TrustSwitch(
        "oidc",
        "a client's signed assertion (`private_key_jwt`) may be used until it expires, as msal does",
    ),
}
"""By name. docs/reference/trusts.md lists them."""
