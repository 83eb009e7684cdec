"""Each process runs with what its extra brings, and an agent loads nothing of the others'."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROCESSES = ("relay", "agent", "sync", "adfs")
HEAVY = {"acme", "josepy", "lxml", "msal", "signxml"}
OF_THE_AGENT = """
import importlib, json, pkgutil, sys
import gateway.agent, isthmus.agent_process, isthmus.check, isthmus.cli.agent
for module in pkgutil.walk_packages(gateway.agent.__path__, "gateway.agent."):
    importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""
HELP = """
import json, sys
from isthmus.cli import main
try:
    main(["agent", "--help"])
except SystemExit as ended:
    assert not ended.code
print(json.dumps(sorted(sys.modules)))
"""
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from isthmus.cli import main
for arguments in {commands!r}:
    try:
        main(arguments)
    except SystemExit as ended:
        if ended.code:
            raise
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def distributions(extra: str) -> set[str]:
    """What an installation with this extra has been asked for, by name."""
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]
    return {Requirement(line).name.lower() for line in wanted}


def absent(extra: str) -> set[str]:
    """Modules of what only the others' extras bring."""
    others = set().union(*map(distributions, PROCESSES)) - distributions(extra)
    return {module for module, names in packages_distributions().items() if others & {name.lower() for name in names}}


@pytest.mark.parametrize("code", [OF_THE_AGENT, HELP], ids=["every module", "help"])
def test_the_agent_loads_no_xml_no_acme_no_msal(code: str) -> None:
    """In a process of its own, all of the agent's modules imported."""
    done = python(code)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    ("extra", "commands"),
    [
        ("agent", (["agent", "run", "--help"], ["agent", "check", "--help"], ["config", "example", "agent"])),
        ("relay", (["relay", "run", "--help"], ["config", "example", "relay"])),
        ("adfs", (["adfs", "status", "--help"], ["config", "example", "adfs"])),
    ],
    ids=["agent", "relay", "adfs"],
)
def test_a_process_needs_no_extra_but_its_own(extra: str, commands: tuple[list[str], ...]) -> None:
    """Its commands start where the others' libraries are not installed."""
    done = python(WITHOUT.format(absent=absent(extra), commands=commands))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("extra", "command"), [("relay", "agents"), ("agent", "check")])
def test_a_missing_library_names_the_extra(extra: str, command: str, tmp_path: Path) -> None:
    """Whoever installed without it is told which one it is."""
    base = {Requirement(line).name.lower() for line in PROJECT["dependencies"]}
    brought = distributions(extra) - base
    modules = {module for module, names in packages_distributions().items() if brought & {name.lower() for name in names}}
    settings = tmp_path / f"{extra}.toml"
    settings.write_text(python(WITHOUT.format(absent=set(), commands=[["config", "example", extra]])).stdout)
    done = python(WITHOUT.format(absent=modules, commands=[[extra, command, "--config", str(settings)]]))
    assert done.returncode == 1, done.stderr
    assert f"pip install --require-hashes -r requirements/{extra}.txt" in done.stderr
    assert (ROOT / "requirements" / f"{extra}.txt").exists()


def test_every_extra_is_part_of_development() -> None:
    """What `make` installs runs every test."""
    everything = next(Requirement(line) for line in PROJECT["optional-dependencies"]["dev"] if line.startswith("isthmus["))
    assert everything.extras == {*PROCESSES, "demo", "postgres"}
