"""Every check of a relay, in the order in which things depend on each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version

from findings import Finding
from gateway.app import ServerSettings
from isthmus.relay_check import fleet, machine
from isthmus.relay_check.address import check_certificate_files, check_public_address
from isthmus.relay_check.live import LiveRelay


async def check_node(settings: ServerSettings, live: LiveRelay, user: str, now: float) -> AsyncIterator[Finding]:
    """Never raises for what it finds, and changes nothing. live: what the running relay said. now: Unix seconds."""
    yield machine.check_keys(settings, now)
    yield await asyncio.to_thread(machine.check_database, settings)
    yield machine.check_disk(settings.state_dir)
    yield machine.check_backup(settings.state_dir, now, shared=settings.store_url is not None)
    yield machine.check_page(settings.signin)
    for finding in check_certificate_files(settings, now):
        yield finding
    async for finding in check_public_address(settings, now, running=live.health is not None):
        yield finding
    for finding in judge_live(live, user, now):
        yield finding


def judge_live(live: LiveRelay, user: str, now: float) -> list[Finding]:
    """What the running relay said."""
    found: list[Finding] = []
    if live.health is not None:
        found.append(fleet.judge_node(live.health, version("isthmus")))
        found += fleet.judge_clocks(live.health, live.agents)
        found += fleet.judge_agents(live.agents, now)
        found += fleet.judge_domains(live.health.domains)
        found += live.health.signing_keys
    if live.sign_in is not None:
        found.append(fleet.judge_sign_in(user, live.sign_in))
    return [*found, *live.problems, *fleet.judge_trust_files(live.trust_files)]
