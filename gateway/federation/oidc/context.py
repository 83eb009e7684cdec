"""What all endpoints of OpenID Connect share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from gateway.federation.metrics import FederationMetrics
from gateway.federation.oidc.client_keys import ClientKeys
from gateway.federation.oidc.codes import Codes
from gateway.federation.oidc.grant_checks import GrantChecks
from gateway.federation.oidc.limits import RequestLimits
from gateway.federation.oidc.person_claims import PersonClaims
from gateway.federation.oidc.ports import SigningKeySource, TrustSource
from gateway.federation.oidc.tokens import Tokens
from gateway.federation.participants import Participants
from gateway.federation.settings import FederationSettings
from gateway.federation.trials import Trials
from gateway.federation.trusts import Lifetimes, Trust, effective_lifetimes
from gateway.store import Store

TRUST = web.RequestKey("oidc_trust", str)
"""Id of the trust that a request is about, once that is known; for the log."""
NAMED_CLIENT = web.RequestKey("oidc_named_client", str)
"""The client_id that a request names, proven or not; for the log, which else says nothing of who has a wrong secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcContext:
    """Made once for each relay. clock: Unix seconds."""

    issuer: str
    """The relay's public address, without a slash at its end; never taken from a request."""
    store: Store
    trusts: TrustSource
    keys: SigningKeySource
    tokens: Tokens
    codes: Codes
    claims: PersonClaims
    checks: GrantChecks
    limits: RequestLimits
    client_keys: ClientKeys
    participants: Participants
    trials: Trials
    logo: Callable[[str], str]
    """Path of a trust's logo, by its id; empty: none."""
    settings: FederationSettings
    clock: Callable[[], float]
    metrics: FederationMetrics = field(default_factory=FederationMetrics)

    def lifetimes_of(self, trust: Trust) -> Lifetimes:
        """The trust's, or else the relay's."""
        return effective_lifetimes(trust.lifetimes, self.settings.lifetimes)


class OidcEndpoint(Protocol):
    """One address, or a few that belong together."""

    @property
    def pages(self) -> Sequence[str]:
        """Those that browsers open: a person sees what is refused."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What discovery says of it (RFC 8414 section 2)."""
        ...

    def add_routes(self, app: web.Application) -> None:
        """Serve it."""
        ...
