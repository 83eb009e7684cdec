"""Parties that the browser tells, one after the other. What is left to do stands sealed in the address: any node continues.

    GET /saml/logout/SEALED     a page with what came of each; it leads on to the first party that is left
           │  LogoutRequest                     │ "continue without it"
           ▼                                    │
        the party                               │
           │  LogoutResponse                    │
           ▼                                    │
    /saml/slo ── what it answers to is kept under the request's ID, and taken once
           │ 303                                │
           ▼                                    ▼
    GET /saml/logout/SEALED     the next one; with nobody left: the end

The address alone is not enough: parties are sent along it, and an application that went on by itself would be told under
which names others know the person. So only the browser of the session is led on (`VISIT`); for anybody else the way ends.

The page stays where it is until the party answers the browser. One that never does is left behind after a while, or by the
link. One that shows a page of its own keeps the browser, and those after it are not told: browsers go back past a page that
left by itself. Frames for all parties at once would help where browsers still send cookies in frames of other sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.federation.participants import Participant
from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.documents import new_id
from gateway.federation.saml.logout.messages import LIFETIME, browser_endpoint, soap_endpoint
from gateway.federation.saml.logout.subjects import Stop, stop_of
from gateway.federation.transactions import CONTINUE, Transaction, Transactions
from gateway.signin import Departure, DepartureOutcome

LOGOUT: Final = "/saml/logout/"
_PROTOCOL: Final = "saml logout"
_KIND: Final = "saml logout"


class AskedBy(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The party that wanted the logout."""

    trust: str
    id: str
    """Of its request."""
    relay_state: str = ""
    tried: str = ""
    """As of `Stop`."""

    def __repr__(self) -> str:
        return f"AskedBy({self.trust!r}, …)"


class LogoutChain(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is left to do, and what came of the rest."""

    ahead: tuple[Stop, ...] = ()
    """The first one is being told."""
    id: str = ""
    """Of the LogoutRequest to that one."""
    departures: tuple[Departure, ...] = ()
    asked_by: AskedBy | None = None
    return_to: str = ""
    """Checked address of another application that wanted the logout."""
    application: str = ""
    """Its name."""
    sessions: tuple[bytes, ...] = ()
    """`Session.key` of those that have ended: their browser alone is shown who else is told, and under which names."""
    left: str = ""
    """ID of the LogoutRequest to a party that is not waited for any longer."""
    shown: bool = False
    """The person has seen what came of it."""

    def after(self, outcome: DepartureOutcome) -> LogoutChain:
        """What is left when that came of the first."""
        departure = Departure(application=self.ahead[0].name, outcome=outcome)
        return replace(self, ahead=self.ahead[1:], id=new_id(), departures=(*self.departures, departure))

    @property
    def missed(self) -> bool:
        """Whether an application was not reached. One that has no way to be told holds nobody up."""
        return any(departure.outcome == "failed" for departure in self.departures)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LogoutChain).decode


class LogoutChains:
    """Carries them; implements `BrowserChannel`."""

    def __init__(self, context: SamlContext, transactions: Transactions) -> None:
        self._context, self._transactions = context, transactions

    def needs(self, participant: Participant) -> bool:
        """See `BrowserChannel`: of a party's addresses the first counts that can be used."""
        party = self._context.parties.of(participant.trust.id)
        browser, soap = (browser_endpoint(party), soap_endpoint(party)) if party is not None else (None, None)
        if party is None or browser is None:
            return False
        return soap is None or party.logout.index(browser) < party.logout.index(soap)

    async def begin(
        self, participants: Sequence[Participant], departures: Sequence[Departure], *, return_to: str, application: str
    ) -> str:
        """See `BrowserChannel`."""
        chain = self.chain(participants, departures)
        return await self.path(replace(chain, return_to=return_to, application=application))

    def chain(self, participants: Iterable[Participant], departures: Sequence[Departure]) -> LogoutChain:
        """Through these parties, after what came of others."""
        now, known = self._context.clock(), list(participants)
        ahead = tuple(
            stop for participant in known if (stop := stop_of(participant.record, participant.trust, now)) is not None
        )
        return LogoutChain(ahead=ahead, id=new_id(), departures=tuple(departures), sessions=sessions_of(known))

    async def path(self, chain: LogoutChain) -> str:
        """Where the browser continues. Raises StoreError where the chain is too long for an address."""
        transaction = Transaction(
            protocol=_PROTOCOL, trust=chain.asked_by.trust if chain.asked_by is not None else "", request=_encode(chain)
        )
        return LOGOUT + (await self._transactions.url(transaction)).removeprefix(CONTINUE)

    async def open(self, sealed: str) -> LogoutChain | None:
        """What stands in an address; None where that is over, or none of ours. Raises StoreError."""
        transaction = await self._transactions.open(CONTINUE + sealed)
        return _read(transaction.request) if transaction is not None and transaction.protocol == _PROTOCOL else None

    async def keep(self, chain: LogoutChain) -> bool:
        """Its first party is asked now. False where the page is loaded once more. Raises StoreError."""
        now = self._context.clock()
        return await self._context.store.once.put(_KIND, chain.id, _encode(chain), until=now + LIFETIME, now=now)

    async def take(self, message_id: str) -> LogoutChain | None:
        """What the answer to a LogoutRequest is about, once. Raises StoreError."""
        kept = await self._context.store.once.take(_KIND, message_id, self._context.clock())
        return _read(kept) if kept is not None else None


def sessions_of(participants: Iterable[Participant]) -> tuple[bytes, ...]:
    """What these took part in."""
    return tuple(sorted({participant.record.session for participant in participants}))


def _read(encoded: bytes) -> LogoutChain | None:
    """Another node's, of another version, may be none that can be read here."""
    try:
        return _decode(encoded)
    except msgspec.DecodeError:
        return None
