"""What a command reads once, from a file or from an application's server."""

from __future__ import annotations

from pathlib import Path

from foundation.http import FetchFailed
from gateway.federation import open_outbound
from isthmus.cli.output import Failure, reporting, run_async
from isthmus.cli.relay.context import load_relay_settings
from settings import UnusableFile, read_regular


def is_address(source: str) -> bool:
    """Whether it is one of a server, not a file."""
    return source.startswith(("https://", "http://"))


def read_source(config: Path, source: str, most: int) -> bytes:
    """The bytes of a file or of a document, by the relay's own rules of where it may connect to. Raises Failure."""
    if is_address(source):
        settings = load_relay_settings(config, now=False).server.federation
        with reporting(FetchFailed):
            return run_async(open_outbound(settings).get(source, most=most))
    try:
        content, _ = read_regular(Path(source), most)
    except UnusableFile as error:
        raise Failure(str(error)) from error
    return content
