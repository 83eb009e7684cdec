"""Observing farms, as `status`, `check` and `timeline` do it: with a progress bar on a terminal, a log line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from isthmus.cli.output import host_progress, run_async

if TYPE_CHECKING:
    from adfs_mgmt.operations import ObservedFarm, OperationContext


def observe(context: OperationContext, names: Sequence[str], *, external_only: bool) -> list[ObservedFarm]:
    """Every farm, or those that are named. Raises OperationError, RemotingError."""
    from adfs_mgmt.operations import observe_farms, steps_of

    farms = context.farms(names)
    with host_progress(steps_of(farms, external_only=external_only)) as step:
        observations = run_async(observe_farms(context, farms, external_only=external_only, on_host=step))
    log_observations(observations)
    return observations


def log_observations(observations: Sequence[ObservedFarm]) -> None:
    """Which hosts could not be read, for whoever reads the log of a timer."""
    if sys.stderr.isatty():
        return
    import structlog

    log = structlog.get_logger()
    for observation in observations:
        farm = observation.farm
        failed = [host.host for host in farm.hosts if host.error]
        log.info("adfs.read", farm=farm.name, seconds=round(time.time() - farm.read_at, 3), failed=failed)


def plain(value: Any) -> Any:
    """For JSON: without the certificates' DER."""
    return _without_der(msgspec.to_builtins(value))


def _without_der(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_der(part) for name, part in value.items() if name != "der"}
    return [_without_der(part) for part in value] if isinstance(value, list | tuple) else value
