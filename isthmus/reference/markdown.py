"""The little Markdown that the pages need."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence


def page(title: str, introduction: str, *sections: str) -> str:
    """A whole page; says at its head that nobody edits it by hand."""
    head = f"<!-- Written by `make docs` from the code: change the code, not this page. -->\n\n# {title}"
    return "\n\n".join([head, introduction, *(section for section in sections if section)]).rstrip() + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing where there are no rows."""
    body = [_row(cells) for cells in rows]
    if not body:
        return ""
    return "\n".join([_row(headers), "|" + "---|" * len(headers), *body])


def code(text: object) -> str:
    """A span of code."""
    return f"`{text}`"


def flow(text: str) -> str:
    """Text of a docstring on one line."""
    return " ".join(text.split())


def paragraphs(help_text: str) -> str:
    r"""The help of a click command: what stands behind `\b` is a block of code, under its `Example:` if it has one."""
    blocks = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(help_text)):
        if not block.startswith("\b"):
            blocks.append(flow(block))
            continue
        lines = block.removeprefix("\b\n").splitlines()
        if re.fullmatch(r"\w+:", lines[0]):
            blocks.append(lines.pop(0))
        margin = min(len(line) - len(line.lstrip()) for line in lines)
        blocks.append("\n".join(["```", *(line[margin:] for line in lines), "```"]))
    return "\n\n".join(blocks)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(flow(cell).replace("|", "\\|") for cell in cells) + " |"
