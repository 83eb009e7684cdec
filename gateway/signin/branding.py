"""How the page looks: name, logo, colours that can be read."""

from __future__ import annotations

import base64
import colorsys
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from gateway.signin.errors import BadBranding
from gateway.signin.settings import SignInSettings

MAX_LOGO = 256 * 1024
MAX_BACKGROUND = 2 * 1024 * 1024
_STATIC = Path(__file__).with_name("static")
_LOGOS = {".svg": "image/svg+xml", ".png": "image/png"}
_BACKGROUNDS = {**_LOGOS, ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
_PAGE, _DARK_CARD = (242, 245, 246), (22, 27, 34)  # of signin.css: where the colour stands out least, by day and by night
_UNNAMED = "Isthmus"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page links to; its address holds `tag`."""

    content: bytes
    type: str

    @property
    def tag(self) -> str:
        """Changes whenever the content does, so browsers may cache it permanently."""
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def integrity(self) -> str:
        """What a browser compares it with (W3C, Subresource Integrity)."""
        return "sha384-" + base64.b64encode(hashlib.sha384(self.content).digest()).decode()


def unnamed_warning(settings: SignInSettings) -> str:
    """What an administrator is told as long as the page bears this product's name; empty where it bears another."""
    if settings.organisation != _UNNAMED:
        return ""
    return (
        f"the sign-in page calls your organisation {_UNNAMED}: set `organisation` in [server.signin], "
        "for users check that name before they type a password"
    )


def load_logo(setting: str, path: Path | None) -> Asset | None:
    """Read the logo that a setting names. Raises BadBranding."""
    return _load(setting, path, _LOGOS, MAX_LOGO)


def load_background(path: Path | None) -> Asset | None:
    """Read the picture behind the page. Raises BadBranding."""
    return _load("background_file", path, _BACKGROUNDS, MAX_BACKGROUND)


def _load(setting: str, path: Path | None, types: Mapping[str, str], longest: int) -> Asset | None:
    if path is None:
        return None
    kind = types.get(path.suffix.lower())
    if kind is None:
        raise BadBranding(f"{path} is none of {', '.join(types)}", "give one of these", setting=setting)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadBranding(f"{path} cannot be read ({error.strerror})", "correct the path", setting=setting) from error
    if len(content) > longest:
        raise BadBranding(f"{path} has {len(content)} bytes, more than {longest}", "give a smaller one", setting=setting)
    return Asset(content, kind)


def script() -> Asset:
    """The pages' own script."""
    return Asset((_STATIC / "signin.js").read_bytes(), "text/javascript")


def icon(settings: SignInSettings) -> Asset:
    """The tab's icon: the organisation's initial on its colour."""
    colour = parse_colour(settings.colour)
    letter = escape(settings.organisation[:1].upper())
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<rect width="32" height="32" rx="7" fill="{to_hex(colour)}"/>'
        f'<text x="16" y="23" font-family="sans-serif" font-size="20" font-weight="600" text-anchor="middle" '
        f'fill="{readable_on(colour)}">{letter}</text></svg>'
    )
    return Asset(svg.encode(), "image/svg+xml")


def stylesheet(settings: SignInSettings, background: str = "") -> Asset:
    """The style sheet, with the organisation's colours in it. background: address of the picture. Raises BadBranding."""
    light = parse_colour(settings.colour)
    dark = lighten(light)
    picture = f'url("{background}")' if background else "none"
    page = parse_colour(settings.background_colour) if settings.background_colour else None
    values = {
        "@accent@": to_hex(light),
        "@on-accent@": readable_on(light),
        "@link@": to_hex(darken(light)),
        "@accent-dark@": to_hex(dark),
        "@on-accent-dark@": readable_on(dark),
        "@page@": to_hex(page or _PAGE),
        "@page-dark@": to_hex(dim(page)) if page else "#0d1117",
        "@picture@": picture,
        "@picture-dark@": f"linear-gradient(rgb(0 0 0 / 55%), rgb(0 0 0 / 55%)), {picture}" if background else "none",
    }
    css = (_STATIC / "signin.css").read_text(encoding="utf-8")
    for name, value in values.items():
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


def dim(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """A background for dark mode: towards black until it dazzles nobody."""
    while contrast(colour, (255, 255, 255)) < 15:
        red, green, blue = (value * 15 // 16 for value in colour)
        colour = (red, green, blue)
    return colour


def lighten(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """The colour for dark mode: the same hue, lighter until it stands out from a dark background."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in colour))
    while contrast(colour, _DARK_CARD) < 6:
        lightness = min(1.0, lightness + 0.02)
        red, green, blue = (round(value * 255) for value in colorsys.hls_to_rgb(hue, lightness, min(saturation, 0.6)))
        colour = (red, green, blue)
    return colour
