"""The pages' texts: whole in every language, and an administrator's own words over them."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gateway import signin
from gateway.protocol import Outcome
from gateway.signin.catalogue import (
    Catalogue,
    Forms,
    check_placeholders,
    choose_language,
    is_proofread,
    language_name,
    placeholders,
    shipped_texts,
)
from gateway.signin.errors import BadBranding
from gateway.signin.messages import Message, message_of, rejection
from gateway.signin.settings import LANGUAGES

PACKAGE = Path(signin.__file__).parent
TRANSLATED = [language for language in LANGUAGES if language != "en"]
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "N_": None, "plural": (1, 2)}
"""As in the Makefile's `texts`."""


@pytest.fixture(scope="module")
def in_code() -> set[Forms]:
    """Every text of the code, as `make texts` finds it."""
    found = extract_from_dir(PACKAGE, METHODS, keywords=KEYWORDS)
    return {text if isinstance(text, tuple) else (text,) for _, _, text, _, _ in found}


def catalogue_of(language: str) -> Catalog:
    with (PACKAGE / "locale" / f"{language}.po").open(encoding="utf-8") as file:
        return read_po(file, locale=language, abort_invalid=True)


def test_each_language_has_a_file_and_each_file_is_a_language() -> None:
    """Whoever adds one adds it to the settings."""
    assert {path.stem for path in (PACKAGE / "locale").glob("*.po")} == set(TRANSLATED)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_or_left_over(language: str, in_code: set[Forms]) -> None:
    """`make texts` was run, and somebody translated what it found."""
    texts = shipped_texts(language)
    assert set(texts) == in_code
    plurals = catalogue_of(language).num_plurals if language in TRANSLATED else 2
    for english, forms in texts.items():
        assert len(forms) == (plurals if len(english) > 1 else 1)
        assert all(form.strip() for form in forms), english


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_a_guess(language: str) -> None:
    """Neither marked as one nor kept for later."""
    catalogue = catalogue_of(language)
    assert not catalogue.obsolete
    assert [message.id for message in catalogue if message.id and message.fuzzy] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_placeholders_are_those_of_the_english_text(language: str) -> None:
    """None is forgotten, none is new."""
    for english, forms in shipped_texts(language).items():
        for form in forms:
            assert set(placeholders(form)) <= set(placeholders(english[-1])), english
        assert set(placeholders(forms[-1])) == set(placeholders(english[-1])), english  # one of a thing needs no number


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_file_says_whether_a_native_speaker_has_read_it(language: str) -> None:
    """In its head; the reference page repeats it."""
    head = catalogue_of(language).header_comment
    assert ("Not yet proofread by a native speaker." in head) is not is_proofread(language)
    assert "roofread by" in head


def test_every_outcome_has_a_message() -> None:
    """And whoever did not prove the password learns of no outcome but that it failed."""
    for outcome in Outcome:
        assert (str(message_of(outcome, password_proven=True)),) in shipped_texts("en")
        unproven = message_of(outcome, password_proven=False)
        assert unproven in {Message.WRONG, Message.UNAVAILABLE, Message.LATER}
        assert (unproven is Message.WRONG) is not outcome.is_infrastructure


@pytest.mark.parametrize(
    ("rule", "value", "message"),
    [
        ("min_length", 12, Message.TOO_SHORT),
        ("min_length", 0, Message.TOO_SHORT_UNKNOWN),
        ("min_age", 0, Message.TOO_RECENT_UNKNOWN),
        ("not_permitted", 0, Message.NOT_PERMITTED),
        ("of tomorrow", 5, Message.REJECTED),
    ],
)
def test_a_rule_whose_value_is_not_known_is_told_without(rule: str, value: int, message: Message) -> None:
    """Nobody reads that 0 characters are enough."""
    assert rejection(rule, value) is message


