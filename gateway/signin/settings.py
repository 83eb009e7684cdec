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
    """Name that the page shows; people check it before they type a password."""
    logo_file: Path | None = None
    """Logo (SVG or PNG, up to 256 KiB), shown above the form. Empty: the organisation's name alone."""
    logo_file_dark: Path | None = None
    """Logo for dark mode. Empty: `logo_file` in both."""
    colour: Annotated[str, _COLOUR] = "#0b5c6b"
    """Main colour, `#rrggbb`. Text on it is black or white, whichever can be read."""
    background_colour: Annotated[str, OrEmpty(_COLOUR)] = ""
    """Colour around the form, `#rrggbb`; darker in dark mode. Empty: a light or dark grey."""
    background_file: Path | None = None
    """Picture around the form (JPEG, PNG, WebP or SVG, up to 2 MiB); it covers the page, whatever its shape."""
    support: str = ""
    """One line for people who need help, such as a phone number; shown under the form."""
    support_url: Annotated[str, OrEmpty(link)] = ""
    """Link for people who need help (`https://…`, `mailto:…` or `tel:…`)."""
    forgot_password_url: Annotated[str, OrEmpty(link)] = ""
    """Where users reset a password that they have forgotten (`https://…`); linked under the password. Empty: no link."""
    language: Language = "en"
    """Language for browsers that ask for none of the page's."""
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Your own words for single texts of the page, by language and English text; docs/reference/page-texts.md has them."""
    session_idle: float = 3600.0
    """Seconds without a click after which a session ends."""
    session_lifetime: float = 12 * 3600.0
    """Seconds after which a session ends in any case: a working day."""
    device_lifetime: float = 180 * 86400.0
    """Seconds for which a browser is remembered as familiar, so that an outsider's guesses do not lock its owner out."""
    api_key_cache: Annotated[float, Bounds(most=3600, zero=True)] = 5.0
    """Seconds for which a checked API key is remembered; a revocation through this relay counts immediately all the same.
    0: it is checked each time."""
