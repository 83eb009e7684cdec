"""Settings that are read anew while a process runs (SIGHUP): what can be taken is, what cannot is named.

A file that cannot be used changes nothing: every problem is logged with its key and line, and what was in use continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from settings import SettingsFileError, Unfit, changed_settings, load_settings, locate

log = structlog.get_logger()

M = TypeVar("M")

Take = Callable[[M], Awaitable[Sequence[str]]]
"""Takes what it can of new settings, and says which keys that were, tables as a whole; raises Unfit, having taken none."""


class LiveSettings(Generic[M]):
    """The settings of one process. path: their file; settings: those that it was started with."""

    def __init__(self, path: Path, model: type[M], settings: M, take: Take[M]) -> None:
        self._path, self._model, self._take = path, model, take
        self._started, self._read = settings, settings

    async def reload(self) -> None:
        """Read the file and take what can be taken. Raises nothing for what is wrong with it: it is logged."""
        try:
            read = await asyncio.to_thread(load_settings, self._path, self._model)
            taken = await self._take(read)
        except SettingsFileError as error:
            self._refuse(error)
        except Unfit as error:
            self._refuse(SettingsFileError(self._path, locate(self._path, [error])))
        else:
            self._tell(read, taken)
            self._read = read

    def _refuse(self, error: SettingsFileError) -> None:
        for problem in error.problems:
            log.error(
                "settings.refused",
                file=str(problem.file or self._path),
                setting=problem.key,
                line=problem.line,
                problem=problem.problem,
                remedy=problem.remedy,
            )
        remedy = "correct it and reload again; the previous settings stay in use"
        log.error("settings.not_reloaded", file=str(self._path), problems=len(error.problems), remedy=remedy)

    def _tell(self, read: M, taken: Sequence[str]) -> None:
        changed = [key for key in changed_settings(self._read, read) if _within(key, taken)]
        waiting = [key for key in changed_settings(self._started, read) if not _within(key, taken)]
        log.info("settings.reloaded", file=str(self._path), changed=changed)
        if waiting:
            log.warning(
                "settings.restart_needed",
                settings=waiting,
                remedy="restart to apply these; until then the previous values stay in use",
            )


def _within(key: str, tables: Sequence[str]) -> bool:
    return any(key == table or key.startswith((f"{table}.", f"{table}[")) for table in tables)
