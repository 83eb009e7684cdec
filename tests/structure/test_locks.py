"""What is installed is locked: versions and hashes, the same everywhere, from no place in particular."""

from __future__ import annotations

import pytest

from tests.structure import locks
from tests.structure.locks import MalformedLock

HASH = "--hash=sha256:" + "0" * 64
GOOD = f"# a comment\nclick==8.5.1 \\\n    {HASH} \\\n    {HASH}\nuvloop==0.23.0 ; sys_platform != 'win32' \\\n    {HASH}\n"


@pytest.mark.parametrize("file", locks.FILES)
def test_a_lock_has_what_its_extra_asks_for(file: str) -> None:
    """Whoever adds a dependency locks it, too: run `make lock`."""
    wanted = locks.wanted_of(locks.project_table(), locks.FILES[file])
    assert locks.missing(locks.read_all()[file], wanted) == [], "pyproject.toml has changed: run `make lock`"


@pytest.mark.parametrize("file", locks.APART)
def test_a_lock_of_an_environment_apart_has_what_its_group_asks_for(file: str) -> None:
    """The tests install it by its hashes."""
    wanted = locks.project_table("dependency-groups")[locks.APART[file]]
    assert locks.missing(locks.read_file(file), wanted) == [], "pyproject.toml has changed: run `make lock`"


def test_every_file_is_known() -> None:
    """No file is left over that nobody renews."""
    assert sorted(path.stem for path in (locks.ROOT / "requirements").iterdir()) == sorted({**locks.FILES, **locks.APART})


def test_every_machine_gets_the_version_that_was_tested() -> None:
    """A package has one version in all files; what development does not have, none of the others has but for Kerberos."""
    files = locks.read_all()
    tested = files["development"] | files["kerberos"]
    for file, packages in files.items():
        different = {name: package.version for name, package in packages.items() if tested[name].version != package.version}
        assert different == {}, f"requirements/{file}.txt: run `make lock`"


def test_a_lock_is_read() -> None:
    """Names, versions, markers, and how many files are allowed."""
    packages = locks.read("example", GOOD)
    assert [(p.name, p.version, p.marker, p.hashes) for p in packages.values()] == [
        ("click", "8.5.1", "", 2),
        ("uvloop", "0.23.0", 'sys_platform != "win32"', 1),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("click==8.5.1", "no SHA-256 hash"),
        ("click==8.5.1 --hash=md5:0123", "no SHA-256 hash"),
        (f"click>=8.5.1 {HASH}", "not exactly one version"),
        (f"click==8.* {HASH}", "not exactly one version"),
        (f"click>=8,==8.5.1 {HASH}", "not exactly one version"),
        (f"click==8.5.1 {HASH}\nClick==8.5.1 {HASH}", "stands twice"),
        ("--index-url https://packages.example.com/simple", "names a place or an option"),
        ("--find-links packages", "names a place or an option"),
        (f"click @ https://packages.example.com/click.whl {HASH}", "names a place or an option"),
        ("./packages/click.whl", "names a place or an option"),
        ("-e .", "names a place or an option"),
    ],
)
def test_a_lock_that_locks_nothing_is_refused(line: str, problem: str) -> None:
    """Neither a version that may change, nor a file that may, nor an address of an index."""
    with pytest.raises(MalformedLock, match=problem):
        locks.read("example", line)


def test_a_missing_or_too_old_package_is_named() -> None:
    """By the line of pyproject.toml."""
    packages = locks.read("example", GOOD)
    assert locks.missing(packages, ["click>=8.2", "Click>=9", "babel>=2"]) == ["Click>=9", "babel>=2"]


def test_an_extra_brings_those_that_it_includes() -> None:
    """`isthmus[relay]` in the list of another extra stands for relay's list."""
    project = {"name": "isthmus", "dependencies": ["click"], "optional-dependencies": {"a": ["isthmus[b]", "x"], "b": ["y"]}}
    assert locks.wanted_of(project, "a") == ["click", "x", "y"]
