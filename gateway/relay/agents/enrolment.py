"""Enrolment and renewal: who gets a certificate.

    POST /agent/v1/enrol   {"token": id, "csr": base64 DER, "proof": base64}
                       ->  {"certificate": base64 DER, "authority": base64 DER, "proof": base64}

The proofs are made with the token's key over what is sent (see `certs.token`); the token itself never travels.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import math
from collections.abc import Callable

import msgspec
import structlog
from aiohttp import web

from certs import Authority, CertificateRefused, CertsError, Role, VerifiedPeer, fingerprint, prove, verify_proof
from foundation.addresses import address_key
from gateway.relay.agents.registry import AgentRegistry
from gateway.relay.errors import EnrolmentRefused, RenewalRefused
from gateway.relay.refusals import Refusals
from gateway.relay.request import CLIENT_ADDRESS, read_body
from gateway.relay.settings import RelayCoreSettings
from gateway.store import AgentRecord, AuditEvent, Store, StoreError, TokenSpent

log = structlog.get_logger()

ENROL_PATH = "/agent/v1/enrol"
MAX_ORDER = 64 * 1024
"""Bytes of an enrolment request."""
_LONGEST_REASON = 200
"""Characters of a reason in the trail: it may quote what was sent."""
_RENEWALS, _RENEWAL_WINDOW = 20, 86400.0
"""Certificates that one agent gets within so many seconds: each is kept permanently, by the store and in memory."""


class EnrolmentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /agent/v1/enrol: the token's id, the request (PKCS #10, RFC 2986) and the proof, both in base64."""

    token: str
    csr: str
    proof: str


class Enrolment:
    """Issues certificates to agents: the first for a token, the next ones over the session. clock: Unix seconds.

    throttle: counts an enrolment from an address at a time; seconds until it may ask again, 0 where it may now.
    """

    def __init__(
        self,
        settings: RelayCoreSettings,
        authority: Authority,
        store: Store,
        registry: AgentRegistry,
        refusals: Refusals,
        clock: Callable[[], float],
        *,
        throttle: Callable[[str, float], float],
    ) -> None:
        self._settings, self._authority, self._store = settings, authority, store
        self._registry, self._clock = registry, clock
        self._refusals, self._throttle = refusals, throttle

    def add_routes(self, app: web.Application) -> None:
        """POST /agent/v1/enrol."""
        app.router.add_post(ENROL_PATH, self.handle)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer an enrolment: 200, 400 for what is none, 403 for a refusal, 429 for too many from one address, 503 where
        nothing can be written. Refusals are answered after the delay of all refusals."""
        address = request[CLIENT_ADDRESS]
        key, began = address_key(address), asyncio.get_running_loop().time()
        if not self._refusals.enter(key):
            return _refusal(503, "the relay is busy; try again in a moment", retry_after=1.0)
        try:
            wait = self._throttle(address, self._clock())
            if wait > 0:
                answer = await self._refuse(address, f"too many from this address; again in {wait:.0f} s", 429, wait)
            else:
                answer = await self._handle(request, address)
            if answer.status != 200:
                await self._refusals.hold(began)
        finally:
            self._refusals.leave(key)
        return answer

    async def _handle(self, request: web.Request, address: str) -> web.Response:
        try:
            order = msgspec.json.decode(await read_body(request, MAX_ORDER), type=EnrolmentRequest)
            return web.json_response(await self.enrol(order, address))
        except web.HTTPException as unread:
            return await self._refuse(address, unread.text or unread.reason, unread.status)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return await self._refuse(address, "not an enrolment request", 400)
        except EnrolmentRefused as refused:
            return await self._refuse(address, refused.reason, 403)
        except StoreError as error:
            log.error("agent.enrolment_failed", address=address, error=str(error))  # noqa: TRY400 - it says all
            return _refusal(503, "the relay cannot write its records at present; its operator finds the reason in its log")

    async def _refuse(self, address: str, reason: str, status: int, retry_after: float = 0.0) -> web.Response:
        """One entry for each address and minute; what the trail folds, the log does."""
        event = self._event("agent.enrolment_refused", "", reason[:_LONGEST_REASON], address)
        with contextlib.suppress(StoreError):  # a refusal stands, recorded or not; the trail's own log has the error
            if await self._refusals.record((event.kind, address_key(address)), event):
                log.warning("agent.enrolment_refused", address=address, reason=reason)
        return _refusal(status, reason, retry_after=retry_after)

    async def enrol(self, order: EnrolmentRequest, address: str) -> dict[str, str]:
        """Spend the token and issue the certificate. Raises EnrolmentRefused."""
        now = self._clock()
        try:
            csr, proof = base64.b64decode(order.csr, validate=True), base64.b64decode(order.proof, validate=True)
            # the token is spent last: a request that is refused for another reason leaves it good. Of two who redeem it
            # in the same moment one succeeds; the certificate of the other is registered nowhere, so no relay takes it
            token = await self._store.tokens.peek(order.token, now)
            verify_proof(token.key, proof, "enrol", csr)
            certificate = self._authority.issue(
                csr, name=token.name, role=Role.AGENT, now=now, lifetime=self._settings.certificate_lifetime
            )
            unit = self._store.unit()
            unit.redeem_token(order.token, now)
            unit.record(self._event("agent.enrolled", token.name, fingerprint(certificate), address))
            await self._registry.enrol(self._agent_record(token.name, token.allowed, certificate, now, address), unit)
        except TokenSpent as spent:
            raise EnrolmentRefused(f"the token is {spent.reason}") from spent
        except (CertsError, ValueError, binascii.Error) as error:
            raise EnrolmentRefused(str(error)) from error
        authority = self._authority.certificate_der
        return {
            "certificate": base64.b64encode(certificate).decode(),
            "authority": base64.b64encode(authority).decode(),
            "proof": base64.b64encode(prove(token.key, "enrolled", csr, certificate, authority)).decode(),
        }

    async def renew(self, peer: VerifiedPeer, csr: bytes) -> bytes:
        """Issue the next certificate (DER) to a connected agent. Raises RenewalRefused."""
        now = self._clock()
        try:
            certificate = self._authority.issue(
                csr, name=peer.name, role=Role.AGENT, now=now, lifetime=self._settings.certificate_lifetime
            )
        except CertificateRefused as refused:
            raise RenewalRefused(str(refused)) from refused
        unit = self._store.unit()
        unit.record(self._event("agent.renewed", peer.name, fingerprint(certificate), ""))
        record = self._agent_record(peer.name, self._registry.allowed(peer.name, peer.serial), certificate, now, "")
        await self._registry.renew(peer, record, unit, since=now - _RENEWAL_WINDOW, limit=_RENEWALS)
        return certificate

    def _agent_record(
        self, name: str, allowed: tuple[str, ...] | None, certificate: bytes, now: float, address: str
    ) -> AgentRecord:
        parsed = self._authority.describe(certificate)
        return AgentRecord(
            name=name,
            serial=f"{parsed.serial:x}",
            not_after=parsed.not_after,
            issued_at=now,
            allowed=allowed,
            address=address,
        )

    def _event(self, kind: str, subject: str, detail: str, address: str) -> AuditEvent:
        return AuditEvent(
            time=self._clock(), kind=kind, actor="relay", subject=subject, address=address, detail={"detail": detail}
        )


def _refusal(status: int, reason: str, *, retry_after: float = 0.0) -> web.Response:
    headers = {"Retry-After": f"{math.ceil(retry_after)}"} if retry_after else {}
    return web.json_response({"detail": reason}, status=status, headers=headers)
