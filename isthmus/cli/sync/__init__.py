"""`isthmus sync`: directories kept in step."""

from __future__ import annotations

import click

from isthmus.cli.lazy import LazyGroup

__all__ = ["command"]

_HERE = "isthmus.cli.sync"
_PARTS = {
    "check": (f"{_HERE}.check", "Find out what is wrong with the settings, sources, targets and rules."),
    "plan": (f"{_HERE}.plans:plan", "Read the sources, and write what would be done to a file."),
    "apply": (f"{_HERE}.plans:apply", "Do exactly what a plan says, or nothing."),
    "run": (f"{_HERE}.run", "Read, plan, and write what the guard permits, once."),
    "status": (f"{_HERE}.status:status", "Show the last run, sources, targets and failures."),
    "history": (f"{_HERE}.status:history", "List the last runs."),
    "errors": (f"{_HERE}.status:errors", "List accounts that a target would not take, with remedies."),
    "export": (f"{_HERE}.export", "Write a copy of the state without names and values, for bug reports."),
    "rules": (f"{_HERE}.rules", "Synchronisation rules: check, try and test them."),
}


@click.group("sync", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """Synchronisation: users, groups and contacts of directories to cloud services.

    \b
    For the first time:  isthmus sync check
                         isthmus sync plan first.plan --page first.html
                         isthmus sync apply first.plan
    From then on:        isthmus sync run
                         isthmus sync status
    """
