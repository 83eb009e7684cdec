"""Administrative acts, as commands need them: whose they are, and their errors as failures."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable
from typing import TypeVar

from certs import CertsError
from gateway.administrator import Administrator
from gateway.app import ServerError, ServerSettings
from gateway.relay import RelayError, RelayUnresponsive
from gateway.store import StoreError
from isthmus.cli.output import UNREACHABLE, Failure

T = TypeVar("T")


def acting() -> str:
    """Whoever is at the keyboard, for the audit trail."""
    return f"admin:{getpass.getuser()}"


def administrator(settings: ServerSettings) -> Administrator:
    """Acts in the name of whoever is at the keyboard."""
    return Administrator(settings, acting())


async def reported(act: Awaitable[T]) -> T:
    """What comes of an act; its errors are Failures. A script may try again on exit code 3, and need not on 1."""
    try:
        return await act
    except RelayUnresponsive as error:
        raise Failure(str(error), UNREACHABLE) from error
    except (RelayError, StoreError, ServerError, CertsError, ValueError) as error:
        raise Failure(str(error)) from error
