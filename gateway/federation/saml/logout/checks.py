"""What a LogoutRequest has to be, and what a LogoutResponse says: small checks in their order. Pure.

A request that is not proven to be the party's is answered with a page; the others with a status.
"""

from __future__ import annotations

from collections.abc import Sequence

from foundation.saml import LogoutRequest, LogoutResponse
from gateway.federation.saml.checks import AHEAD, OLDEST
from gateway.federation.saml.errors import PartyRefused, StatusRefused
from gateway.federation.saml.names import PARTIAL_LOGOUT, REQUEST_DENIED, SUCCESS
from gateway.federation.saml.parties import Party
from gateway.signin import Departure


def check_proof(request: LogoutRequest, party: Party, *, destination: str, signed: bool) -> None:
    """Whose request it is, and that it was meant for us. Raises PartyRefused.

    saml-profiles-2.0-os section 4.4.4.1: it has to be signed, whatever the trust says of requests to sign in. Destination:
    saml-bindings-2.0-os sections 3.4.5.2, 3.5.5.2; by SOAP it may be left out.
    """
    if not signed:
        raise PartyRefused("a LogoutRequest has to be signed")
    if request.issuer != party.entity_id:
        raise PartyRefused("what is signed names another issuer")
    if request.destination != destination:
        raise PartyRefused(f"it is meant for {request.destination or 'nobody'}, not for {destination}")


def check_request_time(request: LogoutRequest, now: float) -> None:
    """It was made lately, and has not expired. Raises StatusRefused."""
    if not now - OLDEST <= request.issued <= now + AHEAD:
        raise StatusRefused(f"it was issued {now - request.issued:.0f} s ago", REQUEST_DENIED)
    if request.expires and request.expires <= now - AHEAD:
        raise StatusRefused(f"it expired {now - request.expires:.0f} s ago", REQUEST_DENIED)


def check_response(response: LogoutResponse, party: Party, *, destination: str, signed: bool) -> None:
    """The party says that it has ended its session. Raises PartyRefused with why that is not so.

    saml-profiles-2.0-os section 4.4.4.2. destination: empty where the message came back by SOAP.
    """
    if destination and not signed:
        raise PartyRefused("its LogoutResponse is not signed")
    if response.issuer != party.entity_id:
        raise PartyRefused("the LogoutResponse names another issuer")
    if destination and response.destination != destination:
        raise PartyRefused(f"its LogoutResponse is meant for {response.destination or 'nobody'}")
    if not response.succeeded:
        raise PartyRefused(f"it answers {' '.join(response.status)[:300]}")


def logout_status(departures: Sequence[Departure]) -> tuple[str, ...]:
    """What the party that asked is told: its session and ours have ended either way (saml-core-2.0-os section 3.7.3.2)."""
    everywhere = all(departure.outcome == "told" for departure in departures)
    return (SUCCESS,) if everywhere else (SUCCESS, PARTIAL_LOGOUT)
