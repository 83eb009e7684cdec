"""What an AuthnRequest has to be: small checks in their order. Pure.

Before the answer's address is proven a refusal is a page (`PartyRefused`); afterwards it is a status for the party
(`StatusRefused`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from foundation.saml import AuthnRequest
from gateway.federation.claims import EMAIL_ADDRESS, TRANSIENT, ClaimsSubject
from gateway.federation.saml.errors import PartyRefused, StatusRefused
from gateway.federation.saml.names import (
    BINDING_POST,
    ENCRYPTED_FORMAT,
    INVALID_NAME_ID_POLICY,
    NO_AUTHN_CONTEXT,
    NO_PASSIVE,
    PASSWORD,
    PASSWORD_PROTECTED,
    REQUEST_UNSUPPORTED,
    RESPONDER,
    UNKNOWN_PRINCIPAL,
    UNSPECIFIED_CONTEXT,
    UNSPECIFIED_FORMAT,
    UNSUPPORTED_BINDING,
)
from gateway.federation.saml.parties import Party
from gateway.federation.trusts import AssertionConsumer

OLDEST = 600.0
"""Seconds for which a request is good: a person may have waited at a proxy's own page."""
AHEAD = 120.0
"""Seconds by which a party's clock may be ahead."""
FORMATS = (
    UNSPECIFIED_FORMAT,
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    TRANSIENT,
    EMAIL_ADDRESS,
)
"""As the metadata lists them: python3-saml asks for the first one from then on, which leaves the choice to the trust."""
_OPEN_FORMATS = frozenset(("", UNSPECIFIED_FORMAT, ENCRYPTED_FORMAT))
"""That leave it to the trust of which kind the name is (saml-core-2.0-os section 3.4.1.1, errata 05 E6)."""
_STRENGTH = (UNSPECIFIED_CONTEXT, PASSWORD, PASSWORD_PROTECTED)
"""What a sign-in with a password over TLS is, the weakest first (saml-authn-context-2.0-os section 3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRequest:
    """What an answer needs to know of a request."""

    consumer: AssertionConsumer
    name_id_format: str
    encrypt_name_id: bool = False
    context: str


def check_request(request: AuthnRequest, party: Party, *, destination: str, signed: bool, now: float) -> CheckedRequest:
    """All checks that need nobody signed in. destination: our own address. Raises PartyRefused, StatusRefused."""
    check_signed(party, signed=signed)
    check_destination(request, destination, signed=signed)
    consumer = choose_consumer(request, party)
    for check in _AFTER_CONSUMER:
        check(request, party)
    check_time(request, now)
    return CheckedRequest(
        consumer=consumer,
        name_id_format=choose_format(request, party),
        encrypt_name_id=request.name_id_format == ENCRYPTED_FORMAT,
        context=choose_context(request),
    )


def check_signed(party: Party, *, signed: bool) -> None:
    """An unsigned request where one has to be signed proves nobody (saml-profiles-2.0-os section 4.1.4.1)."""
    if party.requests_signed and not signed:
        raise PartyRefused("the request is not signed, and the trust demands it")


def check_destination(request: AuthnRequest, destination: str, *, signed: bool) -> None:
    """It was meant for us; a signed one has to say so (saml-bindings-2.0-os section 3.4.5.2)."""
    if request.destination and request.destination != destination:
        raise PartyRefused(f"it is meant for {request.destination}, not for {destination}")
    if signed and not request.destination:
        raise PartyRefused("it is signed, and does not say for whom (Destination)")


def choose_consumer(request: AuthnRequest, party: Party) -> AssertionConsumer:
    """Where the answer goes: one of the party's own addresses, compared letter by letter (section 4.1.4.1)."""
    if request.consumer_url and request.consumer_index is not None:
        raise PartyRefused("it names an address and an index for the answer")
    if request.consumer_url:
        found = [consumer for consumer in party.consumers if consumer.url == request.consumer_url]
        wanted = f"the address {request.consumer_url}"
    elif request.consumer_index is not None:
        found = [consumer for consumer in party.consumers if consumer.index == request.consumer_index]
        wanted = f"the index {request.consumer_index}"
    elif party.default_consumer is not None:
        return party.default_consumer
    else:
        raise PartyRefused("it names no address for its answer, and the trust has none")
    if not found:
        raise PartyRefused(f"it wants its answer at {wanted}, which is none of the trust's")
    return found[0]


