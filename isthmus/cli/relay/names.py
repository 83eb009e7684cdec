"""What a shell completes: names that the relay knows. Where it cannot be asked, nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from gateway.administrator import Administrator
from isthmus.cli.relay.context import load_relay_settings
from isthmus.terminal import visible

_PATIENCE = 2.0
"""Seconds that somebody waits who has pressed the tab key."""

_HARMLESS = re.compile(r"[A-Za-z0-9._@+-]+")
"""Strangers type user names: nothing that a shell would obey is put on somebody's command line."""

Names = Callable[[Administrator], Awaitable[list[tuple[str, str]]]]
"""Each name, and what a shell may show beside it."""


async def _agents(admin: Administrator) -> list[tuple[str, str]]:
    return [(view.name, "") for view in await admin.agents() if not view.revoked_at]


async def _api_keys(admin: Administrator) -> list[tuple[str, str]]:
    return [(view.id, view.name) for view in await admin.api_keys() if not view.revoked_at]


async def _domains(admin: Administrator) -> list[tuple[str, str]]:
    return [(view.domain, view.directory) for view in await admin.bindings()]


async def _trusts(admin: Administrator) -> list[tuple[str, str]]:
    return [(view.id, view.name) for view in await admin.trusts()]


async def _locked(admin: Administrator) -> list[tuple[str, str]]:
    return [(view.user, "") for view in await admin.locks() if view.user]


def complete_agents(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Agents that are not revoked."""
    return _complete(context, incomplete, _agents)


def complete_api_keys(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of the keys that are not revoked, with what they are for."""
    return _complete(context, incomplete, _api_keys)


def complete_domains(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Domains that are bound to a directory."""
    return _complete(context, incomplete, _domains)


def complete_trusts(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of the trusts, with the applications' names."""
    return _complete(context, incomplete, _trusts)


def complete_locked(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Users whom smart lockout refuses now, as they were typed."""
    return _complete(context, incomplete, _locked)


def _complete(context: click.Context, incomplete: str, names: Names) -> list[CompletionItem]:
    try:
        admin = Administrator(load_relay_settings(Path(context.params["config"])).server)
        found = asyncio.run(asyncio.wait_for(names(admin), _PATIENCE))
    except Exception:  # noqa: BLE001 - a shell that completes has no place for an error
        return []
    fitting = [(name, about) for name, about in found if name.startswith(incomplete) and _HARMLESS.fullmatch(name)]
    return [CompletionItem(name, help=visible(about)) for name, about in fitting]
