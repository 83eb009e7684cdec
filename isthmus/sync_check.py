"""`isthmus sync check`: the state, the rules, each source, each target. Nothing is changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import directory
from certs import KeyStoreError, check_closed
from findings import Finding, failed, passed, warned
from foundation.times import minute
from isthmus.sync_process import LoadedRules, lease_holder, load_rules, names_of
from isthmus.sync_settings import SyncSettings
from sync.rules import RulesRefused
from sync.source import SourceSettings, open_source
from sync.state import StateError, open_state
from sync.target.scim import ScimTarget


async def check_sync(
    settings: SyncSettings, *, on_finding: Callable[[Finding], None] | None, clock: Callable[[], float] = time.time
) -> list[Finding]:
    """Every check; never raises for what it finds. clock: Unix seconds."""
    found: list[Finding] = []
    async for finding in _checks(settings, clock):
        found.append(finding)
        if on_finding is not None:
            on_finding(finding)
    return found


async def _checks(settings: SyncSettings, clock: Callable[[], float]) -> AsyncIterator[Finding]:
    yield await asyncio.to_thread(check_state, settings, clock())
    try:
        loaded = load_rules(settings.rules_file)
    except RulesRefused as refused:
        more = f" (and {len(refused.problems) - 1} more)" if len(refused.problems) > 1 else ""
        remedy = "Correct the rules; isthmus sync rules check shows every error. Sources were not checked."
        yield failed("rules", "", f"{refused.problems[0]}{more}", remedy)
    else:
        for finding in check_rules(settings, loaded):
            yield finding
        for name, source in settings.sources.items():
            for finding in await _check_source(name, source, loaded, clock):
                yield finding
    for name, one in settings.targets.items():
        target = ScimTarget(name, one)
        try:
            for finding in await target.check():
                yield finding
        finally:
            await target.close()


def check_state(settings: SyncSettings, now: float) -> Finding:
    """Whether the state can be used, all of it. Where there is none, none is made. now: Unix seconds."""
    file = settings.state_file
    try:
        check_closed(settings.state_dir)
    except FileNotFoundError:
        return passed("state", "", f"{settings.state_dir} is not there yet: the first run makes it")
    except (KeyStoreError, OSError) as error:
        return failed("state", "", str(error), "No run starts before that.")
    if not file.exists():
        return passed("state", "", f"{file} is not there yet: the first run makes it")
    try:
        state = open_state(file)
        try:
            state.verify()
            held = lease_holder(state)
            runs = state.journal.runs(last=1)
        finally:
            state.close()
    except StateError as error:
        return failed("state", "", str(error))
    if held is not None and held.until > now:
        return passed("state", "", f"{file} is undamaged; {held.holder} works with it")
    return passed("state", "", f"{file} is undamaged; last run began {minute(runs[0].began if runs else None)}")


def check_rules(settings: SyncSettings, loaded: LoadedRules) -> list[Finding]:
    """Whether the rules speak of the sources and targets that the settings have."""
    rules = loaded.rules
    of_sources = {(rule.id, name) for rule in rules.inbound for name in rule.sources - settings.sources.keys()}
    of_targets = {(rule.id, name) for rule in rules.outbound for name in rule.targets - settings.targets.keys()}
    of_targets |= {("targets", name) for name in rules.targets.keys() - settings.targets.keys()}
    found = [
        warned(
            "rules",
            "",
            f"{rule} names the {what} {name}, which the settings do not have",
            f"Correct the rule, or add [{what}s.{name}] to the settings.",
        )
        for what, names in (("source", of_sources), ("target", of_targets))
        for rule, name in sorted(names)
    ]
    read = f"{len(rules.inbound)} inbound and {len(rules.outbound)} outbound, edition {loaded.edition}"
    return found or [passed("rules", "", f"{settings.rules_file or 'the default rules'}: {read}")]


async def _check_source(
    name: str, settings: SourceSettings, loaded: LoadedRules, clock: Callable[[], float]
) -> list[Finding]:
    try:
        source = await asyncio.to_thread(open_source, name, settings, names_of(loaded.rules), clock=clock)
    except directory.DirectoryError as error:
        return [failed("settings", name, str(error))]
    try:
        return await source.check()
    finally:
        await source.close()
