"""A target on a quirky service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sync.target.scim import ScimSettings, ScimTarget
from sync.target.scim.client import ScimClient
from tests.sync.target.scim.quirks import TOKEN, QuirkyService, Sleeps

NOW = 1_800_000_000.0


def settings_of(url: str, directory: Path, **fields: object) -> ScimSettings:
    token_file = directory / "token"
    token_file.write_text(TOKEN + "\n")
    token_file.chmod(0o600)
    given: dict[str, object] = {"url": url, "token_file": token_file, "requests_a_second": 10_000.0, "timeout": 5.0}
    return ScimSettings(**{**given, **fields})  # type: ignore[arg-type]


@asynccontextmanager
async def quirky(
    directory: Path, sleeps: Sleeps | None = None, service: QuirkyService | None = None, **fields: object
) -> AsyncIterator[tuple[QuirkyService, ScimTarget]]:
    """The service, and a target on it that does not wait for real."""
    async with service or QuirkyService() as running:
        settings = settings_of(running.address, directory, **fields)
        client = ScimClient("scim", settings, sleep=sleeps or Sleeps(), now=lambda: NOW)
        target = ScimTarget("scim", settings, client)
        try:
            yield running, target
        finally:
            await target.close()
