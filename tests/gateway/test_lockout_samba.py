"""Smart lockout before a real Active Directory: what a guesser in many spellings does to an account."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from demo.samba import ThrowawayDomain
from directory import Directories, DirectorySettings
from gateway.app import Relay, ServerSettings, serving
from gateway.protocol import Outcome
from tests.support.relay_and_agent import agent, attempt

pytestmark = pytest.mark.samba

ROUNDS = 20


@pytest.fixture
async def house(settings: ServerSettings, tmp_path: Path, ad_settings: DirectorySettings) -> AsyncIterator[Relay]:
    """A relay and two agents, each with its own connections to the domain controller."""
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(settings))
        for name in ("first", "second"):
            directories = Directories([ad_settings])
            stack.push_async_callback(directories.close)
            await stack.enter_async_context(agent(tmp_path, running, directories, name=name))
        yield running


def spellings(domain: ThrowawayDomain, account: str, upn: str) -> list[str]:
    """24 that Active Directory takes for one."""
    user, _, suffix = upn.partition("@")
    suffixes = f"@{suffix}", f"@{suffix.upper()}"
    names = [spelt + end for spelt in (user, user.upper(), user.title(), f" {user}") for end in suffixes]
    names += [
        f"{netbios}\\{spelt}"
        for netbios in (domain.netbios_name, domain.netbios_name.lower(), domain.netbios_name.title())
        for spelt in (account, account.upper(), account.title(), f"{account} ")
    ]
    names += [account, account.upper(), account.title(), f"  {account}"]
    assert len(set(names)) == 24
    return names


async def counts(directories: Directories, name: str) -> tuple[int, int]:
    """lockoutTime and badPwdCount, as the domain controller has them."""
    person = await directories.find_user(name)
    assert person is not None
    lockout_time, bad_passwords = (person.attributes.get(kind, ("0",))[0] for kind in ("lockoutTime", "badPwdCount"))
    return int(lockout_time), int(bad_passwords)


async def test_24_parallel_guesses_in_24_spellings_never_lock_the_account(
    house: Relay, domain: ThrowawayDomain, ad_settings: DirectorySettings
) -> None:
    """Through two agents that do not know of each other, at a threshold of 5. The owner signs in after each round."""
    anna, numbers = domain.people["anna"], itertools.count()
    directories = Directories([replace(ad_settings, attributes=("badPwdCount", "lockoutTime"))])
    names = spellings(domain, anna.account_name, anna.upn)
    for _ in range(ROUNDS):
        tries = [
            house.authenticator.authenticate(
                attempt(name, f"guess {next(numbers)}", throttled=False, correlation_id=f"c{next(numbers)}")
            )
            for name in names
        ]
        verdicts = await asyncio.gather(*tries)
        assert not any(verdict.succeeded for verdict in verdicts)
        lockout_time, counted = await counts(directories, anna.upn)
        assert lockout_time == 0
        assert 1 <= counted <= 4
        assert await house.lockouts.unlock(names, [])
        domain.set_password("anna", anna.password)  # the count in AD begins anew
    await directories.close()
    verdict = await house.authenticator.authenticate(attempt(anna.upn, anna.password, throttled=False))
    assert verdict.outcome is Outcome.SUCCESS
