"""What a stranger's clock learns: names that exist and invented ones, at whole processes and a real Active Directory."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from statistics import mean

import aiohttp
import pytest

from demo.samba import BENCH_PASSWORD, ServiceAccount, ThrowawayDomain
from demo.signin import directories_toml
from demo.stand import Stand
from tests.support.separation import separated

pytestmark = [pytest.mark.long, pytest.mark.system, pytest.mark.samba]

REQUESTS = 200
"""For each kind of name in each round."""
ROUNDS = 3
"""The mean of three: of one, chance alone is beyond the limit in one of twelve (its standard deviation is 2.9 %)."""
MORE_ROUNDS = 6
"""Where that is beyond the limit, which chance alone brings in one run of a hundred: then the mean of all nine decides."""
AT_ONCE = 8
LIMIT = 0.55


class Attacker:
    """Guesses over connections that are kept, and takes the time of each answer."""

    def __init__(self, stand: Stand, session: aiohttp.ClientSession) -> None:
        self._stand, self._session = stand, session
        self._numbers = itertools.count()

    async def ask(self, operation: str, name: str, password: str) -> tuple[str, float]:
        """The outcome, and the seconds that it took."""
        body = {"user_name": name, "password": password}
        if operation == "change-password":
            body["new_password"] = "New-Strait-2027!"
        began = time.perf_counter()
        async with self._session.post(f"{self._stand.url}/api/v1/{operation}", json=body) as response:
            answer = json.loads(await response.read())
        return answer.get("outcome", str(response.status)), time.perf_counter() - began

    async def separation(self, operation: str, existing: list[str]) -> float:
        """One round: in how many pairs the existing name took longer."""
        suffix = existing[0].partition("@")[2]
        invented = [f"nobody{next(self._numbers)}@{suffix}" for _ in existing]
        names = [*existing, *invented]
        random.shuffle(names)
        times: dict[str, float] = {}

        async def worker() -> None:
            while names:
                name = names.pop()
                outcome, times[name] = await self.ask(operation, name, "not-the-password")
                assert outcome == "wrong_credential"

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        for name in existing:  # what was counted is forgotten
            assert (await self.ask("authenticate", name, BENCH_PASSWORD))[0] == "success"
        return separated([times[name] for name in existing], [times[name] for name in invented])


@pytest.fixture(scope="module")
def stand(domain: ThrowawayDomain, service: ServiceAccount) -> Iterator[Stand]:
    """A relay and an agent."""
    with Stand(directories_toml(domain, service), relay="[server.core]\ncanary_interval = 0\n") as running:
        running.enrol_agent("agent-1")
        running.start_agent("agent-1")
        yield running


@pytest.fixture(scope="module")
def people(domain: ThrowawayDomain) -> list[str]:
    """Those that are guessed at, and some who sign in meanwhile."""
    return domain.create_users(REQUESTS + 20)


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.parametrize("operation", ["authenticate", "change-password"])
async def test_a_clock_does_not_tell_who_exists(stand: Stand, people: list[str], operation: str, load: bool) -> None:
    """With 200 requests of each kind, idle and while others sign in."""
    headers = {"Authorization": f"Bearer {stand.create_api_key()}"}
    connector = aiohttp.TCPConnector(ssl=stand.tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        attacker = Attacker(stand, session)
        async with _sign_ins(attacker, people[REQUESTS:] if load else []):
            await attacker.separation(operation, people[:REQUESTS])  # the delay follows the load within ten seconds
            found = [await attacker.separation(operation, people[:REQUESTS]) for _ in range(ROUNDS)]
            if _share(found) > LIMIT:
                found += [await attacker.separation(operation, people[:REQUESTS]) for _ in range(MORE_ROUNDS)]
    print(operation, "under load" if load else "idle", [round(share, 3) for share in found])  # noqa: T201 - the figures
    assert _share(found) <= LIMIT


def _share(found: list[float]) -> float:
    """In how many pairs the attacker is right, who may call either kind of name the slower one."""
    return max(mean(found), 1 - mean(found))


@asynccontextmanager
async def _sign_ins(attacker: Attacker, people: list[str]) -> AsyncIterator[None]:
    """Each of them over and over again."""

    async def sign_in(name: str) -> None:
        while True:
            assert (await attacker.ask("authenticate", name, BENCH_PASSWORD))[0] == "success"

    tasks = [asyncio.create_task(sign_in(name)) for name in people]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
