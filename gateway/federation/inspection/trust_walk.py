"""`isthmus relay trust test`: what of a trust can be seen to be wrong before a user meets it. Nothing is changed or sent.

state ─► addresses ─► what proves the application ─► its certificates ─► its metadata ─► a signed sample
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from certs import Certificate, CertsError
from findings import Finding, failed, passed, warned
from foundation.saml import SamlError
from foundation.times import DAY, day, minute
from gateway.federation.keys import SigningKeyError
from gateway.federation.oidc import JwtRefused, Tokens, verify_sample_token
from gateway.federation.saml import Party, SamlContext, interval, verify_sample_response
from gateway.federation.trusts import Trust, TrustRegistry, UnknownTrust
from gateway.store import PartyMetadata, Store

_SOON: Final = 30 * DAY
_METADATA_OLD: Final = 7 * DAY


class TrustWalk:
    """tokens, saml: those that serve. clock: Unix seconds."""

    def __init__(
        self, store: Store, trusts: TrustRegistry, tokens: Tokens, saml: SamlContext, clock: Callable[[], float]
    ) -> None:
        self._store, self._trusts, self._tokens, self._saml, self._clock = store, trusts, tokens, saml, clock

    async def test(self, trust_id: str) -> list[Finding]:
        """What was found, in order. Raises UnknownTrust, StoreError."""
        await self._trusts.load()
        record, parsed = self._trusts.records.get(trust_id), self._trusts.parsed.get(trust_id)
        if record is None or parsed is None:
            raise UnknownTrust(trust_id)
        if parsed.trust is None:
            return [failed("trust", trust_id, parsed.problem, f"Correct it: isthmus relay trust show {trust_id}")]
        trust, now = parsed.trust, self._clock()
        found = [judge_state(trust, disabled=bool(record.disabled))]
        if trust.protocol == "oidc":
            return [*found, *judge_client(trust), self._sample_token(trust, now)]
        await self._saml.parties.load()
        kept = {metadata.trust: metadata for metadata in await self._store.trusts.metadata()}
        return [*found, *self._party(trust, now), *judge_metadata(trust, kept.get(trust.id), now)]

    def _party(self, trust: Trust, now: float) -> Iterator[Finding]:
        party = self._saml.parties.of(trust.id)
        if party is None:
            if trust.enabled:
                yield failed("party", trust.id, "it is not served", "See the relay's log for party.unreadable.")
            return
        yield from judge_party(party, now)
        try:
            seen = verify_sample_response(self._saml, party)
        except (SigningKeyError, SamlError, CertsError) as error:
            yield failed("signed sample", trust.id, str(error), "See isthmus certs list.")
        else:
            yield passed("signed sample", trust.id, f"verified with the published certificate {seen}")

    def _sample_token(self, trust: Trust, now: float) -> Finding:
        try:
            verify_sample_token(self._tokens, trust, now)
        except (SigningKeyError, JwtRefused) as error:
            return failed("signed sample", trust.id, str(error), "See isthmus certs list.")
        algorithm = trust.oidc.signing_algorithm
        return passed("signed sample", trust.id, f"{algorithm}, verified with the published key set")


def judge_state(trust: Trust, *, disabled: bool) -> Finding:
    """Whether anybody can sign in."""
    if disabled or not trust.enabled:
        return failed("state", trust.id, "disabled", f"isthmus relay trust enable {trust.id}, or put its file back.")
    if trust.access.test_users:
        return warned("state", trust.id, f"{len(trust.access.test_users)} test users only", "Remove them to go live.")
    return passed("state", trust.id, "live")


def judge_client(trust: Trust) -> Iterator[Finding]:
    """An OpenID Connect client: where codes go, and what proves it."""
    client = trust.oidc
    if "authorization_code" in client.grants:
        count = len(client.redirect_uris)
        remedy = "Without one nobody can sign in: set `redirect_uris`."
        seen = f"{count} redirect addresses"
        yield passed("addresses", trust.id, seen) if count else failed("addresses", trust.id, seen, remedy)
    proof = client.authentication
    if proof == "none":
        yield passed("client proof", trust.id, "public client, by PKCE")
    elif proof == "private_key_jwt":
        yield passed("client proof", trust.id, f"key, from {client.jwks_uri or 'the trust'}")
    elif client.secrets:
        yield passed("client proof", trust.id, f"{len(client.secrets)} secrets")
    else:
        yield failed("client proof", trust.id, "no secret", f"isthmus relay trust secret add {trust.id}")


def judge_party(party: Party, now: float) -> Iterator[Finding]:
    """A SAML party: where responses go, and its certificates. now: Unix seconds."""
    where = party.trust.id
    if party.entity_id and party.default_consumer is not None:
        yield passed("addresses", where, f"{party.entity_id}, responses to {party.default_consumer.url}")
    else:
        remedy = "Set `entity_id` and `consumers`, or import its metadata."
        yield failed("addresses", where, "no entity ID, or nowhere to send responses", remedy)
    for certificate in party.signing:
        yield judge_certificate("signing certificate", where, certificate, now)
    if party.requests_signed and not party.signing:
        remedy = "Add its certificate to `certificates`."
        yield failed("signing certificate", where, "its requests have to be signed, and no certificate is known", remedy)
    if party.encryption is None and (party.trust.saml.encrypt or party.trust.saml.encrypt_name_id):
        remedy = "Add its certificate as `encryption_certificate`."
        yield failed("encryption certificate", where, "nobody can sign in: no certificate to encrypt for is known", remedy)
    if party.encryption is not None:
        yield judge_certificate("encryption certificate", where, party.encryption, now)


def judge_certificate(name: str, where: str, certificate: Certificate, now: float) -> Finding:
    """Its end. It is taken after its end, too, for SAML trusts keys and not validity; but then it was forgotten."""
    seen = f"{certificate.subject}, ends {day(certificate.not_after)}"
    if certificate.left(now) < _SOON:
        return warned(name, where, seen, "Ask the application's operators for their next certificate.")
    return passed(name, where, seen)


def judge_metadata(trust: Trust, metadata: PartyMetadata | None, now: float) -> Iterator[Finding]:
    """How old it is, and what came of the last look. now: Unix seconds."""
    if metadata is None:
        if trust.saml.metadata_url:
            yield warned("metadata", trust.id, f"nothing was read yet from {trust.saml.metadata_url}")
        return
    age = f"read {day(metadata.fetched_at)}"
    if 0 < metadata.valid_until < now:
        yield failed("metadata", trust.id, f"{age}, valid until {day(metadata.valid_until)}", "Refresh or import it.")
    elif metadata.problem:
        yield warned("metadata", trust.id, f"{age}; the last look failed: {metadata.problem}", "The last good one is used.")
    elif trust.saml.metadata_url and now - metadata.checked_at > _METADATA_OLD:
        yield warned("metadata", trust.id, f"{age}, last looked at {day(metadata.checked_at)}", "See the relay's log.")
    else:
        due = f", next look {minute(metadata.checked_at + interval(metadata, 0.0))}" if trust.saml.metadata_url else ""
        yield passed("metadata", trust.id, f"{age}{due}")
