"""What is in the wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.install.machine import ROOT
from tests.structure.source import PACKAGES

DEVELOPMENT = {"gateway/signin/babel.cfg"}
"""Files beside the code that are not installed: how `make texts` finds the texts."""


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Templates, styles, texts and migrations included; neither tests nor the demo."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if not name.partition("/")[0].endswith(".dist-info")}
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == files - DEVELOPMENT


def test_the_licence_comes_with_it(wheel: Path) -> None:
    """Its text, and its name as an expression (PEP 639)."""
    archive = zipfile.ZipFile(wheel)
    [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    assert "License-Expression: Apache-2.0" in archive.read(metadata).decode().splitlines()
    [licence] = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
