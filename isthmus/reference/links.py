"""Relative links and anchors of Markdown files, checked against the files that they name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^ {0,3}(```+|~~~+).*?^ {0,3}\1[`~]*[ \t]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)\1(?!`)", re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
"""What is code or nothing in Markdown: a block, a span in backticks, a comment."""
_INLINE = re.compile(r"\]\(\s*<?([^)\s>]*)>?(?:\s+[\"'(][^)]*)?\)")
_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]+\]:\s*<?(\S+?)>?(?:\s|$)", re.MULTILINE)
_HTML = re.compile(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=[\"']([^\"']+)[\"']", re.IGNORECASE)
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_ID = re.compile(r"<[^>]+\b(?:id|name)=[\"']([^\"']+)[\"']")
_ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """A link, or a file, test or module in backticks, that is not there."""

    file: Path
    line: int
    target: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.target}: {self.problem}"


def documents(docs: Path) -> list[Path]:
    """What is checked: every page below `docs`, and the pages beside it."""
    beside = [docs.parent / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [*(path for path in beside if path.exists()), *sorted(docs.rglob("*.md"))]


def broken_links(files: Iterable[Path], *, root: Path) -> list[BrokenLink]:
    """Every relative link of these files that leads to no file below `root`, or to no heading of its file."""
    anchors = cache(lambda path: anchors_of(path.read_text(encoding="utf-8")))
    broken = []
    for file in files:
        for line, target in links_of(file.read_text(encoding="utf-8")):
            path, _, anchor = unquote(target).partition("#")
            there = (file.parent / path).resolve() if path else file.resolve()
            problem = ""
            if not there.is_relative_to(root.resolve()):
                problem = "leads out of the repository"
            elif not there.exists():
                problem = "no such file"
            elif anchor and there.suffix == ".md" and anchor not in anchors(there):
                problem = f"{there.name} has no heading for it"
            if problem:
                broken.append(BrokenLink(file, line, target, problem))
    return broken


def links_of(text: str) -> Iterator[tuple[int, str]]:
    """Line and target of each link to this repository, in order; examples in code are none."""
    plain = blank(SPAN, blank(COMMENT, blank(FENCE, text)))
    found = [(match.start(), match[1]) for pattern in (_INLINE, _DEFINITION, _HTML) for match in pattern.finditer(plain)]
    for place, target in sorted(found):
        if not _ELSEWHERE.match(target):
            yield plain.count("\n", 0, place) + 1, target


def anchors_of(text: str) -> set[str]:
    """What can stand behind the # of a link to this page: its headings as GitHub names them, and its ids."""
    plain = blank(COMMENT, blank(FENCE, text))
    seen: Counter[str] = Counter()
    anchors = set(_ID.findall(blank(SPAN, plain)))
    for heading in _HEADING.findall(plain):
        name = slug(heading)
        anchors.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return anchors


def slug(heading: str) -> str:
    """A heading's anchor: words in lower case, blanks as hyphens, everything but letters, digits, - and _ left out."""
    words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")


def blank(pattern: re.Pattern[str], text: str) -> str:
    """Without what the pattern finds, but for its line ends, so that lines keep their numbers."""
    return pattern.sub(lambda match: "\n" * match[0].count("\n"), text)
