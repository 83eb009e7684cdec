"""A file with answers: TOML, a key for each question, so that a setup can be repeated unattended."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isthmus.setup.errors import AnswerRefused
from isthmus.setup.questions import Given, Question
from settings import UnusableFile, read_secret, read_toml


def read_answers(path: Path, questions: Sequence[Question[Any]]) -> dict[str, Given]:
    """The answers by question key. Raises AnswerRefused for the file, a key, a value, or a secret's file."""
    try:
        file = read_toml(path)
    except UnusableFile as error:
        raise AnswerRefused("--answers", str(error)) from error
    by_name = {question.name: question for question in questions}
    given = {}
    for name, value in file.data.items():
        where = f"{path}: {name}"
        if name not in by_name:
            raise AnswerRefused(where, _unknown(name, by_name))
        question = by_name[name]
        text = _text(question, value, where)
        if question.path or question.secret:
            text = str(path.parent.absolute() / text)
        given[question.key] = Given(_secret(Path(text), where) if question.secret else text, where)
    return given


def _unknown(name: str, known: dict[str, Question[Any]]) -> str:
    if any(question.secret and question.key == name for question in known.values()):
        return f'a secret is not allowed here; put it into a separate file, and write {name}_file = "…"'
    near = difflib.get_close_matches(name, known, 1)
    return (
        f"there is no such answer; did you mean {near[0]}?"
        if near
        else f"there is no such answer; one of {', '.join(known)}"
    )


def _text(question: Question[Any], value: object, where: str) -> str:
    if isinstance(value, bool) and question.yes_no:
        return "yes" if value else "no"
    if isinstance(value, list) and question.several and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, str) and not question.yes_no:
        return value
    wanted = "true or false" if question.yes_no else 'a list of texts, ["…", "…"]' if question.several else 'a text, "…"'
    raise AnswerRefused(where, f"expected {wanted}")


def _secret(path: Path, where: str) -> str:
    try:
        return read_secret(path)
    except UnusableFile as error:
        raise AnswerRefused(where, str(error)) from error
