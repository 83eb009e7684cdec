"""The frame of a report: one HTML file without scripts or anything from elsewhere, by day, by night and on paper."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import Final

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
REPORT_END: Final = "\n</main>\n</body>\n</html>\n"


def report_start(title: str, style: str, *, skip: tuple[str, str]) -> str:
    """All that stands before the report. style: CSS behind that of all reports. skip: id of what a keyboard may go to
    directly, and what it is."""
    shared = files("foundation").joinpath("report.css").read_text(encoding="utf-8")
    target, words = skip
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{shared}{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#{escape(target)}">{escape(words)}</a>\n<main>\n<h1>{escape(title)}</h1>\n'
    )
