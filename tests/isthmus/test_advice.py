"""What the docs advise in several places is one thing: a number, a name, a way."""

from __future__ import annotations

import re
from pathlib import Path

from directory.inspection.policies import ADVISED_THRESHOLD
from tests.isthmus.conftest import Run

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def found(pattern: str, pages: list[Path] = PAGES) -> set[str]:
    """What the pattern's group is, over all pages."""
    return {match for page in pages for match in re.findall(pattern, " ".join(page.read_text().split()))}


def test_one_lockout_threshold_is_advised() -> None:
    """For Active Directory: the one that `agent check` asks for."""
    assert found(r"threshold (?:in AD,? )?(?:of|to) (\d+) or more") == {str(ADVISED_THRESHOLD)}
    assert found(r"threshold in AD,? to (\d+) or more") <= {str(ADVISED_THRESHOLD)}


def test_one_service_account_is_named(run: Run) -> None:
    """In Active Directory; in the example of the settings as on the page about it."""
    assert found(r'service_user = "([^"]*@[^"]*)"') == {"svc-isthmus@corp.example.com"}
    assert 'service_user = "svc-isthmus@corp.example.com"' in run("config", "example", "agent")[1]


def test_one_way_to_install_is_shown() -> None:
    """What is locked, and then the project without its dependencies; into /opt/isthmus."""
    lines = [line for page in (ROOT / "docs" / "operators").glob("*.md") for line in page.read_text().splitlines()]
    commands = [line.removeprefix("sudo ") for line in lines if re.match(r"(sudo )?\S*pip install", line)]
    assert len(commands) > 4
    for command in commands:
        assert command.startswith("/opt/isthmus/bin/pip install "), command
        assert "--require-hashes -r requirements/" in command or "--no-deps" in command, command


def test_commands_are_run_as_root_alone() -> None:
    """Root becomes the owner of the state directory by itself."""
    pages = [ROOT / "README.md", *(ROOT / "docs" / "operators").glob("*.md"), *(ROOT / "docs" / "reference").glob("*.md")]
    assert found(r"sudo -u \S+", pages) == set()


def test_the_readme_is_two_commands() -> None:
    """A setup on each machine, after what is installed."""
    section = (ROOT / "README.md").read_text().split("## Run it")[1].split("\n## ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    assert [block.strip() for block in blocks[1:]] == ["isthmus relay setup", "isthmus agent setup"]
    assert "--require-hashes -r requirements/relay.txt" in blocks[0]
