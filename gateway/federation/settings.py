"""Settings of federation that hold for all trusts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from settings import Bounds

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimeSettings:
    """How long what applications are given is valid, in seconds, unless a trust says otherwise."""

    code: Annotated[float, Bounds(most=60)] = 30.0
    """An authorization code, from the redirect to the token request."""
    access_token: Annotated[float, Bounds(most=_DAY)] = 600.0
    """An access token. A JWT cannot be withdrawn before: a resource server that does not ask (introspection) accepts it
    until then."""
    id_token: Annotated[float, Bounds(most=_DAY)] = 600.0
    """An ID token."""
    refresh_idle: float = 14 * _DAY
    """A refresh token that is not used."""
    refresh_absolute: float = 90 * _DAY
    """All refresh tokens of one sign-in together, from the sign-in."""
    device_code: Annotated[float, Bounds(least=60, most=_HOUR)] = 600.0
    """A device code: the time that the user has to enter it."""
    assertion: Annotated[float, Bounds(least=30, most=_HOUR)] = 300.0
    """A SAML assertion, from its issue until the application has to have received it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationSettings:
    """Applications that users sign in to through this relay."""

    trusts_dir: Path | None = None
    """Directory of trust files (`ID.toml`), for configuration management. The relay reads changed files into its database; a
    trust whose file is removed is disabled, never deleted. All nodes need the same files, or none, for otherwise each
    would undo the other's changes. Empty: trusts are changed by commands only."""
    unchecked_lifetime: Annotated[float, Bounds(least=60, most=_DAY)] = _HOUR
    """Time for which sessions and refresh tokens stay valid in applications when no agent can say whether the account is
    still enabled, in seconds since the last answer."""
    lifetimes: LifetimeSettings = field(default_factory=LifetimeSettings)
    """Lifetimes of codes, tokens and assertions."""
