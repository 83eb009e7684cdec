"""Asks each node, and the federation name, for a token with a test account: whether people can sign in, really.

The test must not lock the account: as long as no address has accepted it, one is asked at a time, those first that look well
from outside.

    no connection, untrusted, 404 or 503: the account was not tried    ──► the next address
    a token                                                            ──► all others at once
    anything else: it was tried, or may have been                      ──► nobody else is asked
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from adfs_mgmt.farm.errors import Unreadable
from adfs_mgmt.farm.external_view import HOSTS_AT_ONCE
from adfs_mgmt.farm.model import ExternalView
from adfs_mgmt.farm.settings import FarmSettings, address_of
from foundation.saml import Fault, SignInOutcome, SyntheticSignIn, TokenClient
from foundation.times import ElapsedClock
from settings import UnusableFile, read_secret

_UNTRIED = {SignInOutcome.UNREACHED, SignInOutcome.UNTRUSTED, SignInOutcome.NOT_OFFERED}
_ACCEPTED = {SignInOutcome.ISSUED, SignInOutcome.ENCRYPTED, SignInOutcome.BAD_TOKEN}
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
        return TestAccount(settings.synthetic_user, read_secret(path))
    except UnusableFile as error:
        raise Unreadable(what, str(error)) from error


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
    clock, slots = ElapsedClock(now), asyncio.Semaphore(HOSTS_AT_ONCE)
    client = TokenClient(
        name=settings.federation_name,
        port=settings.https_port,
        ca_file=settings.tls_ca_file,
        timeout=settings.outside_timeout,
        user=account.user,
        password=account.password,
        relying_party=settings.synthetic_relying_party or identifier,
        explain=outcome_of,
    )
    waiting = _ordered(settings, outside)
    done: dict[str, SyntheticSignIn] = {}
    async with client.open_session() as session:

        async def ask(host: str) -> None:
            async with slots:
                done[host] = await client.ask(session, host, address_of(settings, host), clock.now())
            if on_host is not None:
                on_host(host)

        while waiting and not any(result.outcome in _ACCEPTED for result in done.values()):
            host = waiting.pop(0)
            await ask(host)
            if done[host].outcome not in _UNTRIED | _ACCEPTED:
                reason = f"{host.partition('=')[0]} returned no token"
                for other in waiting:
                    done[other] = client.result(SignInOutcome.NOT_ASKED, host=other, at=clock.now(), reason=reason)
                waiting = []
        await asyncio.gather(*(ask(host) for host in waiting))
    return tuple(done[host] for host in [*settings.nodes, settings.federation_name])


def _ordered(settings: FarmSettings, outside: ExternalView) -> list[str]:
    """Those first whose metadata came by trusted TLS: one that hangs must not be the one that decides."""
    healthy = {served.host for served in outside.served if served.signing and not served.tls_problem}
    return sorted([*settings.nodes, settings.federation_name], key=lambda host: host not in healthy)


def outcome_of(fault: Fault) -> SignInOutcome:
    """What a fault of AD FS says of the account: by the number in its text, else by its code (WS-Trust 1.3 section 11)."""
    if any(code in fault.text for code in _ACCESS_CODES):
        return SignInOutcome.DENIED
    if "FailedAuthentication" in fault.codes:
        return SignInOutcome.REFUSED
    if "InvalidScope" in fault.codes or any(code in fault.text for code in _PARTY_CODES):
        return SignInOutcome.UNKNOWN_PARTY
    return SignInOutcome.NO_VERDICT
