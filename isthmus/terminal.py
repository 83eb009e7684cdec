"""Text of others on a terminal: see `foundation.visible_text`, for texts with lines of ours and for JSON, too."""

from __future__ import annotations

from foundation.visible_text import is_hidden, visible

__all__ = ["visible", "visible_json", "visible_lines"]


def visible_lines(text: str) -> str:
    """The same for text whose lines are ours."""
    return "\n".join(map(visible, text.split("\n")))


def visible_json(text: str) -> str:
    """The same for JSON: it means what it meant, since such a character stands in texts only."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) if is_hidden(character) and character != "\n" else character for character in text)


def _escaped(character: str) -> str:
    """RFC 8259 section 7: beyond the basic plane a pair of surrogates."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
