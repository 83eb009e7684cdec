"""Settings of the sign-in page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from settings import Bounds, OrEmpty, Pattern, link, not_empty

Language = Literal["en", "de", "es", "fr", "nl"]
"""The languages of the page: English, and one file in `locale/` for each other."""
LANGUAGES: Final[tuple[str, ...]] = get_args(Language)

_COLOUR = Pattern(r"#[0-9a-fA-F]{6}", "a colour as #rrggbb, such as #0b5c6b")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInSettings:
    """What people meet: how it looks, how long it lasts."""

    organisation: Annotated[str, not_empty] = "Isthmus"
    """Organisation's name on the page; users look for it before they enter a password."""
    logo_file: Path | None = None
    """Logo (SVG or PNG, up to 256 KiB), shown above the form. Empty: the organisation's name alone."""
    logo_file_dark: Path | None = None
    """Logo for dark mode. Empty: `logo_file` in both."""
    colour: Annotated[str, _COLOUR] = "#0b5c6b"
    """Main colour, `#rrggbb`. Text on it is black or white, whichever is easier to read."""
    background_colour: Annotated[str, OrEmpty(_COLOUR)] = ""
    """Background colour, `#rrggbb`; darker in dark mode. Empty: light or dark grey."""
    background_file: Path | None = None
    """Background image (JPEG, PNG, WebP or SVG, up to 2 MiB); it always covers the whole page."""
    support: str = ""
    """One line of help for users, such as a phone number, at the bottom of the page."""
    support_url: Annotated[str, OrEmpty(link)] = ""
    """Help link for users (`https://…`, `mailto:…` or `tel:…`)."""
    forgot_password_url: Annotated[str, OrEmpty(link)] = ""
    """Address where users reset a forgotten password (`https://…`), linked below the password field. Empty: no
    link."""
    language: Language = "en"
    """Language for browsers that request none of the available languages."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Replacements for single texts of the page, by language and English text; docs/reference/page-texts.md lists
    the texts."""
    session_idle: float = 3600.0
    """Time without activity after which a session ends, in seconds."""
    session_lifetime: float = 12 * 3600.0
    """Maximum duration of a session, in seconds: by default, a working day."""
    session_kept: Annotated[float, Bounds(most=400 * 86400, zero=True)] = 0.0
    """Duration of a session for which the user chose "Keep me signed in on this device", used or not, in seconds. 0: this is
    not offered. Never offered where an application asks for a fresh sign-in."""
    device_lifetime: float = 180 * 86400.0
    """Time for which a browser is remembered as familiar, in seconds, so that an attacker's guesses do not lock out
    the user of that browser."""
    api_key_cache: Annotated[float, Bounds(most=3600, zero=True)] = 5.0
    """Time for which a checked API key is remembered, in seconds; a revocation through this relay takes effect
    immediately all the same. 0: it is checked for each request."""
