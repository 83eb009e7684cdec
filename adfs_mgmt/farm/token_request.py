"""Asks each node, and the federation name, for a token with a test account: whether people can sign in, really.

    verified TLS ──► WS-Trust 1.3 usernamemixed ── 404, 503 ──► WS-Trust 2005 usernamemixed ──► token, or the reason why not

The password leaves this workstation only by TLS whose certificate is trusted and names the federation service. And it must
not lock the account: as long as no address has accepted it, one is asked at a time, those first that look well from outside.

    no connection, untrusted, 404 or 503: the account was not tried    ──► the next address
    a token                                                            ──► all others at once
    anything else: it was tried, or may have been                      ──► nobody else is asked
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from adfs_mgmt.farm.clock import FarmClock
from adfs_mgmt.farm.errors import Unreadable, as_unreadable
from adfs_mgmt.farm.external_view import HOSTS_AT_ONCE
from adfs_mgmt.farm.http import bounded, host_header, open_session, why
from adfs_mgmt.farm.model import ExternalView, SignInOutcome, SyntheticSignIn
from adfs_mgmt.farm.settings import FarmSettings, address_of
from foundation.saml import (
    MAX_ANSWER_BYTES,
    WS_TRUST_VERSIONS,
    Assertion,
    Fault,
    WsTrust,
    is_encrypted,
    make_token_request,
    read_assertion,
    read_token_answer,
    readable,
)

_UNTRIED = {SignInOutcome.UNREACHED, SignInOutcome.UNTRUSTED, SignInOutcome.NOT_OFFERED}
_ACCEPTED = {SignInOutcome.ISSUED, SignInOutcome.ENCRYPTED, SignInOutcome.BAD_TOKEN}
_OFF = {404, 503}
_ACCESS_CODES = ("MSIS7068", "MSIS5007")
"""The relying party's rules said no, not the directory."""
_PARTY_CODES = ("ID3082", "MSIS3020")


@dataclass(frozen=True, slots=True)
class TestAccount:
    """Who asks."""

    __test__ = False  # for pytest, which takes it for one of its own

    user: str
    password: str = field(repr=False)


def read_test_account(settings: FarmSettings) -> TestAccount | None:
    """The test account of the settings; None where there is none. Raises Unreadable."""
    if not settings.synthetic_user:
        return None
    what, path = f"farm {settings.name}: synthetic_password_file", settings.synthetic_password_file
    if path is None:
        raise Unreadable(what, "is missing; a `synthetic_user` needs it")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(what, f"{path} cannot be read: {type(error).__name__}") from error
    return TestAccount(settings.synthetic_user, text.removesuffix("\n").removesuffix("\r"))


async def sign_in(
    settings: FarmSettings,
    account: TestAccount,
    outside: ExternalView,
    identifier: str,
    now: float,
    *,
    on_host: Callable[[str], None] | None = None,
) -> tuple[SyntheticSignIn, ...]:
    """Ask every node and the federation name. Never raises. Cancelling closes the connections.

    `now` is Unix seconds; `identifier` is the farm's own, which is asked for where the settings name no relying party;
    `on_host` hears of each that is done.
    """
    requests = _TokenRequests(settings, account, settings.synthetic_relying_party or identifier, FarmClock(now))
    waiting = _ordered(settings, outside)
    done: dict[str, SyntheticSignIn] = {}
    # the shorter one first: that nothing was sent must be told from that nothing came back
    timeout = aiohttp.ClientTimeout(total=settings.outside_timeout, connect=settings.outside_timeout / 2)
    async with open_session(timeout) as session:

        async def ask(host: str) -> None:
            done[host] = await requests.ask(session, host)
            if on_host is not None:
                on_host(host)

        while waiting and not any(result.outcome in _ACCEPTED for result in done.values()):
            host = waiting.pop(0)
            await ask(host)
            if done[host].outcome not in _UNTRIED | _ACCEPTED:
                done |= {other: requests.unasked(other, done[host]) for other in waiting}
                waiting = []
        await asyncio.gather(*(ask(host) for host in waiting))
    return tuple(done[host] for host in [*settings.nodes, settings.federation_name])


def _ordered(settings: FarmSettings, outside: ExternalView) -> list[str]:
    """Those first whose metadata came by trusted TLS: one that hangs must not be the one that decides."""
    healthy = {served.host for served in outside.served if served.signing and not served.tls_problem}
    return sorted([*settings.nodes, settings.federation_name], key=lambda host: host not in healthy)


class _NotOffered(Exception):
    """This endpoint is not there."""


