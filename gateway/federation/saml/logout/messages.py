"""LogoutRequests and LogoutResponses of our own, signed, by each binding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foundation.saml import MessageName, encrypt_name, posted
from gateway.federation.keys import SigningKey
from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.documents import new_id, write_logout_request, write_logout_response
from gateway.federation.saml.errors import PartyRefused
from gateway.federation.saml.logout.subjects import Stop
from gateway.federation.saml.parties import LogoutEndpoint, Party

LIFETIME = 300.0
"""Seconds for which a LogoutRequest of ours is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedMessage:
    """A message that a browser carries."""

    url: str = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the form that is posted there; none: the browser is just sent there."""


def browser_endpoint(party: Party) -> LogoutEndpoint | None:
    """Where a browser is sent for the party's logout: the first that it names."""
    return next((endpoint for endpoint in party.logout if endpoint.binding in {"redirect", "post"}), None)


def soap_endpoint(party: Party) -> LogoutEndpoint | None:
    """Where the party is told without a browser. HTTPS alone: nothing else proves that its answer is its own."""
    soap = (endpoint for endpoint in party.logout if endpoint.binding == "soap")
    return next((endpoint for endpoint in soap if endpoint.url.startswith("https://")), None)


class LogoutMessages:
    """Writes them. All raise NoSigningKey; requests also PartyRefused and SamlError, where a name cannot be encrypted."""

    def __init__(self, context: SamlContext) -> None:
        self._context = context

    def request(self, party: Party, endpoint: LogoutEndpoint, message_id: str, stop: Stop) -> CarriedMessage:
        """Ask a party, by the browser, to end its session."""
        document, key = self._request(party, endpoint, message_id, stop), self._context.key(stop.tried)
        return self._carried(party, endpoint.binding, endpoint.url, "SAMLRequest", document, message_id, "", key)

    def soap_request(self, party: Party, endpoint: LogoutEndpoint, message_id: str, stop: Stop) -> bytes:
        """The same as a message that is signed in itself."""
        document = self._request(party, endpoint, message_id, stop)
        return self._context.sign(document, message_id, party, self._context.key(stop.tried))

    def response(
        self,
        party: Party,
        endpoint: LogoutEndpoint,
        asked: str,
        status: Sequence[str],
        relay_state: str,
        tried: str,
    ) -> CarriedMessage:
        """Answer a party by the browser. asked: ID of its request. tried: as of `Stop`."""
        message_id, url, key = new_id(), endpoint.answers, self._context.key(tried)
        document = self._response(message_id, url, asked, status)
        return self._carried(party, endpoint.binding, url, "SAMLResponse", document, message_id, relay_state, key)

    def soap_response(self, party: Party, asked: str, status: Sequence[str], tried: str) -> bytes:
        """The same as a message that is signed in itself."""
        message_id = new_id()
        document = self._response(message_id, "", asked, status)
        return self._context.sign(document, message_id, party, self._context.key(tried))

    def _request(self, party: Party, endpoint: LogoutEndpoint, message_id: str, stop: Stop) -> bytes:
        document = write_logout_request(
            id=message_id,
            issuer=self._context.entity_id,
            destination=endpoint.url,
            name_id=stop.subject.name_id,
            session_index=stop.index,
            now=self._context.clock(),
            lifetime=LIFETIME,
        )
        if not (stop.subject.encrypted or party.trust.saml.encrypt_name_id):
            return document
        if party.encryption is None:
            raise PartyRefused("no certificate to encrypt its name for is known")
        return encrypt_name(document, party.encryption, party.trust.saml.encryption_cipher)

    def _response(self, message_id: str, destination: str, asked: str, status: Sequence[str]) -> bytes:
        return write_logout_response(
            id=message_id,
            issuer=self._context.entity_id,
            destination=destination,
            in_response_to=asked,
            now=self._context.clock(),
            status=status,
        )

    def _carried(
        self,
        party: Party,
        binding: str,
        url: str,
        name: MessageName,
        document: bytes,
        message_id: str,
        relay_state: str,
        key: SigningKey,
    ) -> CarriedMessage:
        if binding == "redirect":
            query = self._context.sign_query(name, document, relay_state, party, key)
            return CarriedMessage(url=f"{url}{'&' if '?' in url else '?'}{query}")
        state = {"RelayState": relay_state} if relay_state else {}
        signed = self._context.sign(document, message_id, party, key)
        return CarriedMessage(url=url, fields={name: posted(signed), **state})