def check_binding(request: AuthnRequest, _party: Party) -> None:
    """Answers go by HTTP-POST alone: a response is too long for an address."""
    if request.binding and request.binding != BINDING_POST:
        raise StatusRefused(f"it wants its answer by {request.binding}", UNSUPPORTED_BINDING, code=RESPONDER)


def check_name_id_policy(request: AuthnRequest, party: Party) -> None:
    """A name that was made for another party is not given away (saml-core-2.0-os section 3.4.1.1)."""
    if request.name_id_format and request.name_id_format not in (*FORMATS, ENCRYPTED_FORMAT):
        raise StatusRefused(f"it wants the name format {request.name_id_format}", INVALID_NAME_ID_POLICY)
    fixed = party.trust.saml.name_id_format == TRANSIENT
    if fixed and request.name_id_format not in {*_OPEN_FORMATS, TRANSIENT}:
        raise StatusRefused("it wants a name that stays, and its trust gives none", INVALID_NAME_ID_POLICY, code=RESPONDER)
    if request.name_id_qualifier and request.name_id_qualifier != party.entity_id:
        raise StatusRefused(f"it wants a name made for {request.name_id_qualifier}", INVALID_NAME_ID_POLICY)


def check_force(request: AuthnRequest, _party: Party) -> None:
    """A fresh sign-in without asking anybody cannot be."""
    if request.passive and request.force_authn:
        raise StatusRefused("it wants a fresh sign-in without asking the person", NO_PASSIVE, code=RESPONDER)


_AFTER_CONSUMER: tuple[Callable[[AuthnRequest, Party], None], ...] = (
    check_binding,
    check_name_id_policy,
    check_force,
)


def check_time(request: AuthnRequest, now: float) -> None:
    """It was made lately."""
    if request.issued < now - OLDEST:
        raise StatusRefused(f"it is {now - request.issued:.0f} s old", REQUEST_UNSUPPORTED)
    if request.issued > now + AHEAD:
        raise StatusRefused(f"it is {request.issued - now:.0f} s ahead of this relay's clock", REQUEST_UNSUPPORTED)


def choose_format(request: AuthnRequest, party: Party) -> str:
    """What the request wants, else what the trust says: also where all it says is that it be encrypted (errata 05, E6)."""
    wanted = request.name_id_format
    return party.trust.saml.name_id_format if wanted in _OPEN_FORMATS else wanted


def choose_context(request: AuthnRequest) -> str:
    """The context that the answer will state. Raises StatusRefused where none that is wanted can be had.

    saml-core-2.0-os section 3.3.2.2.1. A password over TLS is what there is.
    """
    wanted = request.contexts
    if request.declarations:
        raise StatusRefused("it wants context declarations", NO_AUTHN_CONTEXT, code=RESPONDER)
    if not wanted:
        return PASSWORD_PROTECTED
    if any(_meets(context, request.comparison) for context in wanted):
        return next((context for context in wanted if request.comparison == "exact" and context in _STRENGTH), _STRENGTH[-1])
    raise StatusRefused(f"it wants one of {', '.join(wanted)} ({request.comparison})", NO_AUTHN_CONTEXT, code=RESPONDER)


def _meets(context: str, comparison: str) -> bool:
    """Whether a password over TLS will do for it. A context that is not known here may be stronger, or weaker."""
    if context not in _STRENGTH:
        return False
    strongest = context == _STRENGTH[-1]
    return {"better": not strongest, "maximum": strongest}.get(comparison, True)


def check_subject(request_subject: str, subject: ClaimsSubject, name: str) -> None:
    """Whoever is signed in is the one who was asked for; empty: anybody. Raises StatusRefused."""
    if request_subject and request_subject not in {name, subject.user_name, subject.mail}:
        raise StatusRefused("somebody else is signed in than it asks for", UNKNOWN_PRINCIPAL, code=RESPONDER)