@dataclass(slots=True)
class _TokenRequests:
    """One round."""

    settings: FarmSettings
    account: TestAccount
    relying_party: str
    clock: FarmClock
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HOSTS_AT_ONCE))

    async def ask(self, session: aiohttp.ClientSession, host: str) -> SyntheticSignIn:
        """At the first endpoint that is there."""
        async with self._slots:
            for protocol in WS_TRUST_VERSIONS:
                try:
                    return await self._ask_at(session, host, protocol)
                except _NotOffered as error:
                    reason = str(error)
        return self._result(host, SignInOutcome.NOT_OFFERED, reason=reason)

    def unasked(self, host: str, first: SyntheticSignIn) -> SyntheticSignIn:
        """It was not asked because of the first."""
        return self._result(host, SignInOutcome.NOT_ASKED, reason=f"{first.host.partition('=')[0]} gave no token")

    async def _ask_at(self, session: aiohttp.ClientSession, host: str, protocol: WsTrust) -> SyntheticSignIn:
        started, timeout = time.monotonic(), self.settings.outside_timeout
        try:
            status, body = await self._post(session, host, protocol)
        except aiohttp.ClientConnectorCertificateError as error:
            return self._result(host, SignInOutcome.UNTRUSTED, reason=_distrust(error.certificate_error))
        except ssl.SSLCertVerificationError as error:
            return self._result(host, SignInOutcome.UNTRUSTED, reason=_distrust(error))
        except aiohttp.ConnectionTimeoutError as error:
            return self._result(host, SignInOutcome.UNREACHED, reason=why(error, timeout / 2))
        except aiohttp.ClientConnectorError as error:
            return self._result(host, SignInOutcome.UNREACHED, reason=why(error, timeout))
        except Unreadable as error:
            return self._result(host, SignInOutcome.NO_VERDICT, protocol, reason=f"its {error.what}: {error.reason}")
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            return self._result(host, SignInOutcome.NO_VERDICT, protocol, reason=why(error, timeout))
        took = (time.monotonic() - started) * 1000
        return await asyncio.to_thread(self._result_of, host, protocol, status, body, took)

    async def _post(self, session: aiohttp.ClientSession, host: str, protocol: WsTrust) -> tuple[int, bytes]:
        name, port = self.settings.federation_name, self.settings.https_port
        authority = host_header(name, port, 443)
        body = make_token_request(
            protocol,
            f"https://{authority}{protocol.path}",
            self.account.user,
            self.account.password,
            self.relying_party,
            self.clock.now(),
        )
        async with session.post(
            URL.build(scheme="https", host=address_of(self.settings, host), port=port, path=protocol.path),
            data=body,
            ssl=ssl.create_default_context(cafile=self.settings.tls_ca_file or None),
            server_hostname=name,
            headers={"Host": authority, "Content-Type": "application/soap+xml; charset=utf-8"},
            allow_redirects=False,
        ) as response:
            answer = await bounded(response, MAX_ANSWER_BYTES)
            if response.status in _OFF:
                raise _NotOffered(f"HTTP {response.status}")
            return response.status, answer

    def _result_of(self, host: str, protocol: WsTrust, status: int, body: bytes, took: float) -> SyntheticSignIn:
        """What was answered. A fault comes with HTTP 500, sometimes 400."""
        if status not in {200, 400, 500}:
            return self._result(host, SignInOutcome.NO_VERDICT, protocol, took, reason=f"HTTP {status}")
        try:
            with as_unreadable():
                found = read_token_answer(body, protocol)
        except Unreadable as error:
            reason = f"its {error.what}: {error.reason}" + ("" if status == 200 else f" (HTTP {status})")
            return self._result(host, SignInOutcome.NO_VERDICT, protocol, took, reason=reason)
        if isinstance(found, Fault):
            return self._result(host, outcome_of(found), protocol, took, reason=found.reason)
        if is_encrypted(found):
            return self._result(host, SignInOutcome.ENCRYPTED, protocol, took)
        try:
            with as_unreadable():
                token = read_assertion(found)
            return self._result(host, SignInOutcome.ISSUED, protocol, took, token=token)
        except Unreadable as error:
            return self._result(host, SignInOutcome.BAD_TOKEN, protocol, took, reason=f"{error.what}: {error.reason}")

    def _result(
        self,
        host: str,
        outcome: SignInOutcome,
        protocol: WsTrust | None = None,
        took: float = 0.0,
        *,
        token: Assertion | None = None,
        reason: str = "",
    ) -> SyntheticSignIn:
        return SyntheticSignIn(
            host=host,
            outcome=outcome,
            relying_party=self.relying_party,
            at=self.clock.now(),
            endpoint=protocol.path if protocol else "",
            milliseconds=took,
            token=token,
            reason=readable(reason),
        )


def outcome_of(fault: Fault) -> SignInOutcome:
    """What a fault of AD FS says of the account: by the number in its text, else by its code (WS-Trust 1.3 section 11)."""
    if any(code in fault.text for code in _ACCESS_CODES):
        return SignInOutcome.DENIED
    if "FailedAuthentication" in fault.codes:
        return SignInOutcome.REFUSED
    if "InvalidScope" in fault.codes or any(code in fault.text for code in _PARTY_CODES):
        return SignInOutcome.UNKNOWN_PARTY
    return SignInOutcome.NO_VERDICT


def _distrust(error: BaseException) -> str:
    return str(getattr(error, "verify_message", "") or error)
