"""`requirements/*.txt`: what `make lock` has written, and what must hold for each of the files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DEVELOPMENT = "development"
FILES: Mapping[str, str] = {
    "adfs": "adfs",
    "agent": "agent",
    "demo": "demo",
    DEVELOPMENT: "dev",
    "kerberos": "kerberos",
    "postgres": "postgres",
    "relay": "relay",
    "sync": "sync",
}
"""Name of each file, and the extra that it locks."""
APART: Mapping[str, str] = {"interop": "interop", "scim": "scim"}
"""Of environments of their own, without the project: name of each file, and the dependency group that it locks."""
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
_PIN = re.compile(r"==[^=*,]+$")


class MalformedLock(Exception):
    """A line of a lock file is not what pip takes when it checks hashes, or says where packages come from."""

    def __init__(self, file: str, line: str, problem: str) -> None:
        super().__init__(file, line, problem)
        self.file, self.line, self.problem = file, line, problem

    def __str__(self) -> str:
        return f"requirements/{self.file}.txt: {self.problem}: {self.line}"


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of a file: exactly one version of it."""

    name: str
    version: str
    marker: str
    """Where it is installed at all (PEP 508); empty for everywhere."""
    hashes: int
    """How many files are allowed for it."""


def read(file: str, text: str) -> dict[str, LockedPackage]:
    """The packages of a file by name. Raises MalformedLock."""
    found: dict[str, LockedPackage] = {}
    for line in _logical_lines(text):
        words = line.split(" --hash=")[0]
        if words.startswith("-") or "://" in line or "@" in words or "/" in words:
            raise MalformedLock(file, words, "names a place or an option")
        requirement = Requirement(words)
        if not _PIN.fullmatch(str(requirement.specifier)):
            raise MalformedLock(file, words, "not exactly one version")
        hashes = line.removeprefix(words).split()
        if not hashes or not all(map(_HASH.fullmatch, hashes)):
            raise MalformedLock(file, words, "no SHA-256 hash")
        name = canonicalize_name(requirement.name)
        version = str(requirement.specifier).removeprefix("==")
        if name in found:
            raise MalformedLock(file, words, "stands twice")
        found[name] = LockedPackage(name, version, str(requirement.marker or ""), len(hashes))
    return found


def read_all() -> dict[str, dict[str, LockedPackage]]:
    """Every file of `FILES`. Raises MalformedLock."""
    return {file: read_file(file) for file in FILES}


def read_file(file: str) -> dict[str, LockedPackage]:
    """One file of the folder. Raises MalformedLock."""
    return read(file, (ROOT / "requirements" / f"{file}.txt").read_text())


def missing(packages: Mapping[str, LockedPackage], wanted: list[str]) -> list[str]:
    """Which of these requirements no package of a file meets."""
    return [
        line
        for line in wanted
        for requirement in [Requirement(line)]
        for package in [packages.get(canonicalize_name(requirement.name))]
        if package is None or not requirement.specifier.contains(package.version, prereleases=True)
    ]


def wanted_of(project: Mapping[str, Any], extra: str) -> list[str]:
    """What `project` (that table of pyproject.toml) asks for with an extra, the extras that it includes with it."""
    wanted: list[str] = list(project["dependencies"])
    for line in project["optional-dependencies"][extra]:
        requirement = Requirement(line)
        if requirement.name == project["name"]:
            for included in sorted(requirement.extras):
                wanted += wanted_of(project, included)
        else:
            wanted.append(line)
    return sorted(set(wanted))


def project_table(name: str = "project") -> dict[str, Any]:
    """A table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())[name]
    return table


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without comments; those that end with a backslash continue."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        words = " ".join(line.split())
        if words and not words.startswith("#"):
            yield words
