"""A sign-in for an application, while the person is at the sign-in page.

    GET /oidc/authorize, /saml/sso …         the protocol has read and checked the request; no session will do
       │ 303
       ▼
    GET /signin?return_to=/continue/SEALED   pages, forms, mistakes: each brings `return_to` along
       │ 303
       ▼
    GET /continue/SEALED                     a session that is fresh enough? ── no ──► the sign-in page again
       │ yes
       ▼
    the protocol answers the application

Nothing is kept here: what the protocol has to know stands sealed in the address. So there are as many sign-ins in progress
as the browser has tabs; each can be gone back to, reloaded, given up; and any node continues any of them. Kind of state:
carried. Only where an address would become too long for what is on the way (proxies, logs), its largest part lies in the
store under a random key, and goes with its time.

A transaction is bound to no browser: whoever makes another one open such an address has gained no more than by the
application's own address, with which it began.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
import structlog
from aiohttp import web
from msgspec.structs import replace

from foundation.addresses import address_key
from gateway.federation.rates import KEPT_A_MINUTE, Rates
from gateway.signin import SKEW, Message, Seal, Session, SignInPages
from gateway.store import OnceStore, StoreFull

log = structlog.get_logger()

CONTINUE: Final = "/continue/"
LIFETIME: Final = 3600.0
"""Seconds: time to look for a password, and to change an expired one."""
LONGEST: Final = 3000
"""Characters of an address."""
LARGEST: Final = 64 * 1024
"""Bytes of a request that is kept in the store."""
_KIND: Final = "transaction"
_BOUND: Final = "transaction"


class Transaction(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a protocol needs to go on when the person is known."""

    protocol: str
    """`oidc` or `saml`."""
    trust: str
    """Id of the trust."""
    request: bytes
    """Whatever the protocol keeps of the request, which it has checked."""
    fresh_since: float = 0.0
    """Unix seconds: a sign-in before that will not do (prompt=login, max_age, ForceAuthn)."""
    session: str = ""
    """Name of the session that the browser had when it came (`Session.name`); empty where it had none."""
    hint: str = ""
    """The user name that the application expects (login_hint)."""
    languages: tuple[str, ...] = ()
    """Which the application asks for, most wanted first (ui_locales)."""
    kept: str = ""
    """Where the store has `request`; empty where it is here."""

    def accepts(self, session: Session) -> bool:
        """Whether it is fresh enough."""
        return session.is_since(self.fresh_since, other_than=self.session)

    def __repr__(self) -> str:
        return f"Transaction({self.protocol!r}, {self.trust!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "protocol", self.protocol
        yield "trust", self.trust


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Transaction).decode


class RequestTooLong(Exception):
    """A request is larger than `LARGEST`. The protocol's own bounds should have refused it."""


class Transactions:
    """Carries transactions in addresses. clock: Unix seconds."""

    def __init__(self, seal: Seal, once: OnceStore, rates: Rates, clock: Callable[[], float]) -> None:
        self._seal, self._once, self._rates, self._clock = seal, once, rates, clock

    async def url(self, transaction: Transaction, *, stranger: str = "") -> str:
        """The path that continues it.

        stranger: the client's address, where nobody has signed in. Raises RequestTooLong, and StoreError where it is too
        long for an address of ours: StoreFull for a client, too, that has had too many kept.
        """
        until = self._clock() + LIFETIME
        path = CONTINUE + self._seal.close(_encode(transaction), bound=_BOUND, until=until)
        if len(path) <= LONGEST:
            return path
        if len(transaction.request) > LARGEST:
            raise RequestTooLong
        if stranger and self._rates.draw(f"transactions {address_key(stranger)}", KEPT_A_MINUTE, self._clock()) > 0:
            raise StoreFull("requests of one address that wait for a sign-in", KEPT_A_MINUTE)
        key = secrets.token_urlsafe(32)
        await self._once.put(_KIND, key, transaction.request, until=until, now=self._clock())
        short = replace(transaction, request=b"", kept=key)
        return CONTINUE + self._seal.close(_encode(short), bound=_BOUND, until=until)

    def peek(self, path: str) -> Transaction | None:
        """What an address is for, perhaps without its request; None where it is over, or none of ours."""
        if not path.startswith(CONTINUE):
            return None
        opened = self._seal.open(path.removeprefix(CONTINUE), bound=_BOUND)
        try:
            transaction = _decode(opened) if opened is not None else None
        except msgspec.DecodeError:  # another node's, of another version
            return None
        if transaction is not None and transaction.fresh_since > self._clock() + SKEW:
            return None  # by a clock that was wrong: no sign-in of today would be fresh enough
        return transaction

    async def open(self, path: str) -> Transaction | None:
        """What an address is for, whole; as often as it is asked for. Raises StoreError."""
        transaction = self.peek(path)
        if transaction is None or not transaction.kept:
            return transaction
        now = self._clock()
        request = await self._once.take(_KIND, transaction.kept, now)
        if request is None:
            return None
        # whoever reloads the page comes here again, until the address itself is over
        await self._once.put(_KIND, transaction.kept, request, until=now + LIFETIME, now=now)
        return replace(transaction, request=request, kept="")


class Resume(Protocol):
    """A protocol's way on: everything else about the person (access, consent) is its own to check."""

    async def __call__(self, request: web.Request, transaction: Transaction, session: Session) -> web.StreamResponse:
        """Answer the application. The session is fresh enough."""
        ...


class Continuation:
    """Serves `/continue/…`. resume: by protocol."""

    def __init__(self, transactions: Transactions, signin: SignInPages, resume: Mapping[str, Resume]) -> None:
        self._transactions, self._signin, self._resume = transactions, signin, resume

    def add_routes(self, app: web.Application) -> None:
        """The one route."""
        app.router.add_get(CONTINUE + "{sealed}", self._signin.guarded(self.go_on))

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """The person comes back from the sign-in, or by Back, or hours later."""
        path = CONTINUE + request.match_info["sealed"]
        waiting = self._transactions.peek(path)
        resume = self._resume.get(waiting.protocol) if waiting is not None else None
        if waiting is None or resume is None:
            return self._stale(request)
        session = await self._signin.session_of(request)
        if session is None or not waiting.accepts(session):
            return self._signin.redirect_to_signin(path)
        transaction = await self._transactions.open(path)
        if transaction is None:
            return self._stale(request)
        return await resume(request, transaction, session)

    def _stale(self, request: web.Request) -> web.Response:
        log.info("transaction.stale")
        return self._signin.show_problem(request, Message.APPLICATION_STALE, status=400)
