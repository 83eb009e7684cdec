"""Looks at domain controllers while nobody signs in, so that an idle agent knows as well as a busy one who is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from directory.ldap.controller import Controller
from directory.settings import DirectorySettings

log = structlog.get_logger()


async def watch(
    controller: Controller, settings: DirectorySettings, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
) -> None:
    """Look at a domain controller whenever it is time, until cancelled. sleep: seconds."""
    while True:
        try:
            await controller.look()
        except Exception:
            log.exception("dc.look_failed", controller=str(controller))  # a defect costs this look, not the agent
        await sleep(pause(controller, settings))
        while controller.is_up and (left := settings.check_seconds - controller.quiet_for) > 0:
            await sleep(left)  # it has answered somebody else meanwhile


def pause(controller: Controller, settings: DirectorySettings) -> float:
    """Seconds until the next look. One that is down is asked often: nobody waits for it but this."""
    return settings.check_seconds if controller.is_up else min(settings.retry_seconds, settings.check_seconds)
