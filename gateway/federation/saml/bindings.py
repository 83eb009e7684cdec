"""From a browser's request to a message whose sender is known. The bindings: saml-bindings-2.0-os sections 3.4 and 3.5.

Two readings: of the first, only the issuer counts, and only to find the keys; the second is of what was verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

from foundation.saml import (
    AUTHN_REQUEST,
    AuthnRequest,
    MessageName,
    RedirectMessage,
    has_signature,
    read_authn_request,
    read_envelope,
    read_posted,
    read_redirect,
    verify_enveloped,
    verify_redirect,
)
from gateway.federation.saml.errors import PartyRefused
from gateway.federation.saml.parties import Parties, Party
from gateway.relay import read_body

MAX_FORM = 512 * 1024
"""Bytes."""
_MAX_RELAY_STATE = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage:
    """What came, by either binding; nothing is verified yet."""

    name: MessageName
    document: bytes = field(repr=False)
    relay_state: str = field(repr=False)
    redirect: RedirectMessage | None = field(default=None, repr=False)
    """Of HTTP-Redirect: the signature is over its query as it was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingRequest:
    """A request, and whose it is."""

    request: AuthnRequest
    party: Party
    signed: bool
    relay_state: str = field(repr=False)


async def read_request(request: web.Request, parties: Parties) -> IncomingRequest:
    """An AuthnRequest. A signature that is there has to hold, also where none is wanted. Raises PartyRefused, SamlError."""
    incoming = await read_message(request, "SAMLRequest")
    asked = read_authn_request(incoming.document)
    party = find_party(parties, asked.issuer)
    verified, signed = verify_message(incoming, party, AUTHN_REQUEST)
    if verified is not incoming.document:
        asked = read_authn_request(verified)
    return IncomingRequest(request=asked, party=party, signed=signed, relay_state=incoming.relay_state)


async def read_message(request: web.Request, *names: MessageName) -> IncomingMessage:
    """One of these, by whichever binding it came. Raises PartyRefused, SamlError."""
    if request.method == "POST":
        form = await _read_form(request)
        found = [name for name in names if name in form]
        if len(found) != 1:
            raise PartyRefused(f"its form has {len(found)} of {' and '.join(names)} instead of one")
        document = read_posted(form[found[0]])
        return IncomingMessage(name=found[0], document=document, relay_state=form.get("RelayState", ""))
    message = read_redirect(request.rel_url.raw_query_string)
    if message.name not in names:
        raise PartyRefused(f"it has a {message.name} instead of a {' or '.join(names)}")
    return IncomingMessage(name=message.name, document=message.document, relay_state=message.relay_state, redirect=message)


async def read_soap(request: web.Request) -> IncomingMessage:
    """The request in an envelope. Raises PartyRefused, SamlError."""
    try:
        body = await read_body(request, MAX_FORM)
    except web.HTTPException as error:
        raise PartyRefused("its envelope cannot be read") from error
    return IncomingMessage(name="SAMLRequest", document=read_envelope(body), relay_state="")


def find_party(parties: Parties, issuer: str) -> Party:
    """Raises PartyRefused."""
    party = parties.find(issuer)
    if party is None:
        raise PartyRefused(f"no trust has the entity ID {issuer[:200]!r}")
    return party


def verify_message(incoming: IncomingMessage, party: Party, tag: str) -> tuple[bytes, bool]:
    """What may be read, and whether the party signed it. Raises SamlError."""
    sha1 = party.trust.saml.accept_sha1
    if (message := incoming.redirect) is not None:
        if message.signed:
            verify_redirect(message, party.signing, sha1=sha1)
        return message.document, message.signed
    if not has_signature(incoming.document, "message"):
        return incoming.document, False
    verified = verify_enveloped(incoming.document, party.signing, "message", root_tags=(tag,), sha1=sha1)
    return verified.document, True


async def _read_form(request: web.Request) -> dict[str, str]:
    """The binding's fields; one that is there twice is refused (two readers would take two different ones)."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise PartyRefused(f"a POST of {request.content_type[:100]}")
    try:
        body = (await read_body(request, MAX_FORM)).decode("ascii")
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=20, errors="strict")
    except (web.HTTPException, ValueError) as error:
        raise PartyRefused("its form cannot be read") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise PartyRefused("its form has a field twice")
    if len(form.get("RelayState", "").encode("utf-8", "replace")) > _MAX_RELAY_STATE:
        raise PartyRefused("its RelayState is too long")
    return form
