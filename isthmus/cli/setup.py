"""What `isthmus relay setup` and `isthmus agent setup` share: options made of questions, a terminal, what is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from isthmus.cli.output import FILE, Failure, options, wrapped
from isthmus.setup import (
    AnswerRefused,
    Given,
    Interview,
    Machine,
    Question,
    SetupStep,
    StepReport,
    carry_out,
    read_answers,
    read_secret_from,
    survey,
)
from isthmus.terminal import visible, visible_lines
from settings import UnusableFile

F = TypeVar("F", bound=Callable[..., Any])

_answers_option = click.option("--answers", type=FILE, help="TOML file with answers; options take precedence over it.")
_yes_option = click.option("--yes", is_flag=True, help="Do not ask: use the defaults of answers that are not given.")
_replace_option = click.option(
    "--replace", is_flag=True, help="Overwrite files that were edited without asking; the difference is shown."
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Show the planned steps without changing anything.")


def setup_options(questions: Sequence[Question[Any]]) -> Callable[[F], F]:
    """An option for each question, and those of every setup; the command takes them as `**given`."""
    own = [_option(question) for question in questions]
    return options(*own, _answers_option, _yes_option, _replace_option, _dry_run_option)


def _option(question: Question[Any]) -> Callable[[F], F]:
    text = question.help or f"{question.text}."
    if question.secret:
        file = "File with it, mode 0600, or - for standard input."
        return click.option(question.flag, question.key, metavar="FILE", help=f"{text} {file}")
    if question.yes_no:
        flags = f"{question.flag}/--no-{question.flag.removeprefix('--')}"
        return click.option(flags, question.key, default=None, help=text)
    if question.choices:
        return click.option(question.flag, question.key, type=click.Choice(question.choices), help=text)
    if question.several:
        return click.option(question.flag, question.key, multiple=True, help=f"{text} Again for more.")
    return click.option(question.flag, question.key, metavar="FILE" if question.path else None, help=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupManner:
    """How a setup is to be done. asks: whether somebody is there who can be asked."""

    asks: bool
    replace: bool
    dry_run: bool
    as_json: bool


def manner_of(given: Mapping[str, Any], *, as_json: bool) -> SetupManner:
    """From the options of `setup_options`."""
    asks = sys.stdin.isatty() and not given["yes"] and not as_json
    return SetupManner(asks=asks, replace=given["replace"], dry_run=given["dry_run"], as_json=as_json)


def interview(
    questions: Sequence[Question[Any]],
    given: Mapping[str, Any],
    manner: SetupManner,
    known: Mapping[str, str] | None = None,
) -> Interview:
    """With what the options and the file of `--answers` say. Raises AnswerRefused."""
    answers: Path | None = given["answers"]
    found = read_answers(answers, questions) if answers is not None else {}
    from_stdin = [question.flag for question in questions if question.secret and given[question.key] == "-"]
    if len(from_stdin) > 1:
        raise AnswerRefused(" and ".join(from_stdin), "only one of them can be read from standard input")
    for question in questions:
        value = given[question.key]
        if value is not None and value != ():
            found[question.key] = Given(_text(question, value), question.flag)
    asker = Terminal() if manner.asks and not from_stdin else None
    return Interview(found, asker, known)


def _text(question: Question[Any], value: Any) -> str:
    if question.secret:
        try:
            return read_secret_from(value)
        except UnusableFile as error:
            raise AnswerRefused(question.flag, str(error)) from error
    if question.yes_no:
        return "yes" if value else "no"
    return ", ".join(value) if question.several else str(value)


class Terminal:
    """See `isthmus.setup.Asker`. What is asked goes to standard error, so that standard output has the result alone."""

    def ask(self, question: Question[Any], default: str | None) -> str:
        """Shows what the question is about, its choices and its default."""
        if question.help:
            click.echo(err=True)
            click.echo(wrapped(question.help, ""), err=True)
        choices = f" ({', '.join(question.choices)})" if question.choices else " (yes, no)" if question.yes_no else ""
        typed: str = click.prompt(
            f"{question.text}{choices}",
            default="" if default is None else default,
            show_default=bool(default) and not question.secret,
            hide_input=question.secret,
            err=True,
        )
        return typed

    def refuse(self, reason: str) -> None:
        """In a line of its own."""
        click.echo(visible(f"  {reason}"), err=True)

    def agrees(self, title: str, difference: str) -> bool:
        """Shows the difference; no unless yes is typed."""
        click.echo(visible_lines(f"\n{title} would be changed:\n{difference}"), err=True)
        return click.confirm("Change it?", default=False, err=True)


def take_steps(steps: Sequence[SetupStep], machine: Machine, manner: SetupManner) -> list[StepReport]:
    """Show what will be done, ask whether to, and do it. Raises SetupError, Failure (nobody agreed), click.Abort."""
    found = survey(steps, machine)
    to_do = [(step, state) for step, state in found if not state.done]
    if manner.dry_run or manner.asks:
        for step, state in found:
            _say(f"  {step.title}: {'already so' if state.done and not state.check else state.wrong or state.text}", manner)
    if manner.dry_run:
        return []
    if manner.asks and to_do and not click.confirm("Do this?", default=True, err=True):
        raise Failure("nothing was changed")

    def agree(title: str, difference: str) -> bool:
        if manner.asks:
            return Terminal().agrees(title, difference)
        _say(f"{title}, changed:\n{difference}" if manner.replace else f"{title} differs:\n{difference}", manner)
        return manner.replace

    return carry_out(steps, machine, tell=lambda report: _say(str(report), manner), agree=agree)


def _say(text: str, manner: SetupManner) -> None:
    click.echo(visible_lines(text), err=manner.as_json)
