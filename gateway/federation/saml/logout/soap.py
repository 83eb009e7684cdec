"""Tells parties by SOAP, without a browser (saml-bindings-2.0-os section 3.2)."""

from __future__ import annotations

import structlog

from foundation.http import FetchFailed
from foundation.saml import (
    LOGOUT_RESPONSE,
    SOAP_ACTION,
    SOAP_TYPE,
    SamlError,
    has_signature,
    read_envelope,
    read_logout_response,
    verify_enveloped,
    write_envelope,
)
from gateway.federation.keys import SigningKeyError
from gateway.federation.outbound import Outbound
from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.documents import new_id
from gateway.federation.saml.errors import PartyRefused
from gateway.federation.saml.logout.checks import check_response
from gateway.federation.saml.logout.messages import LogoutMessages, soap_endpoint
from gateway.federation.saml.logout.subjects import Stop, stop_of
from gateway.federation.saml.parties import LogoutEndpoint, Party
from gateway.federation.trusts import Trust
from gateway.signin import DepartureOutcome
from gateway.store import ParticipantRecord

log = structlog.get_logger()

MAX_ANSWER = 256 * 1024
"""Bytes."""


class SoapLogout:
    """Implements `LogoutChannel`."""

    def __init__(self, context: SamlContext, outbound: Outbound) -> None:
        self._context, self._outbound = context, outbound
        self._messages = LogoutMessages(context)

    async def tell(self, record: ParticipantRecord, trust: Trust) -> DepartureOutcome:
        """See `LogoutChannel`."""
        party = self._context.parties.of(trust.id)
        endpoint = soap_endpoint(party) if party is not None else None
        stop = stop_of(record, trust, self._context.clock())
        if party is None or endpoint is None or stop is None:
            return "no way"
        try:
            await self._ask(party, endpoint, stop)
        except (FetchFailed, SamlError, PartyRefused, SigningKeyError) as error:
            log.warning("saml.logout_failed", trust=trust.id, url=endpoint.url, reason=str(error))
            return "failed"
        return "told"

    async def _ask(self, party: Party, endpoint: LogoutEndpoint, stop: Stop) -> None:
        """Returns where the party says that its session has ended."""
        message_id = new_id()
        document = self._messages.soap_request(party, endpoint, message_id, stop)
        answer = read_envelope(await self._post(endpoint.url, write_envelope(document)))
        signed = has_signature(answer, "answer")
        if signed:
            sha1 = party.trust.saml.accept_sha1
            answer = verify_enveloped(answer, party.signing, "answer", root_tags=(LOGOUT_RESPONSE,), sha1=sha1).document
        response = read_logout_response(answer)
        if response.in_response_to != message_id:
            raise PartyRefused("it answers another request")
        check_response(response, party, destination="", signed=signed)

    async def _post(self, url: str, envelope: bytes) -> bytes:
        """The answer's body; how long that takes is the caller's to limit."""
        headers = {"SOAPAction": f'"{SOAP_ACTION}"'}
        answer = await self._outbound.post(
            url, envelope, content_type=f"{SOAP_TYPE}; charset=utf-8", headers=headers, most=MAX_ANSWER + 1
        )
        if answer.status != 200:
            raise PartyRefused(f"HTTP {answer.status}")
        return answer.body
