"""What is logged, how, and what never is."""

from __future__ import annotations

import json
import logging as stdlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from isthmus import logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging is global; other tests must not notice."""
    root = stdlib.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "Authorization", "set_cookie", "api_key", "reply_key", "client_secret", "token", "key"],
)
def test_a_secret_by_name_is_not_written(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Last defence, whoever forgot."""
    logging.set_up("info", "json")
    structlog.get_logger().info("event", **{name: "hunter2"})
    assert lines(capsys)[0][name] == "***"


def test_a_secret_further_down_is_not_written_either(capsys: pytest.CaptureFixture[str]) -> None:
    """And the value that was logged is left as it was."""
    logging.set_up("info", "json")
    headers = {"Authorization": "hunter2", "Accept": "x", "more": {"password": "hunter2"}}
    structlog.get_logger().info("event", headers=headers)
    assert lines(capsys)[0]["headers"] == {"Authorization": "***", "Accept": "x", "more": {"password": "***"}}
    assert headers["Authorization"] == "hunter2"


def test_ordinary_fields_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    """Names that only look a little like secrets, and values that JSON does not know."""
    logging.set_up("info", "json")
    structlog.get_logger().info("event", keyboard="de", monkey=1, path=Path("/x"))
    line = lines(capsys)[0]
    assert (line["keyboard"], line["monkey"]) == ("de", 1)
    assert "/x" in str(line["path"])
    assert line["level"] == "info"


def test_the_correlation_id_is_on_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    """On the libraries' own lines too."""
    logging.set_up("info", "json")
    structlog.contextvars.bind_contextvars(correlation_id="c1")
    structlog.get_logger().info("ours")
    stdlib.getLogger("aiohttp.server").warning("theirs %d", 7)
    ours, theirs = lines(capsys)
    assert (ours["event"], theirs["event"]) == ("ours", "theirs 7")
    assert ours["correlation_id"] == theirs["correlation_id"] == "c1"


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and the libraries'; alembic only when it warns."""
    logging.set_up("warning", "json")
    structlog.get_logger().info("quiet")
    stdlib.getLogger("aiohttp").info("quiet")
    logging.set_up("info", "json")
    stdlib.getLogger("alembic.runtime.migration").info("quiet")
    assert capsys.readouterr().err == ""


def test_the_libraries_never_say_debug(capsys: pytest.CaptureFixture[str]) -> None:
    """Theirs can hold what ours never does."""
    logging.set_up("debug", "json")
    structlog.get_logger().debug("ours")
    stdlib.getLogger("websockets.client").debug("> Authorization: Basic x")
    assert [line["event"] for line in lines(capsys)] == ["ours"]


def test_an_exception_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With its traceback inside."""
    logging.set_up("info", "json")
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("event")
    [line] = lines(capsys)
    assert "ValueError: broken" in str(line["exception"])


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """No JSON; and a traceback shows no local variables, where a password could be."""
    logging.set_up("info", "text")

    def fail(password: str) -> None:
        raise ValueError(f"{len(password)} characters")

    try:
        fail("hunter2")
    except ValueError:
        structlog.get_logger().exception("sign-in.failed", agent="dc1")
    text = capsys.readouterr().err
    assert "sign-in.failed" in text
    assert "7 characters" in text
    assert "hunter2" not in text.replace('fail("hunter2")', "")


def test_auto_is_json_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard error is no terminal here."""
    logging.set_up()
    structlog.get_logger().info("event")
    assert lines(capsys)[0]["event"] == "event"


def test_another_level_counts_immediately(capsys: pytest.CaptureFixture[str]) -> None:
    """For loggers that were used before too, and for what is bound to them."""
    logging.set_up("warning", "json")
    log = structlog.get_logger()
    bound = log.bind(part="one")
    log.warning("first")
    bound.info("hidden")
    logging.use_level("debug")
    log.debug("second")
    bound.debug("third")
    logging.use_level("error")
    log.warning("hidden")
    bound.info("hidden")
    stdlib.getLogger("aiohttp").warning("hidden")
    assert [line["event"] for line in lines(capsys)] == ["first", "second", "third"]
