"""Logging: for people on a terminal, JSON elsewhere; one correlation id from the browser to the LDAP bind."""

from __future__ import annotations

import functools
import logging
import re
import sys
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRET = re.compile(r"passw|secret|token|authorization|cookie|credential|(api|reply|private)_?key|^key$", re.IGNORECASE)
_encode = msgspec.json.Encoder(enc_hook=repr).encode


@functools.lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Last defence: a field whose name says that it is a secret is not written, at whatever depth."""
    for name, value in event.items():
        if _is_secret(name):
            event[name] = "***"
        elif isinstance(value, dict):
            event[name] = redact(_logger, _method, dict(value))
    return event


def _to_json(event: EventDict, **_options: Any) -> str:
    return _encode(event).decode()


def set_up(level: str = "info", style: Literal["auto", "text", "json"] = "auto") -> None:
    """Route everything, the libraries' own logging too, to standard error."""
    text = style == "text" or (style == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=max(number, logging.INFO), force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
