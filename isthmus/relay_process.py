"""The relay process: serves, reads its settings anew when it is told to, and ends in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from gateway import app
from isthmus import logging
from isthmus.live_settings import LiveSettings
from isthmus.process import ServiceProcess
from isthmus.relay_settings import RelaySettings

log = structlog.get_logger()

RELOADED = ("log.level", *(f"server.{key}" for key in app.RELOADED))
"""Settings that a reload takes, tables as a whole; all others need a restart."""


async def serve(settings: RelaySettings, file: Path, process: ServiceProcess, *, level: str = "") -> None:
    """Run a relay until it is told to stop, then drain. Raises ServerError, StoreError, CertsError, BadBranding.

    file: where the settings are from. level: of the log, whatever they say; empty: as they say.
    """

    async def take(read: RelaySettings) -> Sequence[str]:
        taken = await relay.reload(read.server)
        logging.use_level(level or read.log.level)
        return ("log.level", *(f"server.{key}" for key in taken))

    async with process, app.serving(settings.server, audit=settings.audit) as relay:
        live = LiveSettings(file, RelaySettings, settings, take)
        await process.attend(f"Serving {settings.server.public_url} on {settings.server.listen}", live.reload)
    log.info("relay.stopped")
