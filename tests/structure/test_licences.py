"""The page of third-party licences says what is locked, and what the packages state."""

from __future__ import annotations

import pytest

from tests.structure import licences, locks
from tests.structure.licences import UnknownLicence
from tests.structure.locks import LockedPackage

TEXT = (locks.ROOT / "docs" / licences.PAGE).read_text()


def test_the_page_says_what_is_locked() -> None:
    """Every package that an operator's machine gets, in the locked version: run `make licences`."""
    written = licences.licences_on(TEXT)

    def licence_of(package: LockedPackage) -> str:
        """As it is stated; of a package that is not installed here (Kerberos is not everywhere), as it is written."""
        try:
            return licences.stated_licence(package)
        except UnknownLicence:
            return written.get(f"{package.name}=={package.version}", "unknown")

    assert licences.page(locks.read_all(), licence_of) == TEXT, "requirements/ has changed: run `make licences`"


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "licence"),
    [
        ("MIT-0", "something else", ["MIT License"], "MIT-0"),
        ("", "Apache 2.0", ["Apache Software License"], "Apache-2.0"),
        ("", "Copyright (c)\nall of the text", ["MIT License"], "MIT"),
        ("", "", ["MIT License", "Apache Software License"], "Apache-2.0 AND MIT"),
        ("", "", ["BSD License"], "BSD License"),
        ("", "", [], ""),
    ],
)
def test_the_expression_comes_first(expression: str, text: str, classifiers: list[str], licence: str) -> None:
    """Then a short text, then classifiers; what is not clear is left in the package's words."""
    assert licences.choose(expression, text, classifiers) == licence


def test_a_package_that_is_not_installed_has_no_licence() -> None:
    """Nothing is guessed: the command fails and names it."""
    with pytest.raises(UnknownLicence, match="no-such-package"):
        licences.stated_licence(LockedPackage("no-such-package", "1.0", "", 1))


def test_another_version_has_no_licence() -> None:
    """A licence can change with a version."""
    with pytest.raises(UnknownLicence):
        licences.stated_licence(LockedPackage("click", "0.1", "", 1))