def test_a_duration_is_rounded_up_and_has_its_languages_plural() -> None:
    """So that nobody comes back too early."""
    texts = Catalogue()["en"]
    durations = {0: "5 seconds", 61.5: "65 seconds", 90: "90 seconds", 91: "2 minutes", 7200: "120 minutes", 7201: "3 hours"}
    assert {seconds: texts.duration(seconds) for seconds in durations} == durations
    assert [texts.duration(seconds) for seconds in (172_800, 172_801)] == ["48 hours", "3 days"]
    assert texts.plural("{n} day", "{n} days", 1) == "1 day"
    forms = {"de": "3 Tagen", "es": "3 días", "fr": "3 jours", "nl": "3 dagen"}
    assert {language: Catalogue()[language].duration(172_801) for language in forms} == forms
    assert [Catalogue()["fr"].plural("{n} day", "{n} days", n) for n in (0, 1, 2, 1_000_000)] == [
        "0 jour",
        "1 jour",
        "2 jours",
        "1000000 jours",
    ]


def test_own_words_go_over_both_languages() -> None:
    """Single texts, and each form of those with a number; the other language keeps its own."""
    own = {"en": {"Sign in": "Log in", "{n} minutes": "{n} min"}, "de": {"{n} days": "einigen Tagen"}}
    catalogue = Catalogue(own)
    assert [catalogue[language].text("Sign in") for language in ("en", "de")] == ["Log in", "Anmelden"]
    assert (catalogue["en"].duration(600), catalogue["de"].duration(600)) == ("10 min", "10 Minuten")
    assert catalogue["de"].duration(1e6) == "einigen Tagen"
    assert Catalogue()["en"].text("Sign in") == "Sign in"
    assert Catalogue({"de": {Message.WAIT: "Später."}})["de"].text(Message.WAIT, wait="x") == "Später."


@pytest.mark.parametrize(
    ("language", "english", "text", "problem"),
    [
        ("fi", "Sign in", "Kirjaudu", "the page has no such language; it has en, de, es, fr, nl"),
        ("de", "Signin", "Einloggen", 'texts.de.Signin: the page has no such text; did you mean "Sign in"?'),
        ("de", "Sign in", " ", "is empty"),
        ("en", "Sign in", "Hello {name}", "has the placeholder {name}; there is none"),
        ("en", Message.WAIT, "{seconds}", "has the placeholder {seconds}; there is {wait}"),
        ("en", Message.WAIT, "{wait.__class__}", "has the placeholder {wait.__class__}; there is {wait}"),
        ("en", Message.WAIT, "{wait[0]}", "there is {wait}"),
        ("en", Message.WAIT, "{wait!r}", "has the placeholder {wait!r}"),
        ("en", Message.WAIT, "{wait:>99999999}", "there is {wait}"),
        ("en", Message.WAIT, "{}", "has the placeholder {}"),
        ("en", "Sign in", "50 % {", "a brace itself is written twice"),
    ],
)
def test_own_words_that_cannot_be_used_are_said_so(language: str, english: str, text: str, problem: str) -> None:
    """When the relay starts, with the setting and what would be right; nothing of Python is reached from a text."""
    with pytest.raises(BadBranding) as raised:
        Catalogue({language: {english: text}})
    assert problem in str(raised.value)


def test_a_brace_may_be_shown() -> None:
    """Written twice."""
    check_placeholders(("texts",), "Sign in", "{{Sign in}}")
    assert Catalogue({"en": {"Sign in": "{{Sign in}}"}})["en"].text("Sign in") == "{Sign in}"


def test_the_language_is_the_one_chosen_then_accepted_then_the_default() -> None:
    """Whatever a browser sends."""
    assert choose_language("de", "en", "en") == "de"
    assert choose_language(None, "fi;q=0.9,de-AT;q=0.5,en;q=0.1", "en") == "de"
    assert choose_language(None, "fi;q=x,,;q=", "de") == "de"
    assert choose_language("xx", "fi", "en") == "en"
    names = ["English", "Deutsch", "Español", "Français", "Nederlands"]
    assert [language_name(language) for language in LANGUAGES] == names
