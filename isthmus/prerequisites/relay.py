"""What a relay loads at its start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.app import check_relay_store, tls_context
from gateway.certificate import HttpsUnusable
from gateway.signin import BadBranding, check_pages
from gateway.store import StoreError, StoreUnavailable
from isthmus.prerequisites.machine import unusable_address, unusable_state_directory
from isthmus.relay_settings import RelaySettings
from settings import Unfit


def unusable_addresses(settings: RelaySettings) -> Iterator[Unfit]:
    """`listen` and `metrics_listen`; those of a relay that runs on these settings are in use by right."""
    server = settings.server

    def is_ours() -> bool:
        return _is_running(server.state_dir)

    yield from unusable_address(server.listen, "server.listen", is_ours=is_ours)
    yield from unusable_address(server.metrics_listen, "server.metrics_listen", is_ours=is_ours)


def unusable_files(settings: RelaySettings) -> Iterator[Unfit]:
    """State directory, HTTPS files, what the page shows, the store."""
    server = settings.server
    found = list(unusable_state_directory(server.state_dir, "server.state_dir"))
    yield from found
    try:
        tls_context(server)
    except HttpsUnusable as error:
        yield error
    try:
        check_pages(server.signin)
    except BadBranding as error:
        yield error.under("server", "signin")
    if server.store_url is not None or not found:
        yield from _unusable_store(settings)


def _unusable_store(settings: RelaySettings) -> Iterator[Unfit]:
    setting = "server.state_dir" if settings.server.store_url is None else "server.store_url"
    try:
        check_relay_store(settings.server)
    except StoreUnavailable as error:
        yield Unfit(f"{error.where}: {error.problem}", error.remedy, setting=setting)
    except StoreError as error:
        yield Unfit(str(error), setting=setting)


def _is_running(state_dir: Path) -> bool:
    """Whether a relay holds the lock of the directory; the file is not made for the question."""
    import fcntl  # Windows, where no relay runs, has none

    try:
        descriptor = os.open(state_dir / "relay.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
