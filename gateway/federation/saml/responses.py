"""Responses to parties: what they are told of a person, signed and encrypted as their trust says, and noted in the trail."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Protocol

from certs import Certificate
from foundation.saml import SamlError, encrypt_element, encrypt_name
from gateway.federation.claims import (
    EMAIL_ADDRESS,
    ClaimsSubject,
    IssuedClaims,
    NameId,
    NameUnavailable,
    issue_claims,
    name_id,
    subject_of,
)
from gateway.federation.keys import SigningKey, signed_with
from gateway.federation.saml.checks import check_subject
from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.documents import AssertionSpec, new_id, write_assertion, write_response
from gateway.federation.saml.errors import StatusRefused
from gateway.federation.saml.names import INVALID_NAME_ID_POLICY, REQUEST_DENIED, RESPONDER, SUCCESS
from gateway.federation.saml.parties import Party
from gateway.federation.saml.pending_sign_on import PendingSignOn
from gateway.signin import Session
from gateway.store import AuditEvent

PATIENCE = 0.005
"""Seconds that an entry of the audit trail may wait for others, to be committed with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A response, and how it calls the person."""

    document: bytes = field(repr=False)
    name_id: NameId
    encrypted: bool
    """Whether the name is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """From where, and by which request of ours."""

    address: str
    correlation_id: str
    tried: str = ""
    """Id of the signing key that the session tries with this party."""


