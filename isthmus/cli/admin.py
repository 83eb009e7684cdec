"""Errors of administrative acts as failures of a command."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from certs import CertsError
from foundation.procedures import ProcedureError
from gateway.app import ServerError
from gateway.relay import ActUnavailable, RelayError, RelayUnresponsive
from gateway.store import StoreError, StoreUnavailable
from isthmus.cli.output import UNREACHABLE, Failure

T = TypeVar("T")


@contextmanager
def acts_reporting() -> Iterator[None]:
    """Turn their errors into a Failure. A script may try again on exit code 3 (the relay or its database does not answer),
    and need not on 1."""
    try:
        yield
    except (RelayUnresponsive, ActUnavailable, StoreUnavailable) as error:
        raise Failure(str(error), UNREACHABLE) from error
    except (RelayError, StoreError, ServerError, CertsError, ProcedureError, ValueError) as error:
        raise Failure(str(error)) from error


async def reported(act: Awaitable[T]) -> T:
    """What comes of an act. Raises Failure."""
    with acts_reporting():
        return await act
