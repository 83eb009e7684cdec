"""Thumbprints on the command line, as people paste them."""

from __future__ import annotations

import click


def thumbprint(text: str) -> str:
    """The type of an option or argument: the one form of what was pasted; empty text, a default, stays as it is.

    Raises click.BadParameter, which ends the command with exit code 2.
    """
    from certs import ThumbprintMalformed, parse_thumbprint

    try:
        return parse_thumbprint(text) if text else text
    except ThumbprintMalformed as error:
        raise click.BadParameter(str(error)) from error
