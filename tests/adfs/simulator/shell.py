"""A `Shell` straight into the simulator, without WSMan between: for tests that are about farms, not about remoting."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Mapping

from adfs_mgmt.remoting import (
    AccessDenied,
    Command,
    CommandFailed,
    HostUnreachable,
    Interrupted,
    PSCredential,
    PSObject,
    Secret,
    Value,
)
from adfs_mgmt.remoting.command import Scalar
from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.simulator import ADMIN, Dropped, Simulator, Unreachable
from tests.adfs.simulator.values import PsCredential, PsNumber, PsObject, SecureText


class SimulatedShell:
    """One administrator's session. What comes back looks as it does through PSRP at depth 1."""

    def __init__(self, simulator: Simulator, user: str = ADMIN) -> None:
        self._simulator = simulator
        self._user = user

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        """See `adfs_mgmt.remoting.Shell`. A host that is slower than `timeout` is given up at once, after the effect."""
        name = host.partition("=")[0]
        if self._user not in self._simulator.world.accounts:
            raise AccessDenied(host, f"{self._user} is not allowed here")
        delay = self._simulator.delay(name)
        if 0 < delay < timeout:
            await asyncio.sleep(delay)
        things = self._run(host, name, command)
        if delay >= timeout:
            raise Interrupted(host, f"{command} has not ended within {timeout:g} seconds")
        return things

    def _run(self, host: str, name: str, command: Command) -> list[PSObject]:
        parameters = {each: _sent(value) for each, value in command.parameters.items()}
        try:
            rows = self._simulator.invoke(self._user, name, command.name, parameters)
        except PsError as error:
            raise CommandFailed(host, command.name, str(error), error_id=error.error_id, category=error.category) from error
        except Unreachable as error:
            raise HostUnreachable(host, "no connection") from error
        except Dropped as error:
            raise Interrupted(host, f"the connection broke during {command.name}") from error
        return [_received(row) for row in rows]

    async def close(self) -> None:
        """Nothing to let go of."""


def _sent(value: Value) -> object:
    if isinstance(value, Secret):
        return SecureText(value.text)
    if isinstance(value, PSCredential):
        return PsCredential(value.user, SecureText(value.password.text))
    if isinstance(value, tuple):
        return list(value)
    return value


def _received(row: Mapping[str, object]) -> PSObject:
    """The text of an object does not arrive beside its properties."""
    return {key: _property(value) for key, value in row.items() if key or len(row) == 1}


def _property(value: object) -> Scalar | list[Scalar | PSObject] | PSObject:
    if isinstance(value, list):
        return [_item(each) for each in value]
    return _item(value)


def _item(value: object) -> Scalar | PSObject:
    if isinstance(value, PsObject):
        return _received(value.properties)
    if isinstance(value, PsNumber):
        return value.value
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, dt.timedelta):
        return duration(value)
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, int | float | bool | bytes | dt.datetime):
        return value
    raise TypeError(type(value).__name__)


def duration(value: dt.timedelta) -> str:
    """As CLIXML has it: xs:duration, of minutes."""
    return f"PT{int(value.total_seconds() // 60)}M"
