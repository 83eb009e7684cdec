"""What a recording of the servers' answers tells: before it is sent to anybody, and after it was received."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from adfs_mgmt.farm import Farm, FarmSettings, read_farm
from adfs_mgmt.operations.errors import FileUnusable
from adfs_mgmt.remoting import Replay, make_command

_NODE, _PROXY = "Get-AdfsSyncProperties", "Get-WebApplicationProxySslCertificate"
"""Whoever was asked this was taken for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedFarm:
    """A farm with pseudonyms, and every error that its servers answered."""

    farm: Farm
    failures: tuple[str, ...]


async def read_recording(path: Path) -> RecordedFarm:
    """As the farm was then: by the first clock in the recording, else by the file's. No server is asked.

    Raises RecordingDamaged; FileUnusable for a file that cannot be read or in which no farm was read.
    """
    replay, made = _opened(path)
    nodes = tuple(host for host, commands in replay.hosts.items() if _NODE in commands)
    proxies = tuple(host for host, commands in replay.hosts.items() if _PROXY in commands)
    if not nodes:
        raise FileUnusable(path.name, "it contains no reading of a farm; record `isthmus adfs status` or `check`")
    answers = await replay.run(nodes[0], make_command("Get-Date")) if "Get-Date" in replay.hosts[nodes[0]] else []
    times = (value for answer in answers for value in answer.values() if isinstance(value, dt.datetime))
    now = next(times, dt.datetime.fromtimestamp(made, dt.UTC))
    settings = FarmSettings(name=path.name, federation_name="", nodes=nodes, proxies=proxies)
    farm = await read_farm(replay, settings, now.timestamp())
    return RecordedFarm(farm=farm, failures=tuple(str(error) for error in replay.failures))


def _opened(path: Path) -> tuple[Replay, float]:
    """The recording, and when its file was written."""
    try:
        return Replay(path), path.stat().st_mtime
    except OSError as error:
        raise FileUnusable(path, f"cannot be read ({error.strerror})") from error
