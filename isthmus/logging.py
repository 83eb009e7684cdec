"""Logging: for people on a terminal, JSON elsewhere; one correlation id from the browser to the LDAP bind."""

from __future__ import annotations

import functools
import io
import json
import logging
import re
import sys
import textwrap
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from isthmus.terminal import visible, visible_json, visible_lines

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
    try:
        text = _encode(event).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, as names of files and strangers' JSON may have one
        text = json.dumps(event, default=repr)
    return visible_json(text)


def make_visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """For lines of text: what strangers typed stays on its line, and is not obeyed."""
    return {visible(name): value if name == "exc_info" else _visible_value(value) for name, value in event.items()}


def _visible_value(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    shown = repr(value)
    return value if shown == visible(shown) else visible(shown)


def _visible_traceback(out: TextIO, exc_info: ExcInfo) -> None:
    """Indented: no line of an error's text begins where the log's lines begin."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    out.write("\n" + textwrap.indent(visible_lines(plain.getvalue().lstrip("\n")), "  "))


class _Logger(structlog.BoundLogger):
    """Every logger's class. Loggers are kept once they were used, so it is here that their level is changed."""


def use_level(level: str) -> None:
    """Write events from this level on, immediately and everywhere; of libraries nothing below `info`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    _Logger.__bases__ = (structlog.make_filtering_bound_logger(number),)
    logging.getLogger().setLevel(max(number, logging.INFO))


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
        [make_visible, structlog.dev.ConsoleRenderer(exception_formatter=_visible_traceback)]
        if text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=_Logger,
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], force=True)
    use_level(level)
    logging.getLogger("alembic").setLevel(logging.WARNING)
