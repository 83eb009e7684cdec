"""Questions: where an answer comes from, what is refused, what is said where nobody can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isthmus.setup import (
    AnswerRefused,
    AnswersMissing,
    Given,
    Interview,
    Question,
    any_text,
    file_path,
    fixed,
    items,
    one_of,
    read_answers,
    yes_or_no,
)

COLOUR = Question(key="colour", text="Colour", parse=one_of("red", "blue"), choices=("red", "blue"))
SHADE = Question(
    key="shade",
    text="Shade",
    parse=any_text,
    default=lambda answers: f"dark {answers[COLOUR]}",
    applies=lambda answers: answers.get(COLOUR) == "blue",
)
NAMES = Question(key="names", text="Names", parse=items, several=True, singular="named")
SURE = Question(key="sure", text="Sure", parse=yes_or_no, yes_no=True, default=fixed("no"))
FILE = Question(key="file", text="File", parse=file_path, path=True)
PASSWORD = Question(key="password", text="Password", parse=any_text, secret=True)
RARE = Question(key="rare", text="Rare", parse=any_text, default=fixed("usual"), asked=False)
ALL: list[Question[Any]] = [COLOUR, SHADE, NAMES, SURE, FILE, PASSWORD, RARE]


class Typist:
    """Types these answers, in order; an empty one takes the default."""

    def __init__(self, *typed: str) -> None:
        self.typed, self.asked, self.refused = list(typed), [], []  # type: ignore[var-annotated]

    def ask(self, question: Question[Any], default: str | None) -> str:
        self.asked.append((question.key, default))
        return self.typed.pop(0) or default or ""

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)


def given(**texts: str) -> dict[str, Given]:
    return {key: Given(text, f"--{key}") for key, text in texts.items()}


def test_what_was_given_is_not_asked() -> None:
    """Nor is what does not apply after the answers before."""
    typist = Typist()
    answers = Interview(given(colour="red"), typist).put([COLOUR, SHADE])
    assert (answers[COLOUR], SHADE in answers, typist.asked) == ("red", False, [])


def test_a_default_may_depend_on_the_answers_before() -> None:
    """And is offered to whoever is asked."""
    typist = Typist("blue", "")
    answers = Interview({}, typist).put([COLOUR, SHADE])
    assert (answers[SHADE], typist.asked) == ("dark blue", [("colour", None), ("shade", "dark blue")])


def test_what_is_known_is_the_default() -> None:
    """So that a second run changes nothing for whoever only presses Return."""
    assert Interview({}, Typist("", ""), {"colour": "blue", "shade": "pale"}).put([COLOUR, SHADE])[SHADE] == "pale"
    assert Interview({}, None, {"colour": "red"}).put([COLOUR])[COLOUR] == "red"


def test_a_wrong_answer_is_asked_again_with_the_reason() -> None:
    """Until there is one that can be used."""
    typist = Typist("green", "red")
    assert Interview({}, typist).put([COLOUR])[COLOUR] == "red"
    assert typist.refused == ["'green': choose red or blue"]


def test_a_wrong_option_ends_it_and_is_named() -> None:
    """Even where somebody could be asked: who gave it should know."""
    with pytest.raises(AnswerRefused, match="--colour: 'green': choose red or blue"):
        Interview(given(colour="green"), Typist("red")).put([COLOUR])


def test_nobody_there_and_answers_missing_names_every_option() -> None:
    """All at once; what has a default is not among them."""
    with pytest.raises(AnswersMissing) as refused:
        Interview({}, None).put([COLOUR, NAMES, SURE, PASSWORD])
    assert [flag for flag, _ in refused.value.wanted] == ["--colour", "--named", "--password-file"]
    assert "\n  --password-file  Password\n" in str(refused.value)


def test_an_option_that_few_need_is_never_asked() -> None:
    """It has its default on a terminal, too."""
    typist = Typist()
    assert Interview({}, typist).put([RARE])[RARE] == "usual"
    assert typist.asked == []


def test_a_given_secret_is_not_shown() -> None:
    """Not even by a traceback with variables."""
    assert "hunter2" not in repr(given(password="hunter2"))


def test_a_file_with_answers(tmp_path: Path) -> None:
    """Texts, lists, true and false; paths from where the file is; a secret from a file of its own."""
    secret = tmp_path / "p"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    path = tmp_path / "answers.toml"
    path.write_text('colour = "red"\nnames = ["a", "b"]\nsure = true\nfile = "x/y"\npassword_file = "p"\n')
    answers = Interview(read_answers(path, ALL), None).put(ALL)
    assert answers[NAMES] == ("a", "b")
    assert answers[SURE] is True
    assert answers[FILE] == tmp_path / "x/y"
    assert answers[PASSWORD] == "hunter2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('color = "red"', "answers.toml: color: there is no such answer; did you mean colour?"),
        ("names = [1]", r'names: expected a list of texts, \["…", "…"\]'),
        ('sure = "yes"', "sure: expected true or false"),
        ("colour = 3", 'colour: expected a text, "…"'),
        ('password = "hunter2"', "password: a secret is not allowed here; .* write password_file ="),
        ('password_file = "gone"', "password_file: .*gone cannot be read"),
        ("colour", "--answers: .*answers.toml is not TOML"),
    ],
)
def test_what_a_file_with_answers_cannot_say(tmp_path: Path, text: str, said: str) -> None:
    """Each error names the file and the key, and never a secret."""
    path = tmp_path / "answers.toml"
    path.write_text(text)
    with pytest.raises(AnswerRefused, match=said) as refused:
        read_answers(path, ALL)
    assert "hunter2" not in str(refused.value)
