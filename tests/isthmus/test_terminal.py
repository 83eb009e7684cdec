"""Text of strangers, as it reaches a terminal: tables, sentences, JSON and the log."""

from __future__ import annotations

import json
import logging as stdlib
import sys
from pathlib import Path

import pytest
import structlog

from findings import failed
from isthmus import logging
from isthmus.cli.output import emit_json, emit_said
from isthmus.cli.reports import show_finding
from isthmus.cli.tables import table
from isthmus.terminal import visible, visible_json, visible_lines
from tests.isthmus.test_logging import _restored  # noqa: F401 - logging is global

PEOPLE = "Zo\xeb M\xfcller \u5f20\u4f1f \u0645\u0631\u064a\u0645"
HOSTILE = {
    "cursor": ("\x1b[2K\x1b[1A", "\\x1b[2K\\x1b[1A"),
    "colour": ("\x1b[8mhidden", "\\x1b[8mhidden"),
    "C1": ("\x9b2J", "\\x9b2J"),
    "DEL": ("a\x7fb", "a\\x7fb"),
    "NUL": ("a\0b", "a\\x00b"),
    "a line": ("a\nb", "a\\nb"),
    "back to its start": ("a\rb", "a\\rb"),
    "line separator": ("a\u2028b", "a\\u2028b"),
    "right to left": ("\u202enna", "\\u202enna"),
    "isolate": ("\u2066x\u2069", "\\u2066x\\u2069"),
    "left-to-right mark": ("anna\u200e", "anna\\u200e"),
    "nothing to see": ("an\u200bna", "an\\u200bna"),
    "filler": ("anna\u3164", "anna\\u3164"),
    "variation": ("anna\ufe0f", "anna\\ufe0f"),
    "tag": ("anna\U000e0041", "anna\\U000e0041"),
    "no-break": ("an\xa0na", "an\\xa0na"),
    "half a pair": ("a\ud800", "a\\ud800"),
    "markup that closes": ("[/b]x", "[/b]x"),
    "markup that hides": ("[/0.1.0]", "[/0.1.0]"),
    "a link": ("[link=https://evil.example]x[/link]", "[link=https://evil.example]x[/link]"),
    "an emoji by name": (":skull:", ":skull:"),
    "people": (
        "Zo\xeb M\xfcller \u5f20\u4f1f \u0645\u0631\u064a\u0645",
        "Zo\xeb M\xfcller \u5f20\u4f1f \u0645\u0631\u064a\u0645",
    ),
}
every_text = pytest.mark.parametrize(("text", "shown"), HOSTILE.values(), ids=HOSTILE)


@every_text
def test_what_is_odd_stands_there_as_its_code(text: str, shown: str) -> None:
    """Names in all scripts stay."""
    assert visible(text) == shown


@every_text
def test_a_cell_is_what_was_typed(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither markup nor more lines nor anything that moves; and the row is there."""
    table(["name", "state"], [[text, "ok"]], "nothing")
    _, row = capsys.readouterr().out.splitlines()
    assert row.split("  ")[0] == shown
    assert row.rstrip().endswith("ok")


@every_text
def test_findings_and_sentences_are_what_was_typed(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What a server says of itself, for instance."""
    finding = failed("TLS", "dc1", text, text)
    show_finding(finding.status, finding.seen, finding.remedy)
    emit_said(f"{text.strip()}.\nThe second line.", as_json=False)
    out = capsys.readouterr().out
    assert out.count(shown) >= 2
    assert "\n".join(map(visible, out.split("\n"))) == out


@every_text
def test_json_says_the_same_and_is_harmless(text: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read what was typed; a person who looks at it sees no more than codes."""
    if "half" in text or text == "a\ud800":
        return  # such a text cannot be encoded, and none is stored
    emit_json({text: [text]})
    out = capsys.readouterr().out
    assert json.loads(out) == {text: [text]}
    assert visible_lines(out) == out


@every_text
@pytest.mark.parametrize("style", ["text", "json"])
def test_a_line_of_the_log_is_one_line(
    text: str, shown: str, style: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Event, names, values, values of values, and what libraries log."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    logging.set_up("info", "text" if style == "text" else "json")
    structlog.get_logger().info(text, **{text.strip() or "x": text, "deep": {"in": [text]}, "path": Path("/x")})
    stdlib.getLogger("aiohttp").warning("theirs %s", text)
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 2
    for line in written.splitlines():
        assert _without_colours(line).isprintable() or "M\xfcller" in text
        assert "\u3164" not in line
        assert "\ufe0f" not in line


def test_an_errors_text_begins_no_line_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does it move anything; its traceback is there, indented."""
    logging.set_up("info", "text")
    forged = "2026-11-30T12:00:00Z [info     ] agent.enrolled"
    try:
        raise ValueError(f"no name\n{forged}\x1b[2J")
    except ValueError:
        structlog.get_logger().exception("failed")
    first, *others = capsys.readouterr().err.splitlines()
    assert "failed" in first
    assert any("Traceback" in line for line in others)
    assert all(line.startswith("  ") and "\x1b" not in line for line in others)


@pytest.mark.parametrize("text", ['{"a":"\U000e0041"}', '{"a":"\x9b\x7f"}', '{"a":1}', '{"a":"\xe9"}'])
def test_json_stays_json(text: str) -> None:
    """RFC 8259 section 7."""
    assert json.loads(visible_json(text)) == json.loads(text)
    assert visible_lines(visible_json(text)) == visible_json(text)


def _without_colours(line: str) -> str:
    for number in (0, 1, 2, 22, 31, 32, 33, 34, 35, 36, 41):
        line = line.replace(f"\x1b[{number}m", "")
    return line
