"""Hostile spellings of one name, on real directories: what they take for equal, smart lockout counts as one account."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from demo.samba import ThrowawayDomain
from demo.slapd import ThrowawaySlapd
from directory import CheckOutcome, Credential, Directories, DirectorySettings
from gateway.protocol import AccountId, Outcome
from gateway.relay.credentials.accounts import AccountKey
from gateway.relay.credentials.admission import Admission, AdmissionRequest, AdmissionSettings, Admitted
from tests.gateway.relay.credentials.direct import KEY
from tests.support.slapd import settings_of

SETTINGS = AdmissionSettings()
PATTERNS = ("{}@corp.example.com", "CORP\\{}", "{}", "{}@CORP")
ACCOUNTS = AccountKey("1", b"k" * 32)


def wide(text: str) -> str:
    """In full-width letters."""
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


def hostile(user: str) -> list[str]:
    """Spellings of a part of a name that some directory takes for the same."""
    middle = len(user) // 2
    inserted = "\u200b\u200c\u200d\u200e\u200f\u00ad\ufeff\u2060\u2066\u202e\ufe0f\u034f\u115f\u3164\U000e0001\U000e0101"
    return [
        user,
        user.upper(),
        user.title(),
        wide(user),
        wide(user[0]) + user[1:],
        user[:-1] + wide(user[-1]).upper(),
        *(user[:middle] + mark + user[middle:] for mark in inserted),
        *(user[0] + mark + user[1:] for mark in "\u0301\u0308\u0323\u0327\u0332\u20dd"),
        *(f"{blanks}{user}" for blanks in (" ", "  ", "\t", "\u00a0", "\u3000", "\u2028")),
        *(f"{user}{blanks}" for blanks in (" ", "   ", "\u00a0", "\u2003")),
    ]


def spellings(user: str, domains: tuple[str, ...]) -> list[str]:
    """Of a whole name: each part in each spelling, in every pattern."""
    names = []
    for spelt in hostile(user):
        names += [spelt, *(f"{domain}\\{spelt}" for domain in domains), *(f"{spelt}@{domain}" for domain in domains)]
    for domain in domains:
        names += [f"{domain} \\{user}", f"{domain.upper()}\\ {user}", f"{user}@ {domain}", f"{user} @{domain.title()} "]
        names += [f"{wide(domain)}\\{user}", f"{user}\uff20{domain}", f"{domain}\uff3c{user}", f"{user}@{wide(domain)}"]
    return list(dict.fromkeys(names))


class Relay:
    """Admission before directories, as the relay and its agents have them; each agent is asked in its turn."""

    def __init__(self, *directories: Directories) -> None:
        self.admission = Admission(SETTINGS, keys=lambda: (KEY,))
        self.directories = itertools.cycle(directories)
        self.tried: list[str] = []
        """Names under which a password of the account was tried."""

    async def sign_in(self, name: str, password: str) -> CheckOutcome | None:
        """What came of it; None where admission refused."""
        now = time.time()
        request = AdmissionRequest(user_name=name, password=password, address="192.0.2.1", throttled=False)
        admitted = await self.admission.check(request, now)
        if not isinstance(admitted, Admitted):
            return None
        result = await next(self.directories).verify(Credential(name, password), deadline=now + 10)
        account = ACCOUNTS.digest(AccountId(*result.account)) if result.account is not None else b""
        if account:
            self.tried.append(name)
        await self.admission.settle(admitted, Outcome(result.outcome.value), now, account=account, account_key="1")
        return result.outcome


async def attack(relay: Relay, names: list[str], password: str) -> None:
    """A wrong password under each name, then the right one under all of them."""
    assert len(names) > 100
    for number, name in enumerate(names):
        assert await relay.sign_in(name, f"wrong-{number}") in {None, CheckOutcome.WRONG_CREDENTIAL}
    right = {await relay.sign_in(name, password) for name in names}
    assert right <= {None, CheckOutcome.WRONG_CREDENTIAL}


@pytest.fixture
async def ad(ad_settings: DirectorySettings, domain: ThrowawayDomain) -> AsyncIterator[Directories]:
    """A domain whose account ben has no wrong passwords, before and after; no guard of the agent's, only smart lockout."""
    made = Directories([replace(ad_settings, lockout_guard=False, attributes=("badPwdCount",))])
    domain.set_password("ben", domain.people["ben"].password)
    yield made
    await made.close()
    domain.set_password("ben", domain.people["ben"].password)


@pytest.mark.samba
async def test_no_spelling_buys_a_guess_at_a_domain(ad: Directories, domain: ThrowawayDomain) -> None:
    """Four wrong passwords in all, and one for each further way to say who one is: never one for each spelling."""
    relay = Relay(ad)
    await attack(relay, spellings("ben", ("CORP", "corp.example.com")), domain.people["ben"].password)
    ways = {"ben", "corp\\ben", "corp.example.com\\ben", "ben@corp", "ben@corp.example.com"}
    assert len(relay.tried) <= SETTINGS.threshold + len(ways) - 1, relay.tried


@pytest.mark.samba
async def test_parallel_guesses_at_two_agents_lock_nobody_in_the_domain(ad: Directories, domain: ThrowawayDomain) -> None:
    """24 at once in 24 spellings, of which the domain locks after five: neither agent knows what the other has under way."""
    relay = Relay(ad, ad)
    names = [name.format(user) for user in ("ben", "BEN", "Ben", " ben", "b\u200ben", "ben ") for name in PATTERNS]
    outcomes = await asyncio.gather(*(relay.sign_in(name, f"wrong-{name}") for name in names))
    assert set(outcomes) <= {None, CheckOutcome.WRONG_CREDENTIAL}
    ben = await ad.find_user("ben")
    assert ben is not None
    assert 1 <= int(ben.attributes["badPwdCount"][0]) <= SETTINGS.threshold < domain.lockout_threshold


@pytest.fixture(scope="module")
def slapd() -> Iterator[ThrowawaySlapd]:
    """A server with ten people."""
    with ThrowawaySlapd() as running:
        yield running


@pytest.mark.slapd
async def test_no_spelling_buys_a_guess_at_an_openldap_server(slapd: ThrowawaySlapd) -> None:
    """It takes full width for narrow, and marks apart; the same."""
    settings = settings_of(slapd)
    directories = Directories([settings])
    relay = Relay(directories)
    await attack(relay, spellings("person1", (slapd.name,)), slapd.password(1))
    await directories.close()
    ways = {"person1", f"{slapd.name}\\person1", slapd.upn(1)}
    assert len(relay.tried) <= SETTINGS.threshold + len(ways) - 1, relay.tried
