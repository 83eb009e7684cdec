"""The pages' texts in each language: English stands in the code, the others in `locale/*.po` (GNU gettext).

The `.po` files are read as they are when the relay starts, so that neither a checkout nor the wheel has anything to compile.
An administrator's own words (`[server.signin.texts.LANGUAGE]`) go over both. docs/developers/translations.md says how a
language is added.
"""

from __future__ import annotations

import difflib
import functools
import gettext
import io
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from babel import Locale
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from gateway.signin.errors import BadBranding
from gateway.signin.settings import LANGUAGES

SOURCE = "en"
"""The language of the texts in the code."""
_TRANSLATED = tuple(language for language in LANGUAGES if language != SOURCE)
_FOLDER = Path(__file__).with_name("locale")
Forms = tuple[str, ...]
"""A text; where it has a number, one for each form of the plural."""


class Texts:
    """The texts of one language."""

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language, self._translations = language, translations

    def text(self, english: str, /, **fields: object) -> str:
        """What the page says for a text of the code; fields are filled in."""
        return self._translations.gettext(english).format(**fields)

    def plural(self, singular: str, plural: str, n: int) -> str:
        """The same for a number `n`, in the form that the language has for it."""
        return self._translations.ngettext(singular, plural, n).format(n=n)

    def duration(self, seconds: float) -> str:
        """A duration in words, rounded up, so that nobody comes back too early."""
        # Translators: it stands after "in": "Try again in 2 days."
        if seconds <= 90:
            return self.plural("{n} second", "{n} seconds", max(5, -int(-seconds // 5) * 5))
        if seconds <= 120 * 60:
            return self.plural("{n} minute", "{n} minutes", -int(-seconds // 60))
        if seconds <= 48 * 3600:
            return self.plural("{n} hour", "{n} hours", -int(-seconds // 3600))
        return self.plural("{n} day", "{n} days", -int(-seconds // 86400))


class Catalogue:
    """The texts of all languages. own: an administrator's, by language and English text. Raises BadBranding."""

    def __init__(self, own: Mapping[str, Mapping[str, str]] | None = None) -> None:
        for language in own or {}:
            if language not in LANGUAGES:
                problem, remedy = "the page has no such language", f"it has {', '.join(LANGUAGES)}"
                raise BadBranding(problem, remedy, setting=("texts", language))
        self._texts = {language: _load(language, (own or {}).get(language, {})) for language in LANGUAGES}

    def __getitem__(self, language: str) -> Texts:
        """Of one of `LANGUAGES`."""
        return self._texts[language]


def _load(language: str, own: Mapping[str, str]) -> Texts:
    catalogue = Catalog(language)
    if language != SOURCE:  # its file says how many forms there are, not the version of Babel that is installed
        catalogue.mime_headers = [("Plural-Forms", _file_of(language).plural_forms)]
    for english, forms in _override(language, own).items():
        catalogue.add(_as_gettext(english), _as_gettext(forms))
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    return Texts(language, gettext.GNUTranslations(io.BytesIO(compiled.getvalue())))


def _as_gettext(forms: Forms) -> str | Forms:
    return forms if len(forms) > 1 else forms[0]


@functools.cache
def _file_of(language: str) -> Catalog:
    with (_FOLDER / f"{language}.po").open(encoding="utf-8") as file:
        return read_po(file, locale=language, abort_invalid=True)


@functools.cache
def shipped_texts(language: str) -> Mapping[Forms, Forms]:
    """What the page says in a language, by the English text."""
    if language == SOURCE:
        return {english: english for english in shipped_texts(_TRANSLATED[0])}
    return {_forms(message.id): _forms(message.string) for message in _file_of(language) if message.id}


def _forms(text: object) -> Forms:
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text),)


def is_proofread(language: str) -> bool:
    """Whether a native speaker has read the language's texts, as the head of its file says."""
    return language == SOURCE or "not yet proofread" not in _file_of(language).header_comment.lower()


def _override(language: str, own: Mapping[str, str]) -> Mapping[Forms, Forms]:
    texts = dict(shipped_texts(language))
    known = {form: english for english in texts for form in english}
    for english, text in own.items():
        place = ("texts", language, english)
        if english not in known:
            near = difflib.get_close_matches(english, known, 1)
            raise BadBranding("the page has no such text", f'did you mean "{near[0]}"?' if near else "", setting=place)
        if not text.strip():
            raise BadBranding("is empty", setting=place)
        check_placeholders(place, english, text)
        forms = known[english]
        first, *others = texts[forms]
        # a language may have more forms than two: whoever writes the plural writes all but the first
        texts[forms] = (text, *others) if english == forms[0] else (first, *([text] * len(others)))
    return texts


def check_placeholders(place: tuple[str, ...], english: str, text: str) -> None:
    """Raises BadBranding where a text has a placeholder that nobody fills in, or a brace that is none.

    place: its key in the settings of sign-in.
    """
    try:
        found, known = set(placeholders(text)), set(placeholders(english))
    except ValueError as error:
        raise BadBranding(str(error), "a brace itself is written twice", setting=place) from error
    if not found <= known:
        wrong, filled = sorted(found - known)[0], ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
        raise BadBranding(f"has the placeholder {{{wrong}}}", f"there is {filled}", setting=place)


def placeholders(text: str) -> Iterator[str]:
    """The names in braces, whole: with whatever `str.format` would do with them. Raises ValueError."""
    for _, name, format_spec, conversion in string.Formatter().parse(text):
        if name is not None:
            yield name + (f"!{conversion}" if conversion else "") + (f":{format_spec}" if format_spec else "")


@functools.cache
def language_name(language: str) -> str:
    """What its speakers call it."""
    return (Locale.parse(language).get_display_name() or language).capitalize()


def choose_language(wanted: str | None, accept: str, default: str) -> str:
    """The language: the one chosen on the page, else the first that the browser accepts, else the default."""
    if wanted in LANGUAGES:
        return str(wanted)
    return next((tag for tag in _accepted(accept) if tag in LANGUAGES), default)


def _accepted(header: str) -> Sequence[str]:
    """Languages of an Accept-Language header, most wanted first (RFC 9110 section 12.5.4)."""
    weighted = []
    for part in header[:1000].split(","):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.partition("=")[2] or 1)
        except ValueError:
            weight = 0.0
        weighted.append((-weight, tag.strip().lower().partition("-")[0]))
    return [tag for _, tag in sorted(weighted, key=lambda pair: pair[0])]