class Responses:
    """Writes them."""

    def __init__(self, context: SamlContext) -> None:
        self._context = context

    async def for_person(self, party: Party, pending: PendingSignOn, session: Session, asked: Asked) -> Told:
        """A response that says who somebody is. What cannot be recorded is not given.

        Raises StatusRefused where the person cannot be named as the party wants, NoSigningKey, StoreError.
        """
        context, now = self._context, self._context.clock()
        subject = subject_of(session.identity, asked.address)
        issued = self._claims(party, subject)
        name = self._name(party, pending, issued, subject)
        check_subject(pending.subject, subject, name.value)
        spec = AssertionSpec(
            id=new_id(),
            issuer=context.entity_id,
            audience=party.entity_id,
            recipient=pending.consumer,
            in_response_to=pending.id,
            name_id=name,
            now=now,
            skew=party.trust.saml.skew,
            lifetime=context.lifetimes_of(party.trust).assertion,
            signed_in_at=session.auth_time,
            session_index=session.index(party.trust.id),
            session_ends_at=session.ends_at,
            context=pending.context,
            attributes=issued.values,
            friendly_names=issued.friendly_names,
            attribute_format=party.trust.saml.attribute_name_format,
        )
        key = context.key(asked.tried)
        encrypted = pending.encrypt_name_id or party.trust.saml.encrypt_name_id
        document = self._signed(party, spec, key, encrypted=encrypted)
        await self._record(party, spec, document, session, asked, key.id)
        return Told(document=document, name_id=name, encrypted=encrypted)

    def refusal(self, party: Party, consumer_url: str, request_id: str, refused: StatusRefused, tried: str = "") -> bytes:
        """A status in place of an assertion, signed. tried: see `Asked`. Raises NoSigningKey."""
        response = new_id()
        document = write_response(
            id=response,
            issuer=self._context.entity_id,
            destination=consumer_url,
            in_response_to=request_id,
            now=self._context.clock(),
            status=(refused.code, refused.sub_code),
        )
        return self._context.sign(document, response, party, self._context.key(tried))

    def _claims(self, party: Party, subject: ClaimsSubject) -> IssuedClaims:
        issued = issue_claims(
            party.trust.claims,
            subject,
            protocol="saml",
            secret=self._context.secret,
            trust=party.trust.id,
            explained=False,
        )
        if issued.refused:
            raise StatusRefused(f"claims policy: {issued.refused}", REQUEST_DENIED, code=RESPONDER)
        return issued

    def _name(self, party: Party, pending: PendingSignOn, issued: IssuedClaims, subject: ClaimsSubject) -> NameId:
        if pending.name_id_format == EMAIL_ADDRESS and not _is_told_mail(party, issued, subject):
            detail = "it wants the mail address, which neither its name format nor its claims policy gives it"
            raise StatusRefused(detail, INVALID_NAME_ID_POLICY, code=RESPONDER)
        try:
            return name_id(
                party.trust.claims,
                subject,
                issued.subject,
                format=pending.name_id_format,
                issuer=self._context.entity_id,
                party=party.entity_id,
                fresh=self._context.fresh_name(),
                escape_plus=party.trust.switches.get("escape_plus", False),
            )
        except NameUnavailable as error:
            raise StatusRefused(str(error), INVALID_NAME_ID_POLICY, code=RESPONDER) from error

    def _signed(self, party: Party, spec: AssertionSpec, key: SigningKey, *, encrypted: bool) -> bytes:
        """A name is encrypted before the assertion is signed, the assertion after, and then the response is signed.

        saml-core-2.0-os sections 5.4 and 6.1, errata 05 E43. encrypted: the name has to be. Raises StatusRefused where
        something has to be encrypted and cannot.
        """
        context, saml, response = self._context, party.trust.saml, new_id()
        document = write_response(
            id=response,
            issuer=context.entity_id,
            destination=spec.recipient,
            in_response_to=spec.in_response_to,
            now=spec.now,
            status=(SUCCESS,),
            assertion=write_assertion(spec),
        )
        if encrypted:
            document = _encrypted(document, party, encrypt_name)
        if saml.sign in {"assertion", "both"}:
            document = context.sign(document, spec.id, party, key)
        if saml.encrypt:
            document = _encrypted(document, party, functools.partial(encrypt_element, element_id=spec.id))
        if saml.sign in {"response", "both"}:
            document = context.sign(document, response, party, key)
        return document

    async def _record(
        self, party: Party, spec: AssertionSpec, document: bytes, session: Session, asked: Asked, key: str
    ) -> None:
        identity = session.identity
        event = AuditEvent(
            time=spec.now,
            kind="federation.issued",
            actor=f"trust:{party.trust.id}",
            subject=identity.user_name,
            account=identity.account,
            address=asked.address,
            correlation_id=asked.correlation_id,
            via="saml",
            detail={
                "assertion_id": spec.id,
                "response": hashlib.sha256(document).hexdigest(),
                "attributes": " ".join(sorted(spec.attributes)),
                **signed_with(key, asked.tried),
            },
        )
        await self._context.store.audit.append(event, patience=PATIENCE)


def _is_told_mail(party: Party, issued: IssuedClaims, subject: ClaimsSubject) -> bool:
    """Whether its trust says so: a request alone does not get an address out of a policy that gives none. A subject that
    the policy names is the address itself."""
    if party.trust.saml.name_id_format == EMAIL_ADDRESS or party.trust.claims.subject:
        return True
    texts = [text for value in issued.values.values() for text in (value if isinstance(value, tuple) else (value,))]
    return not subject.mail or subject.mail in texts


class Encryption(Protocol):
    """Of a part of a document, for whoever holds a certificate's key."""

    def __call__(self, document: bytes, /, *, certificate: Certificate, cipher: str) -> bytes:
        """Raises SamlError."""
        ...


def _encrypted(document: bytes, party: Party, encrypt: Encryption) -> bytes:
    """Where that cannot be, the party is told nothing: metadata with its key may have expired, or not have come yet.

    Raises StatusRefused.
    """
    if party.encryption is None:
        detail = "something for it has to be encrypted, and it has no certificate for that"
        raise StatusRefused(detail, REQUEST_DENIED, code=RESPONDER)
    try:
        return encrypt(document, certificate=party.encryption, cipher=party.trust.saml.encryption_cipher)
    except SamlError as error:
        raise StatusRefused(str(error), REQUEST_DENIED, code=RESPONDER) from error
