"""What is carried to a bare machine: the wheel, and the locked packages, downloaded with this machine's own pip settings."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.install.machine import BUILD, ROOT, BareMachine
from tests.structure.source import PACKAGES

PYTHON = "3.11"
"""Debian 12's."""
GLIBC = 36
"""Debian 12 has 2.36: wheels for this one and for older ones run there."""
_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def downloaded(lock: str) -> Path:
    """A directory with the packages of requirements/LOCK.txt for Debian 12, and that file: kept in `build`."""
    file = ROOT / "requirements" / f"{lock}.txt"
    kept = BUILD / f"{lock}-{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"
    if not kept.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="downloading-") as home:
            packages = Path(home) / "packages"
            target = ["--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp", *_platforms()]
            order = [
                "download",
                "--require-hashes",
                "--no-deps",
                "--requirement",
                str(file),
                "--dest",
                str(packages),
                *target,
            ]
            subprocess.run([*_PIP, *order], check=True)
            shutil.copy(file, packages)
            packages.replace(kept)
    return kept


def build_wheel(directory: Path) -> Path:
    """The wheel of what is in the work tree, from a copy: what an older build has left over does not get into it."""
    with tempfile.TemporaryDirectory(prefix="isthmus-wheel-") as home:
        source = Path(home)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / file, source)
        order = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(directory), str(source)]
        subprocess.run([*_PIP, *order], check=True)
    [wheel] = directory.glob("isthmus-*.whl")
    return wheel


def install(machine: BareMachine, wheel: Path, process: str) -> None:
    """As the documentation says, with the packages beside it instead of an index, and no network at all."""
    carried = machine.path("/root/packages")
    carried.mkdir()
    for path in (*downloaded(process).iterdir(), wheel):
        (carried / path.name).write_bytes(path.read_bytes())
    machine.must("python3", "-m", "venv", "/opt/isthmus")
    pip = ("/opt/isthmus/bin/pip", "install", "--quiet", "--no-index")
    locked = ("--require-hashes", "--find-links", "/root/packages", "--requirement", f"/root/packages/{process}.txt")
    machine.must(*pip, *locked, network=False)
    machine.must(*pip, "--no-deps", f"/root/packages/{wheel.name}", network=False)
    machine.must("ln", "-s", "/opt/isthmus/bin/isthmus", "/usr/local/bin/isthmus")


def _platforms() -> list[str]:
    """pip takes what it is told, and nothing older by itself (PEP 600)."""
    machine = platform.machine()
    names = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)]
    names += [f"manylinux{old}_{machine}" for old in ("2014", "2010", "1")]
    return [argument for name in names for argument in ("--platform", name)]
