"""Text of others where people read it: nothing in it is obeyed, and nothing of it is hidden.

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
    """On one line, with a code in place of each character that a terminal or browser obeys, or that cannot be seen."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(character)[1:-1] if is_hidden(character) else character for character in text)


def is_hidden(character: str) -> bool:
    """Whether it is obeyed, or cannot be seen."""
    return not character.isprintable() or _UNSEEN.match(character) is not None
