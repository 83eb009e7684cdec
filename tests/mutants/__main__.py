"""Runs mutmut in `build/mutants` and judges what survived: `python -m tests.mutants` from the top of the project.

`[tool.mutmut]` in pyproject.toml says what is mutated and which tests run; `survivors.toml` beside this file lists the
mutants that may survive, each with its reason. Exit code 0: every other mutant was noticed by a test, and the list is true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.judgement import (
    MOST_LISTED,
    Mutant,
    Report,
    Survivor,
    is_killed,
    judge,
    parse_progress,
    parse_results,
    parse_show,
    read_listed,
)

ROOT = Path.cwd()
WORKSPACE = ROOT / "build" / "mutants"
LISTED = Path(__file__).with_name("survivors.toml")
MUTMUT = Path(sys.executable).with_name("mutmut")
CHILDREN = 2
EVERY = 5.0
"""Seconds between two lines of progress where nobody sits at a terminal."""


def check_targets(settings: dict[str, list[str]]) -> None:
    """Raises SystemExit where a pattern names no file: a module that moved away would be left out without a word."""
    for pattern in settings["only_mutate"]:
        if not any(ROOT.glob(pattern)):
            raise SystemExit(f"pyproject.toml: no file matches {pattern} of tool.mutmut.only_mutate")
    for test in settings["pytest_add_cli_args_test_selection"]:
        if not (ROOT / test).exists():
            raise SystemExit(f"pyproject.toml: {test} of tool.mutmut.pytest_add_cli_args_test_selection is not there")


def make_workspace(settings: dict[str, list[str]]) -> None:
    """An empty directory with links to what mutmut reads; it writes only below its own `mutants`."""
    shutil.rmtree(WORKSPACE, ignore_errors=True)
    WORKSPACE.mkdir(parents=True)
    for name in ["pyproject.toml", "tests", *settings["source_paths"], *settings["also_copy"]]:
        if (ROOT / name).exists():
            (WORKSPACE / name).symlink_to(ROOT / name)


def mutmut(*arguments: str) -> str:
    """What a command of mutmut prints. Raises SystemExit with its output where it fails."""
    done = subprocess.run([MUTMUT, *arguments], cwd=WORKSPACE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"mutmut {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def run() -> None:
    """Tests every mutant and shows how far it is. Raises SystemExit where mutmut itself fails."""
    command = [str(MUTMUT), "run", "--max-children", str(CHILDREN)]
    said: list[str] = []
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # the same tests first each time: mutmut keeps them in sets
    with subprocess.Popen(
        command, cwd=WORKSPACE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        shown = 0.0
        for line in updates(process.stdout):
            progress = parse_progress(line)
            if progress is None:
                said.append(line)
            elif time.monotonic() - shown >= (0.2 if sys.stdout.isatty() else EVERY):
                shown = time.monotonic()
                print(f"\r{progress}\033[K" if sys.stdout.isatty() else progress, end="", flush=True)
                print("" if sys.stdout.isatty() else "\n", end="", flush=True)
    print()
    if process.returncode != 0:
        raise SystemExit("mutmut run failed:\n" + "\n".join(said))


def updates(stream: Iterator[str]) -> Iterator[str]:
    """Lines, those of a terminal's carriage returns too."""
    for line in stream:
        yield from (part.strip() for part in line.split("\r") if part.strip())


def survivors(mutants: list[Mutant]) -> list[Survivor]:
    """What each mutant that no test noticed changed."""
    alive = [mutant for mutant in mutants if not is_killed(mutant)]
    print(f"what did the {len(alive)} survivors change?", flush=True)
    with ThreadPoolExecutor(CHILDREN) as pool:
        shown = pool.map(lambda mutant: mutmut("show", mutant.name), alive)
        return [parse_show(mutant, diff) for mutant, diff in zip(alive, shown, strict=True)]


def main() -> int:
    """Exit code 1 where something survived that is not listed, or where the list is not true."""
    began = time.monotonic()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    listed = read_listed(LISTED.read_text())
    check_targets(settings)
    make_workspace(settings)
    run()
    mutants = parse_results(mutmut("results", "--all", "true"))
    report: Report = judge(mutants, survivors(mutants), listed)
    print(report.table())
    for problem in report.problems():
        print("\n" + problem)
    minutes = (time.monotonic() - began) / 60
    print(f"\n{len(listed)} of at most {MOST_LISTED} survivors are listed; {minutes:.1f} minutes")
    return 1 if report.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
