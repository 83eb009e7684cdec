"""`make licences`: under which licence each package is that an installation of Isthmus brings.

usage: python -m tests.structure.licences DOCS_DIR
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tests.structure import locks
from tests.structure.locks import LockedPackage

INSTALLED = ("agent", "relay", "postgres", "adfs", "kerberos")
"""Files of requirements/ that machines of an operator are installed from."""
PAGE = Path("reference") / "third-party-licences.md"
ELSEWHERE: Mapping[str, str] = {"sspilib": "MIT", "tzdata": "Apache-2.0"}
"""Of packages for Windows, which are not installed where this runs: read in their files by hand."""
_SPDX: Mapping[str, str] = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "LGPL v3": "LGPL-3.0-only",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages say in other words than SPDX's."""
_HEAD = """\
<!-- Written by `make licences`: change nothing here. -->

# Third-party licences

Isthmus is under the Apache License 2.0 (`LICENSE`). Installing it brings the packages below, each from its own authors,
under the licence that it states in its metadata, by its [SPDX](https://spdx.org/licenses/) name where it is clear which one
is meant. The full texts are installed with the packages, in the `licenses` folders beside them. ldap3 and psycopg are under
the LGPL: they are used unchanged, and can be replaced by other versions.

"""


class UnknownLicence(Exception):
    """A package states no licence, or is not installed here."""

    def __init__(self, package: str) -> None:
        super().__init__(package)
        self.package = package

    def __str__(self) -> str:
        remedy = "Install everything first (`make licences` does), or add it to ELSEWHERE in tests/structure/licences.py"
        return f"{self.package}: its licence is unknown. {remedy}"


@dataclass(frozen=True, slots=True)
class Row:
    """One package of the page."""

    package: LockedPackage
    files: tuple[str, ...]
    licence: str

    def __str__(self) -> str:
        return f"| {self.package.name} | {self.package.version} | {self.licence} | {', '.join(self.files)} |"


def page(files: Mapping[str, Mapping[str, LockedPackage]], licence_of: Callable[[LockedPackage], str]) -> str:
    """The whole page."""
    return (
        _HEAD
        + "| package | version | licence | installed for |\n|---|---|---|---|\n"
        + "\n".join(str(row) for row in _rows(files, licence_of))
        + "\n"
    )


def stated_licence(package: LockedPackage) -> str:
    """What the installed package states. Raises UnknownLicence: another version, nothing stated, or not there."""
    try:
        found = metadata.metadata(package.name)
    except metadata.PackageNotFoundError:
        found = None
    if found is None or found["Version"] != package.version:
        if package.name in ELSEWHERE:
            return ELSEWHERE[package.name]
        raise UnknownLicence(package.name)
    expression, text = (" ".join(found.get_all(key) or ()) for key in ("License-Expression", "License"))
    classifiers = [line.rpartition(" :: ")[2] for line in found.get_all("Classifier") or () if line.startswith("License ::")]
    licence = choose(expression, text, classifiers)
    if not licence:
        raise UnknownLicence(package.name)
    return licence


def choose(expression: str, text: str, classifiers: Iterable[str]) -> str:
    """One licence of what metadata says: the expression (PEP 639), else a short text, else classifiers. Empty for none."""
    if expression:
        return expression
    if text and "\n" not in text and len(text) < 40:
        return _SPDX.get(text, text)
    return " AND ".join(sorted(_SPDX.get(name, name) for name in classifiers))


def licences_on(text: str) -> dict[str, str]:
    """Licences that stand on a page, by package and version."""
    return {
        f"{name}=={version}": licence for name, version, licence in re.findall(r"^\| (\S+) \| (\S+) \| (.+?) \|", text, re.M)
    }


def _rows(files: Mapping[str, Mapping[str, LockedPackage]], licence_of: Callable[[LockedPackage], str]) -> Iterable[Row]:
    for name in sorted({name for file in INSTALLED for name in files[file]}):
        users = tuple(file for file in INSTALLED if name in files[file])
        package = files[users[0]][name]
        yield Row(package, users, licence_of(package))


def main(docs: Path) -> int:
    """Write the page."""
    try:
        text = page(locks.read_all(), stated_licence)
    except UnknownLicence as error:
        sys.stderr.write(f"{error}\n")
        return 1
    (docs / PAGE).write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
