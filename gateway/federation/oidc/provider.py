"""The OpenID provider, put together: endpoints, grant types, and what they share."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from foundation.listener import Handler
from gateway.federation.keys import SigningKeys
from gateway.federation.metrics import FederationMetrics
from gateway.federation.oidc.answers import error_answer
from gateway.federation.oidc.client_authentication import ClientAuthentication
from gateway.federation.oidc.client_keys import ClientKeys
from gateway.federation.oidc.codes import Codes
from gateway.federation.oidc.context import OidcContext, OidcEndpoint
from gateway.federation.oidc.cross_origin import CrossOrigin
from gateway.federation.oidc.device_codes import DeviceCodes
from gateway.federation.oidc.endpoints.authorization import AuthorizationEndpoint
from gateway.federation.oidc.endpoints.consent import ConsentEndpoint
from gateway.federation.oidc.endpoints.device_authorization import DEVICE_AUTHORIZATION, DeviceAuthorizationEndpoint
from gateway.federation.oidc.endpoints.device_pages import DevicePages
from gateway.federation.oidc.endpoints.discovery import DiscoveryEndpoint
from gateway.federation.oidc.endpoints.introspection import INTROSPECT, IntrospectionEndpoint
from gateway.federation.oidc.endpoints.logout import EndSessionEndpoint
from gateway.federation.oidc.endpoints.pushed_requests import PAR, PushedRequestEndpoint
from gateway.federation.oidc.endpoints.revocation import REVOKE, RevocationEndpoint
from gateway.federation.oidc.endpoints.token import TOKEN, TokenEndpoint
from gateway.federation.oidc.endpoints.userinfo import UserinfoEndpoint
from gateway.federation.oidc.errors import TooManyRequests
from gateway.federation.oidc.grant_checks import GrantChecks
from gateway.federation.oidc.grant_types.authorization_code import AuthorizationCodeGrant
from gateway.federation.oidc.grant_types.client_credentials import ClientCredentialsGrant
from gateway.federation.oidc.grant_types.device_code import DeviceCodeGrant
from gateway.federation.oidc.grant_types.password import PasswordGrant
from gateway.federation.oidc.grant_types.refresh_token import RefreshTokenGrant
from gateway.federation.oidc.issuance import TokenIssuance
from gateway.federation.oidc.limits import RequestLimits
from gateway.federation.oidc.person_claims import PersonClaims
from gateway.federation.oidc.pushed_requests import PushedRequests
from gateway.federation.oidc.refusal import error_page, log_refusal
from gateway.federation.oidc.tokens import Tokens
from gateway.federation.outbound import DocumentSource
from gateway.federation.participants import Participants
from gateway.federation.rates import SharedRates
from gateway.federation.settings import FederationSettings
from gateway.federation.transactions import Resume, Transactions
from gateway.federation.trials import Trials
from gateway.federation.trusts import TrustRegistry
from gateway.relay import CLIENT_ADDRESS, Authenticator
from gateway.signin import CookieSigner, Seal, SignInPages
from gateway.store import Store


class OpenIdProvider:
    """issuer: the relay's public address without a slash at its end. secret: of subjects of our own. clock: Unix seconds."""

    def __init__(
        self,
        settings: FederationSettings,
        store: Store,
        trusts: TrustRegistry,
        keys: SigningKeys,
        signin: SignInPages,
        transactions: Transactions,
        participants: Participants,
        trials: Trials,
        *,
        issuer: str,
        secret: bytes,
        checks: GrantChecks,
        authenticator: Authenticator,
        rates: SharedRates,
        documents: DocumentSource,
        logo: Callable[[str], str],
        clock: Callable[[], float],
        metrics: FederationMetrics,
    ) -> None:
        context = OidcContext(
            issuer=issuer,
            store=store,
            trusts=trusts,
            keys=keys,
            tokens=Tokens(issuer, keys, Seal(store.keyring, "oidc access tokens", clock)),
            codes=Codes(CookieSigner(store.keyring, "oidc codes"), store.once),
            claims=PersonClaims(secret),
            checks=checks,
            limits=RequestLimits(rates, settings, clock),
            client_keys=ClientKeys(documents, clock),
            participants=participants,
            trials=trials,
            logo=logo,
            settings=settings,
            clock=clock,
            metrics=metrics,
        )
        issuance, cross_origin = TokenIssuance(context), CrossOrigin(trusts)
        clients = ClientAuthentication(context, (TOKEN, INTROSPECT, REVOKE, PAR, DEVICE_AUTHORIZATION))
        device_codes = DeviceCodes(Seal(store.keyring, "oidc device codes", clock), store.once, store.seen)
        grant_types = (
            AuthorizationCodeGrant(context, issuance),
            RefreshTokenGrant(context, issuance),
            ClientCredentialsGrant(context),
            DeviceCodeGrant(context, issuance, device_codes),
            PasswordGrant(context, issuance, authenticator),
        )
        pushed = PushedRequests(context)
        self._limits, self._signin, self._cross_origin = context.limits, signin, cross_origin
        consent = ConsentEndpoint(context, signin, transactions)
        self._authorization = AuthorizationEndpoint(context, signin, transactions, consent, pushed)
        endpoints: list[OidcEndpoint] = [
            self._authorization,
            consent,
            TokenEndpoint(context, clients, grant_types, cross_origin),
            PushedRequestEndpoint(context, clients, pushed),
            UserinfoEndpoint(context, cross_origin),
            IntrospectionEndpoint(context, clients),
            RevocationEndpoint(context, clients, cross_origin),
            DeviceAuthorizationEndpoint(context, clients, device_codes),
            DevicePages(context, signin, device_codes),
            EndSessionEndpoint(context, signin, participants),
        ]
        self._endpoints = [*endpoints, DiscoveryEndpoint(context, endpoints, keys.settings.max_age)]
        self._pages = frozenset(path for endpoint in self._endpoints for path in endpoint.pages)

    @property
    def resume(self) -> Resume:
        """What continues a sign-in of this protocol."""
        return self._authorization.resume

    def add_routes(self, app: web.Application) -> None:
        """All addresses."""
        for endpoint in self._endpoints:
            endpoint.add_routes(app)
        app.middlewares.append(self._limited)

    @web.middleware
    async def _limited(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """No address sends more than it may. People are told on a page, scripts of other origins can read the answer."""
        is_page = request.path in self._pages
        if not is_page and not request.path.startswith("/oidc/"):
            return await handler(request)
        try:
            self._limits.check_address(request[CLIENT_ADDRESS])
        except TooManyRequests as refused:
            if is_page:
                return error_page(request, self._signin, refused)
            log_refusal(request, refused)
            return self._cross_origin.let_read(request, error_answer(refused))
        return await handler(request)
