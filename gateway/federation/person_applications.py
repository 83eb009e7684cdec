"""What one person has to do with applications: those that may be started from here, and those that were let in.

Implements `gateway.signin.PersonApplications`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

from gateway.federation.claims import subject_of
from gateway.federation.trusts import Trust, check_access
from gateway.protocol import AccountId, Identity
from gateway.signin import ApplicationLink, LastingAccess, LetIn, Session
from gateway.store import AuditEvent, ConsentRecord, GrantRecord, Store

SAML_START: Final = "/saml/start/"


class TrustList(Protocol):
    """The trusts of this relay (`TrustRegistry`)."""

    def all(self) -> Sequence[Trust]:
        """Those that sign people in."""
        ...

    def get(self, trust_id: str, /) -> Trust | None:
        """None where there is none, or no longer."""
        ...


class ApplicationsByTrust:
    """clock: Unix seconds. origin: of a grant's details, the address that it came from, and whether that is a device's.

    logo: path of a trust's, by its id.
    """

    def __init__(
        self,
        store: Store,
        trusts: TrustList,
        clock: Callable[[], float],
        origin: Callable[[bytes], tuple[str, bool]],
        logo: Callable[[str], str],
    ) -> None:
        self._store, self._trusts, self._clock, self._origin, self._logo = store, trusts, clock, origin, logo

    def startable(self, identity: Identity, address: str) -> list[ApplicationLink]:
        """See `PersonApplications`."""
        subject = subject_of(identity, address)
        links = [
            ApplicationLink(name=trust.name, url=url, logo=self._logo(trust.id))
            for trust in self._trusts.all()
            if (url := start_of(trust)) and check_access(trust, subject, address) is None
        ]
        return sorted(links, key=lambda link: link.name.casefold())

    async def let_in(self, account: AccountId) -> list[LetIn]:
        """See `PersonApplications`."""
        grants = await self._store.grants.of_account(account, self._clock())
        consents = await self._store.consents.of_account(account)
        return sorted(self._described(grants, consents), key=lambda application: application.name.casefold())

    async def shut_out(self, session: Session, trust: str, address: str) -> None:
        """See `PersonApplications`."""
        account, now = session.record.account, self._clock()
        ended = 0
        for grant in await self._store.grants.of_account(account, now):
            if grant.trust == trust:
                ended += await self._store.grants.end(grant.digest) is not None
        agreed = await self._store.consents.remove(account, trust)
        if not ended and not agreed:
            return
        await self._record("federation.consent_withdrawn", session, address, {"trust": trust, "grants": str(ended)})

    async def end_access(self, session: Session, name: str, address: str) -> None:
        """See `PersonApplications`."""
        account, now = session.record.account, self._clock()
        for grant in await self._store.grants.of_account(account, now):
            if grant.session or _name_of(grant) != name or await self._store.grants.end(grant.digest) is None:
                continue
            await self._record("federation.access_ended", session, address, {"trust": grant.trust})

    async def _record(self, kind: str, session: Session, address: str, detail: Mapping[str, str]) -> None:
        event = AuditEvent(
            time=self._clock(),
            kind=kind,
            actor="page",
            subject=session.identity.user_name,
            account=session.record.account,
            address=address,
            detail=detail,
        )
        await self._store.audit.append(event)

    def _described(self, grants: Sequence[GrantRecord], consents: Sequence[ConsentRecord]) -> Iterator[LetIn]:
        """Grants that end with the session are no lasting access; they are told of where the sessions are."""
        offline = [grant for grant in grants if not grant.session]
        agreed = {consent.trust: consent for consent in consents}
        for trust in sorted({*(grant.trust for grant in offline), *agreed}):
            found, consent = self._trusts.get(trust), agreed.get(trust)
            lasting = tuple(self._lasting(grant) for grant in offline if grant.trust == trust)
            times = [access.since for access in lasting]
            yield LetIn(
                trust=trust,
                name=found.name if found is not None else trust,
                since=min([*times, *([consent.at] if consent is not None else [])]),
                scopes=tuple(sorted(consent.scopes)) if consent is not None else (),
                lasting=lasting,
            )

    def _lasting(self, grant: GrantRecord) -> LastingAccess:
        address, is_device = self._origin(grant.details)
        return LastingAccess(
            name=_name_of(grant),
            since=grant.created_at,
            last_used=grant.rotated_at,
            address=address,
            is_device=is_device,
        )


def _name_of(grant: GrantRecord) -> str:
    """As `gateway.signin.Session.name`: every token has the grant's digest in it."""
    return hashlib.sha256(b"isthmus grant name\0" + grant.digest).hexdigest()[:32]


def start_links(trust: Trust, consumer: str, logo: str) -> list[ApplicationLink]:
    """Where a sign-in to an application begins: here, and at its own address. Pure.

    consumer: where a SAML party takes responses; empty where that is not known. logo: path of its picture; empty: none.
    """
    links = [ApplicationLink(name=trust.name, url=url, logo=logo)] if (url := start_of(trust)) else []
    own = next(iter(trust.oidc.redirect_uris), "") if trust.protocol == "oidc" else consumer
    parts = urlsplit(own)
    if parts.scheme == "https" and parts.netloc:  # an app on a device has no page of its own
        links.append(ApplicationLink(name=parts.netloc, url=f"https://{parts.netloc}/", logo=logo))
    return links


def start_of(trust: Trust) -> str:
    """Where a sign-in to it begins; empty where it does not begin here."""
    if trust.start_url:
        return trust.start_url
    return f"{SAML_START}{trust.id}" if trust.protocol == "saml" and trust.saml.idp_initiated else ""
