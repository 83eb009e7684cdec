"""Settings of federation that hold for all trusts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from certs import KeyPolicy
from settings import Bounds, OrEmpty, Unfit, network, proxy_address

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
MAX_AGE = 3600.0
"""Seconds that the key set may be cached at most: so soon a partner that asks anew learns of an emergency."""


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
class KeySettings:
    """When signing keys are replaced, and how much time applications have to notice. The same on every node."""

    oidc_lifetime: float = 180 * _DAY
    """Lifetime of a key that signs OpenID Connect tokens, in seconds; applications read the new one by themselves."""
    saml_lifetime: float = 3 * 365 * _DAY
    """Lifetime of a SAML certificate, in seconds; for many applications somebody has to install the new one."""
    create_before: float = 30 * _DAY
    """Time before the end of a key at which its successor is made and published, in seconds."""
    publish_for: float = 5 * _DAY
    """Minimum time for which a key is published before it signs, in seconds; longer where an application reads the
    keys less often (`keys.within` of its trust)."""
    retire_after: float = 2 * _DAY
    """Time for which a replaced key stays published, in seconds; longer than anything lives that it has signed."""
    critical: float = 2 * _DAY
    """Time before the end of a key at which its successor takes over even if applications have not acknowledged it,
    in seconds."""
    lead: Annotated[float, Bounds(most=3600)] = 120.0
    """Time between the decision that a key takes over and the moment at which all nodes sign with it, in seconds;
    longer than clocks of nodes may differ (2 s) and than a node serves without news from the store."""

    def contradictions(self) -> Iterator[Unfit]:
        """Periods that leave no time for the next one."""
        if self.critical + self.publish_for > self.create_before:
            remedy = f"at least critical + publish_for, {self.critical + self.publish_for:g}"
            yield Unfit("is too short for a successor to be published in time", remedy, setting="create_before")
        for name, lifetime in (("oidc_lifetime", self.oidc_lifetime), ("saml_lifetime", self.saml_lifetime)):
            if lifetime <= self.create_before:
                remedy = f"more than create_before, {self.create_before:g}"
                yield Unfit("ends before its successor would be made", remedy, setting=name)
        if self.lead > self.publish_for:
            yield Unfit("is longer than publish_for", f"at most {self.publish_for:g}", setting="lead")

    @property
    def policy(self) -> KeyPolicy:
        """For the state machine of every key that rolls over."""
        return KeyPolicy(
            create_before=self.create_before,
            publish_for=self.publish_for,
            retire_after=self.retire_after,
            critical=self.critical,
        )

    @property
    def max_age(self) -> int:
        """Whole seconds that key set and metadata may be cached: a quarter of the time for which a key is published before
        it signs, so that a copy that was read too early is old long before it is wrong."""
        return int(min(MAX_AGE, self.publish_for / 4))

    def lifetime(self, ring: str) -> float:
        """Of a new key of a ring, in seconds."""
        return self.oidc_lifetime if ring == "oidc" else self.saml_lifetime


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
    checks_per_minute: Annotated[int, Bounds(least=1, most=100_000)] = 300
    """Maximum number of accounts behind unused sessions and refresh tokens that the relay looks up in a minute, to see
    whether they are still enabled. Less than `lookups_per_minute` of an agent, which answers for used ones, too."""
    address_rate: Annotated[int, Bounds(most=10_000_000)] = 60_000
    """Maximum number of requests a minute from one address to the OpenID Connect endpoints, on each node."""
    client_rate: Annotated[int, Bounds(most=10_000_000)] = 60_000
    """Maximum number of requests a minute of one OpenID Connect client to the endpoints that servers call, on each node."""
    ca_file: Path | None = None
    """CA certificates (PEM) for the HTTPS certificates of applications' servers that the relay connects to, in addition to
    the system's certificate store."""
    application_networks: tuple[Annotated[str, network], ...] = ()
    """Private networks (such as `10.20.0.0/16`) in which the relay may connect to applications' servers, to sign users out
    and to read metadata, keys and logos. Everywhere else it connects to public addresses only. Loopback and link-local
    addresses and the metadata services of clouds have to be named exactly: a larger network does not include them."""
    proxy: Annotated[str, OrEmpty(proxy_address)] = ""
    """HTTP proxy (`http://host:port`) for applications' servers with public addresses. Servers in `application_networks` are
    asked directly. The environment's proxies are not used. Empty or `none`: no proxy."""
    lifetimes: LifetimeSettings = field(default_factory=LifetimeSettings)
    """Lifetimes of codes, tokens and assertions."""
    keys: KeySettings = field(default_factory=KeySettings)
    """Signing keys and their replacement."""
