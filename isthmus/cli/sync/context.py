"""What the commands of synchronisation share: settings, the session, and one clear message for what can go wrong."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from isthmus import logging
from isthmus.cli.output import REFUSED, UNREACHABLE, Failure, config_option, run_async
from isthmus.cli.state import load_as_owner
from isthmus.sync_process import LoadedRules, SyncSession, load_rules, open_session
from isthmus.sync_settings import SyncSettings

T = TypeVar("T")

sync_config = config_option("/etc/isthmus/sync.toml")


def load_sync_settings(path: Path) -> SyncSettings:
    """Root is the owner of the state directory from then on; logging is set up. Raises Failure."""
    settings = load_as_owner(path, SyncSettings, lambda settings: settings.state_dir, kind="sync")
    logging.set_up(settings.log.level, settings.log.format)
    return settings


def in_session(
    settings: SyncSettings,
    command: str,
    work: Callable[[SyncSession], Coroutine[Any, Any, T]],
    *,
    rules_file: Path | None = None,
) -> T:
    """Do something with everything open, and the lease held. rules_file: in place of that of the settings. Raises Failure.

    SIGTERM ends it like Ctrl-C: what was sent is known, and the lease is given back.
    """

    async def opened(loaded: LoadedRules) -> T:
        async with open_session(settings, command, loaded, time.time) as session:
            return await work(session)

    with failures(), _sigterm_as_sigint():
        return run_async(opened(load_rules(rules_file or settings.rules_file)))


@contextmanager
def failures() -> Iterator[None]:
    """Turn the packages' errors into a Failure, with the exit code for what could not be reached."""
    from certs import KeyStoreError
    from directory import DirectoryError
    from sync.plan import SyncPlanError
    from sync.rules import RulesRefused
    from sync.run import SyncRunError
    from sync.state import StateError
    from sync.target import TargetError, TargetUnavailable

    try:
        yield
    except TargetError as error:
        code = UNREACHABLE if isinstance(error, TargetUnavailable) else REFUSED
        raise Failure(f"{error}; nothing was written to any target. See: isthmus sync check", code) from error
    except RulesRefused as error:
        raise Failure(f"the rules cannot be used; nothing was read or written:\n{error}") from error
    except (SyncPlanError, SyncRunError, StateError, KeyStoreError, DirectoryError, OSError) as error:
        raise Failure(str(error)) from error


@contextmanager
def _sigterm_as_sigint() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
