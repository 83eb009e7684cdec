"""What applications cost the relay: flows of OpenID Connect and SAML with a session, over HTTPS, on a durable store.

The load generator runs on the same machine, in this process. The floor is RSA-2048 alone: a code flow signs twice with it
(ID token, access token), a SAML response once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from bench.crowd import FROM_ONE_ADDRESS
from bench.federation import memory, signing
from bench.federation.applications import add_trusts
from bench.federation.flows import Flow, client_credentials, code_flow, code_for_tokens, refresh, saml_flow, sign_in
from bench.federation.load import CONNECTIONS, Result, latencies, run_all, run_rounds
from bench.http_client import KeptConnection
from bench.measure import show
from demo.slapd import ThrowawaySlapd
from demo.stand import Stand

PEOPLE = 1100
"""More than the relay keeps answers about (`lookups.MOST_KEPT`): who comes again after all others is looked up again."""
SESSIONS = 32
_LOOK_UPS = "[look_up]\nlookups_per_minute = 100000\n"


def measure(seconds: int, rounds: int, relay: str, agent: str, *, quick: bool = False) -> None:
    """Show all figures. relay, agent: TOML of the processes. quick: fewer of everything."""
    sign = signing.signature_ms()
    show("federation.rsa_2048_ms", sign, "one signature, on one core")
    signing.measure()
    with ThrowawaySlapd(people=PEOPLE) as slapd:
        people = [(slapd.upn(number), slapd.password(number)) for number in range(PEOPLE)]
        with Stand(slapd.toml(), relay=FROM_ONE_ADDRESS + relay, agent=agent + _LOOK_UPS) as stand:
            stand.enrol_agent("agent-1")
            stand.start_agent("agent-1")
            add_trusts(stand)
            asyncio.run(_measure(stand, people, seconds, rounds, sign))
        memory.measure(slapd, relay, agent + _LOOK_UPS, quick=quick)


async def _measure(stand: Stand, people: Sequence[tuple[str, str]], seconds: int, rounds: int, sign: float) -> None:
    cookies = [await sign_in(stand, *person) for person in people[:SESSIONS]]

    async def run(flow: Flow) -> Result:
        return await run_rounds(stand, flow, cookies, seconds, rounds)

    code = await run(code_flow("app"))
    show("oidc.code_flow_per_s", code.per_second, "authorize, token, userinfo; RS256")
    show("oidc.cpu_ms", code.cpu_ms, f"the relay's processor time; two signatures alone take {2 * sign:.2f}")
    curve = await run(code_flow("curve"))
    show("oidc.es256_per_s", curve.per_second, f"processor time {curve.cpu_ms:.2f} ms")
    service = await run(client_credentials)
    show("oidc.client_credentials_per_s", service.per_second, f"processor time {service.cpu_ms:.2f} ms")
    cached = await _run_refresh(stand, cookies[:CONNECTIONS], seconds, rounds)
    show("oidc.refresh_per_s", cached.per_second, f"processor time {cached.cpu_ms:.2f} ms")
    saml = await run(saml_flow("wiki"))
    show("saml.responses_per_s", saml.per_second, "signed with RSA-2048")
    show("saml.cpu_ms", saml.cpu_ms, f"the relay's processor time; the signature alone takes {sign:.2f}")
    encrypted = await run(saml_flow("secret-wiki"))
    show("saml.encrypted_per_s", encrypted.per_second, f"processor time {encrypted.cpu_ms:.2f} ms")
    alone, loaded = await latencies(stand, code_flow("app"), cookies, code.per_second / 2, seconds)
    show("federation.added_p99_ms", loaded - alone, f"p99 {loaded:.1f} ms at half of the rate, median alone {alone:.1f} ms")
    everybody = cookies + await _signed_in(stand, people[SESSIONS:])
    asked = await _run_refresh(stand, everybody, seconds, rounds)
    show("oidc.refresh_lookup_per_s", asked.per_second, f"each with a look-up; processor time {asked.cpu_ms:.2f} ms")


async def _signed_in(stand: Stand, people: Sequence[tuple[str, str]]) -> list[str]:
    cookies: list[str] = []
    for start in range(0, len(people), CONNECTIONS):
        cookies += await asyncio.gather(*(sign_in(stand, *person) for person in people[start : start + CONNECTIONS]))
    return cookies


async def _run_refresh(stand: Stand, cookies: Sequence[str], seconds: int, rounds: int) -> Result:
    """One family of refresh tokens for each person, in turns: whoever has waited longest is next."""
    families: deque[str] = deque()

    async def begin(connection: KeptConnection, cookie: str) -> None:
        tokens = await code_for_tokens(connection, cookie, "app", "openid offline_access")
        families.append(str(tokens["refresh_token"]))

    async def next_one(connection: KeptConnection, _cookie: str) -> None:
        families.append(await refresh(connection, "app", families.popleft()))

    await run_all(stand, [(begin, cookie) for cookie in cookies])
    return await run_rounds(stand, next_one, cookies, seconds, rounds)
