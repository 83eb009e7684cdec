"""Text of strangers on a terminal: nothing in it is obeyed, and nothing of it is hidden.

User names, addresses, what agents and servers say of themselves: whoever typed it must not move the cursor, turn the
direction of what follows, begin a line of a log, or leave a name that looks like another one.
"""

from __future__ import annotations

import re

# printable by Unicode's categories, and yet nothing to see: joiners, fillers, variation selectors, the blank Braille pattern
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str) -> str:
    """On one line, with a code in place of each character that a terminal obeys, or that cannot be seen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(character)[1:-1] if _is_odd(character) else character for character in text)


def visible_lines(text: str) -> str:
    """The same for text whose lines are ours."""
    return "\n".join(map(visible, text.split("\n")))


def visible_json(text: str) -> str:
    """The same for JSON: it means what it meant, since such a character stands in texts only."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) if _is_odd(character) and character != "\n" else character for character in text)


def _is_odd(character: str) -> bool:
    return not character.isprintable() or _UNSEEN.match(character) is not None


def _escaped(character: str) -> str:
    """RFC 8259 section 7: beyond the basic plane a pair of surrogates."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
