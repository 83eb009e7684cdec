"""`isthmus sync rules`: nothing here reads a directory or writes to a target."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from isthmus.cli.output import FILE, Failure, counted, emit_json, json_option, reporting
from isthmus.cli.tables import table, wide_option
from isthmus.terminal import visible_lines
from settings import SettingsFileError
from sync.rules import (
    ExpressionTrialFailed,
    RulesRefused,
    catalogue,
    read_cases,
    read_rules,
    run_cases,
    try_expression,
    write_literal,
)


@click.group("rules")
def command() -> None:
    """Synchronisation rules: which objects become whose accounts, and with which values.

    docs/reference/sync-rules.md describes the file, docs/reference/sync-functions.md the expressions.
    """


@command.command()
@click.argument("file", type=FILE)
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a file of rules, and report every error with its line, column and key. The exit code is 1 if there are any.

    Types are those of Active Directory, and what the file declares; whether a directory has the attributes is not asked.

    \b
    Examples:
      isthmus sync rules check /etc/isthmus/rules.toml
      isthmus sync rules check rules.toml --json | jq -r '.problems[].key'
    """
    try:
        rules = read_rules(file)
    except RulesRefused as refused:
        if not as_json:
            raise Failure(f"{counted(len(refused.problems), 'problem')}:\n{refused}") from refused
        emit_json({"file": str(file), "ok": False, "problems": [asdict(problem) for problem in refused.problems]})
        raise SystemExit(1) from refused
    if as_json:
        unused = [{"rule": rule, "attribute": name} for rule, name in rules.unused]
        emit_json({"file": str(file), "ok": True, "problems": [], "unused": unused})
        return
    directions = f"{counted(len(rules.inbound), 'inbound rule')}, {counted(len(rules.outbound), 'outbound rule')}"
    click.echo(visible_lines(f"{file}: valid rules ({directions})"))
    for rule, name in rules.unused:
        click.echo(visible_lines(f"Not computed: {name} in {rule}, since no outbound rule or join reads it"))


@command.command()
@click.argument("name", required=False)
@wide_option
@json_option
def functions(name: str | None, as_json: bool) -> None:
    """List the functions of expressions, or those whose name contains NAME.

    \b
    Examples:
      isthmus sync rules functions
      isthmus sync rules functions date
    """
    rows = [row for row in catalogue("connect") if row.group and (name or "").casefold() in row.name.casefold()]
    if as_json:
        emit_json([asdict(row) for row in rows])
        return
    table(["function", "result"], [[row.signature, row.summary] for row in rows], f"No function has {name} in its name.")


@command.command("try")
@click.argument("expression")
@click.option("--object", "file", type=FILE, help="TOML file with the object. [default: an object without values]")
@json_option
def try_rule(expression: str, file: Path | None, as_json: bool) -> None:
    """Evaluate an expression for one object, and print its value and type.

    The file has a table [values], and, where the expression reads them, [parameters], [imported] and dn.

    \b
    Examples:
      isthmus sync rules try 'UCase([sn])' --object anna.toml
      isthmus sync rules try 'BitAnd(&HF, &HF7)'
    """
    with reporting(SettingsFileError, ExpressionTrialFailed):
        attempt = try_expression(expression, file, now=time.time())
    value = write_literal(attempt.value)
    if as_json:
        emit_json({"value": value, "type": attempt.type})
    else:
        click.echo(visible_lines(f"{value}  ({attempt.type})"))


@command.command()
@click.argument("cases", type=FILE)
@json_option
def test(cases: Path, as_json: bool) -> None:
    """Test rules: objects in, expected values out. The exit code is 1 if anything differs.

    \b
    Example:
      isthmus sync rules test rules-test.toml
    """
    with reporting(SettingsFileError, RulesRefused):
        results = run_cases(read_cases(cases))
    failed = [result for result in results if result.differences]
    if as_json:
        emit_json(
            [{"case": result.name, "ok": not result.differences, "differences": result.differences} for result in results]
        )
    else:
        for result in results:
            click.echo(visible_lines(f"{'FAIL' if result.differences else 'ok':<5}{result.name}"))
            for difference in result.differences:
                click.echo(visible_lines(f"     {difference}"))
        click.echo(f"{counted(len(results), 'case')}, {len(failed)} failed")
    if failed:
        raise SystemExit(1)
