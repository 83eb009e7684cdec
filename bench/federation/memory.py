"""A relay with a thousand agents, a thousand trusts and twenty thousand sessions: its memory, its growth, its start.

Sessions are copies of those of a few people who signed in, written into the store while no relay runs: all that a session
costs the relay it costs when it is used, and each is.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import secrets
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import msgspec

from bench.crowd import FROM_ONE_ADDRESS, crowd
from bench.federation.applications import CALLBACK, oidc_toml, saml_toml, wait_for_keys
from bench.federation.flows import SESSION, Flow, code_flow, saml_flow, sign_in
from bench.federation.load import run_all
from bench.http_client import KeptConnection
from bench.measure import processor_seconds, rss_mb, show
from demo.slapd import ThrowawaySlapd
from demo.stand import Stand
from gateway.app import open_relay_store
from gateway.keys import load_keys
from isthmus.relay_settings import RelaySettings
from settings import load_settings

_PEOPLE = 32
_STARTS = 3
_OF_SAML = 10
"""One trust in so many is of SAML, and one flow."""
_FOLDER = '[server.federation]\ntrusts_dir = "trusts"\n'


@dataclass(frozen=True, slots=True)
class _Size:
    agents: int
    trusts: int
    sessions: int
    warm_up: int
    flows: int


_WHOLE = _Size(agents=1_000, trusts=1_000, sessions=20_000, warm_up=20_000, flows=50_000)
_QUICK = _Size(agents=50, trusts=100, sessions=500, warm_up=500, flows=1_500)


def measure(slapd: ThrowawaySlapd, relay: str, agent: str, *, quick: bool) -> None:
    """Show `federation.start_s`, `federation.rss_mb` and `federation.growth_mb`."""
    size = _QUICK if quick else _WHOLE
    with Stand(slapd.toml(), relay=FROM_ONE_ADDRESS + _FOLDER + relay, agent=agent) as stand:
        stand.enrol_agent("agent-1")
        stand.start_agent("agent-1")
        _write_trusts(stand, size.trusts)
        people = [(slapd.upn(number), slapd.password(number)) for number in range(_PEOPLE)]
        asyncio.run(_sign_in(stand, people))
        stand.stop("relay")
        cookies = asyncio.run(_copy_sessions(stand, size.sessions))
        _show_start(stand, size.trusts)
        with crowd(stand, size.agents, 1):
            stand.wait_for(lambda: "agent-1" in stand.connected_agents(), "agent-1 to come back", "agent-1", 60.0)
            pid, flows = stand.processes["relay"].pid, _flows(size.trusts, cookies)
            before = rss_mb(pid)
            asyncio.run(run_all(stand, list(itertools.islice(flows, size.warm_up))))
            warm = rss_mb(pid)
            remark = f"{size.agents} agents, {size.trusts} trusts, {size.sessions} sessions; {before:.0f} before any flow"
            show("federation.rss_mb", warm, remark)
            asyncio.run(run_all(stand, list(itertools.islice(flows, size.flows))))
            show("federation.growth_mb", rss_mb(pid) - warm, f"over {size.flows} flows, after {size.warm_up}")


def _write_trusts(stand: Stand, count: int) -> None:
    folder = stand.home / "trusts"
    folder.mkdir()
    for number in range(count):
        name = _trust(number)
        text = saml_toml(name) if number % _OF_SAML == 0 else oidc_toml(name)
        (folder / f"{name}.toml").write_text(text)
    stand.wait_for(lambda: _known(stand) == count, "the trusts", "relay", 120.0)
    wait_for_keys(stand)


def _trust(number: int) -> str:
    return f"application-{number}"


def _known(stand: Stand) -> int:
    listed = stand.run("relay", "trust", "list", "--config", str(stand.relay_config), "--json")
    return len(json.loads(listed))


async def _sign_in(stand: Stand, people: Sequence[tuple[str, str]]) -> None:
    for person in people:
        await sign_in(stand, *person)


async def _copy_sessions(stand: Stand, count: int) -> list[str]:
    """The cookies of as many browsers."""
    settings, now, cookies = load_settings(stand.relay_config, RelaySettings).server, time.time(), []
    store = open_relay_store(settings, load_keys(settings, now))
    try:
        models = await store.sessions.behind(b"", _PEOPLE, now)
        for model in itertools.islice(itertools.cycle(models), count):
            secret, kept = secrets.token_urlsafe(32), msgspec.msgpack.decode(model.identity)
            kept["session"] = secrets.token_urlsafe(32)  # what hangs on it would replace what hangs on the model
            digest = hashlib.sha256(secret.encode()).digest()
            record = replace(model, digest=digest, identity=msgspec.msgpack.encode(kept), seen_at=now, checked_at=now)
            await store.sessions.add(record)
            cookies.append(f"{SESSION}={secret}")
    finally:
        await store.close()
    return cookies


def _show_start(stand: Stand, trusts: int) -> None:
    """The median of a few starts, until the last trust is served; the relay runs after the last one."""
    seconds, processor = [], []
    for number in range(_STARTS):
        started = time.monotonic()
        stand.start_relay()
        if not asyncio.run(_is_served(stand, _trust(trusts - 1))):
            raise RuntimeError("the relay has started without its trusts")
        seconds.append(time.monotonic() - started)
        processor.append(processor_seconds(stand.processes["relay"].pid))
        if number < _STARTS - 1:
            stand.stop("relay")
    remark = f"{trusts} trusts; processor time {statistics.median(processor):.2f} s"
    show("federation.start_s", statistics.median(seconds), remark)


async def _is_served(stand: Stand, client: str) -> bool:
    """Whether a request of the client that lacks nearly everything is answered to the client itself."""
    async with KeptConnection(stand.url, stand.tls) as connection:
        query = urlencode({"client_id": client, "redirect_uri": CALLBACK})
        return (await connection.get(f"/oidc/authorize?{query}")).location.startswith(CALLBACK)


def _flows(trusts: int, cookies: Sequence[str]) -> Iterator[tuple[Flow, str]]:
    """Endlessly, one with each session; each trust has its turn."""
    made = [saml_flow(_trust(number)) if number % _OF_SAML == 0 else code_flow(_trust(number)) for number in range(trusts)]
    return zip(itertools.cycle(made), itertools.cycle(cookies), strict=False)
