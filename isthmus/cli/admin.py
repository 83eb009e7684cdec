"""Errors of administrative acts as failures of a command."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from certs import CertsError
from gateway.app import ServerError
from gateway.relay import RelayError, RelayUnresponsive
from gateway.store import StoreError
from isthmus.cli.output import UNREACHABLE, Failure

T = TypeVar("T")


async def reported(act: Awaitable[T]) -> T:
    """What comes of an act; its errors are Failures. A script may try again on exit code 3, and need not on 1."""
    try:
        return await act
    except RelayUnresponsive as error:
        raise Failure(str(error), UNREACHABLE) from error
    except (RelayError, StoreError, ServerError, CertsError, ValueError) as error:
        raise Failure(str(error)) from error
