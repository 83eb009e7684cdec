"""Questions: each is asked on a terminal, or taken from an option, or from a file with answers.

An answer is a text until its question's `parse` has read it, wherever it came from. What `parse` refuses with a ValueError
is asked again on a terminal, and ends the setup elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from isthmus.setup.errors import AnswerRefused, AnswersMissing

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Answers:
    """What was answered so far, by question: `answers[PUBLIC_URL]` is of the type that PUBLIC_URL's `parse` returns."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}

    def __getitem__(self, question: Question[T]) -> T:
        """Raises KeyError where it did not apply, or was not asked yet."""
        return cast(T, self._values[question.key])

    def __contains__(self, question: Question[Any]) -> bool:
        return question.key in self._values

    def get(self, question: Question[T]) -> T | None:
        """None where it did not apply, or was not asked yet."""
        return cast(T | None, self._values.get(question.key))

    def put(self, question: Question[T], value: T) -> None:
        """Take an answer, or replace it."""
        self._values[question.key] = value

    def forget(self, question: Question[Any]) -> None:
        """So that it is asked again."""
        self._values.pop(question.key, None)


def _no_default(answers: Answers) -> str | None:
    return None


def _always(answers: Answers) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Generic[T_co]):
    """One question. `parse`: from text, raises ValueError with the reason, for people."""

    key: str
    """In a file with answers; with hyphens, the option."""
    text: str
    """As it is asked, without a colon; a noun phrase."""
    parse: Callable[[str], T_co]
    help: str = ""
    """The option's help; `text` unless given. On a terminal it is shown before the question."""
    default: Callable[[Answers], str | None] = _no_default
    """As text, from the answers before; None: there is none."""
    applies: Callable[[Answers], bool] = _always
    """Whether it is asked at all, after the answers before."""
    choices: tuple[str, ...] = ()
    yes_no: bool = False
    several: bool = False
    """A list: an option that is given again, an array in the file, and one text with commas between for `parse`."""
    singular: str = ""
    """Of a list: what its option is called, since it is given once for each item."""
    path: bool = False
    """A file's path: in a file with answers it is relative to that file."""
    secret: bool = False
    """Hidden as it is typed. As an option and in a file it is the name of the file that has it: `--KEY-file`."""
    asked: bool = True
    """False: never asked on a terminal; an option that few need, with a default."""

    @property
    def name(self) -> str:
        """Key in a file with answers."""
        return f"{self.key}_file" if self.secret else self.key

    @property
    def flag(self) -> str:
        """Option on the command line."""
        return "--" + (self.singular or self.name).replace("_", "-")


class Asker(Protocol):
    """Somebody at a terminal."""

    def ask(self, question: Question[Any], default: str | None) -> str:
        """What was typed, or the default where nothing was; for a secret without echo."""
        ...

    def refuse(self, reason: str) -> None:
        """Say why an answer is asked for again."""
        ...


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that came with the command. where: the option, or the key and its file, for errors."""

    text: str = field(repr=False)
    where: str


class Interview:
    """Puts questions, in the order of precedence: what was given, who is asked, what is known, the default.

    given: by question key. known: what an earlier setup answered, as text by question key; the default for whoever is asked.
    asker: None where nobody is there. Questions may be put in several rounds, with work in between.
    """

    def __init__(self, given: Mapping[str, Given], asker: Asker | None, known: Mapping[str, str] | None = None) -> None:
        self._given, self._asker, self._known = given, asker, known or {}
        self.answers = Answers()

    def put(self, questions: Iterable[Question[Any]]) -> Answers:
        """Put them in order. Raises AnswerRefused, AnswersMissing (which names all of them that are missing)."""
        missing = []
        for question in questions:
            if question in self.answers or not question.applies(self.answers):
                continue
            try:
                self.answers.put(question, self._answer(question))
            except _NobodyThereError:
                missing.append((question.flag, question.text))
            except KeyError:
                if not missing:  # otherwise its default depends on what is missing
                    raise
        if missing:
            raise AnswersMissing(missing)
        return self.answers

    def reconsider(self, questions: Sequence[Question[Any]], reason: str) -> Answers:
        """These answers contradict each other, or what was found: they are asked for again, with the reason.

        Raises AnswerRefused where nobody can be asked, or where they came with the command.
        """
        given = next((self._given[question.key] for question in questions if question.key in self._given), None)
        if self._asker is None or given is not None:
            raise AnswerRefused(given.where if given else questions[0].flag, reason)
        self._asker.refuse(reason)
        for question in questions:
            self.answers.forget(question)
        return self.put(questions)

    def was_given(self, question: Question[Any]) -> bool:
        """Whether the answer came with the command."""
        return question.key in self._given

    def _answer(self, question: Question[T]) -> T:
        if (given := self._given.get(question.key)) is not None:
            try:
                return question.parse(given.text)
            except ValueError as error:
                raise AnswerRefused(given.where, str(error)) from error
        default = self._known.get(question.key, question.default(self.answers))
        if self._asker is not None and question.asked:
            return self._ask(question, default, self._asker)
        if default is None:
            raise _NobodyThereError
        try:
            return question.parse(default)
        except ValueError as error:
            raise AnswerRefused(f"{question.flag}, which was not given, would be {default!r}", str(error)) from error

    def _ask(self, question: Question[T], default: str | None, asker: Asker) -> T:
        while True:
            try:
                return question.parse(asker.ask(question, default))
            except ValueError as error:
                asker.refuse(str(error))


class _NobodyThereError(Exception):
    pass


# -- what is often parsed


def any_text(text: str) -> str:
    """Not blank."""
    if not text.strip():
        raise ValueError("nothing was given")
    return text.strip()


def yes_or_no(text: str) -> bool:
    """`yes`, `y`, `no`, `n`, `true`, `false`."""
    word = text.strip().casefold()
    if word in {"yes", "y", "true"}:
        return True
    if word in {"no", "n", "false"}:
        return False
    raise ValueError(f"{text!r}: answer yes or no")


def one_of(*choices: str) -> Callable[[str], str]:
    """One of these words."""

    def parse(text: str) -> str:
        if text.strip() not in choices:
            raise ValueError(f"{text!r}: choose {', '.join(choices[:-1])} or {choices[-1]}")
        return text.strip()

    return parse


def items(text: str) -> tuple[str, ...]:
    """What stands between commas and blanks, each once, in order."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def file_path(text: str) -> Path:
    """An absolute path; a relative one is taken from the current directory."""
    return Path(any_text(text)).expanduser().absolute()


def optional_path(text: str) -> Path | None:
    """As `file_path`; None for nothing."""
    return file_path(text) if text.strip() else None


def fixed(default: str) -> Callable[[Answers], str | None]:
    """A default that depends on nothing."""
    return lambda _: default
