"""How the page looks: name, logo, colours that can be read."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from gateway.signin.errors import BadBranding
from gateway.signin.settings import SignInSettings

MAX_LOGO = 256 * 1024
_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
_PAGE, _DARK_CARD = (242, 245, 246), (22, 27, 34)  # of signin.css: where the colour stands out least, by day and by night


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page links to; its address holds `tag`."""

    content: bytes
    type: str

    @property
    def tag(self) -> str:
        """Changes whenever the content does, so browsers may cache it permanently."""
        return hashlib.sha256(self.content).hexdigest()[:16]


def load_logo(path: Path | None) -> Asset | None:
    """Read the logo. Raises BadBranding."""
    if path is None:
        return None
    kind = _TYPES.get(path.suffix.lower())
    if kind is None:
        raise BadBranding(f"{path} is neither .svg nor .png", "give one of these", setting="logo_file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadBranding(f"{path} cannot be read ({error.strerror})", "correct the path", setting="logo_file") from error
    if len(content) > MAX_LOGO:
        problem = f"{path} has {len(content)} bytes, more than {MAX_LOGO}"
        raise BadBranding(problem, "give a smaller one", setting="logo_file")
    return Asset(content, kind)


def stylesheet(settings: SignInSettings) -> Asset:
    """The style sheet, with the organisation's colour in it. Raises BadBranding."""
    light = parse_colour(settings.colour)
    dark = lighten(light)
    colours = {
        "@accent@": to_hex(light),
        "@on-accent@": readable_on(light),
        "@link@": to_hex(darken(light)),
        "@accent-dark@": to_hex(dark),
        "@on-accent-dark@": readable_on(dark),
    }
    css = (Path(__file__).with_name("static") / "signin.css").read_text(encoding="utf-8")
    for name, value in colours.items():
        css = css.replace(name, value)
    return Asset(css.encode(), "text/css")


def parse_colour(text: str) -> tuple[int, int, int]:
    """`#rrggbb` to red, green, blue. Raises BadBranding."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise BadBranding(f"{text!r} is not a colour as #rrggbb", setting="colour")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def to_hex(colour: tuple[int, int, int]) -> str:
    """Red, green, blue to `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (value / 255 for value in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2); text needs 4.5."""
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def readable_on(colour: tuple[int, int, int]) -> str:
    """Black or white, whichever reads better; one of them always reaches 4.5."""
    return "#ffffff" if contrast(colour, (255, 255, 255)) >= contrast(colour, (0, 0, 0)) else "#000000"


def darken(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """The colour for links in light mode: towards black until it can be read on the page."""
    while contrast(colour, _PAGE) < 4.5:
        red, green, blue = (value * 15 // 16 for value in colour)
        colour = (red, green, blue)
    return colour


def lighten(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """The colour for dark mode: towards white until it stands out from a dark background."""
    while contrast(colour, _DARK_CARD) < 6:
        red, green, blue = (min(255, value + max(8, (255 - value) // 8)) for value in colour)
        colour = (red, green, blue)
    return colour
