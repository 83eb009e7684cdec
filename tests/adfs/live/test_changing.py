"""A rollover of a real farm and back, where its owner has named it twice. Sign-in to its partners may break meanwhile."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from isthmus.cli import cli
from tests.adfs.live.conftest import Seen

pytestmark = pytest.mark.skipif(
    not os.environ.get("ISTHMUS_LIVE_CHANGE"), reason="ISTHMUS_LIVE_CHANGE does not name a farm that may be changed"
)


class Farm:
    """Commands about one farm, each recorded."""

    def __init__(self, seen: Seen) -> None:
        self.seen, self.number = seen, 0
        self.results = Path(os.environ.get("ISTHMUS_LIVE_RESULTS", "."))

    def run(self, *words: str) -> Any:
        """Its JSON. Fails the test where the command fails."""
        self.number += 1
        recording = self.results / f"changing-{time.time():.0f}-{self.number}.jsonl"
        given = ["--config", str(self.seen.path), "--json"]
        done = CliRunner().invoke(cli, ["adfs", "--record", str(recording), *words, *given])
        assert done.exception is None, f"isthmus adfs {' '.join(words)}: {done.exception}\n{done.output}"
        return json.loads(done.stdout)

    def configuration(self) -> dict[str, Any]:
        """What must be the same afterwards."""
        found = next(each for each in self.run("status")["farms"] if each["farm"]["name"] == self.seen.chosen.name)
        primary = next(node for node in found["farm"]["nodes"] if node["role"] == "PrimaryComputer")
        rows = [[row["use"], row["certificate"]["thumbprint"], row["is_primary"]] for row in primary["certificates"]]
        return {"rows": sorted(rows), "auto": found["farm"]["properties"]["auto_rollover"]}


@pytest.fixture
def farm(seen: Seen) -> Farm:
    """Named twice, or nothing is changed."""
    name = os.environ["ISTHMUS_LIVE_CHANGE"]
    assert name == seen.chosen.name, f"ISTHMUS_LIVE_CHANGE is {name}, but the farm is {seen.chosen.name}"
    return Farm(seen)


def test_a_rollover_and_back(farm: Farm) -> None:
    """Published, promoted, rolled back to the start: the farm is as it was."""
    before = farm.configuration()
    chosen = ("--farm", farm.seen.chosen.name, "--yes")
    outcome = farm.run("rollover", "apply", *chosen, "--wait-days", "0", "--soak-days", "0")
    assert outcome["end"] == "asking", outcome
    during = farm.configuration()
    assert len(during["rows"]) > len(before["rows"])
    partners = [word for name in outcome["step"]["ask"] if name != "promote" for word in ("--acknowledge", name)]
    promoted = farm.run("rollover", "promote", *partners, *chosen)
    assert promoted["end"] == "asking", promoted
    assert farm.configuration()["rows"] != during["rows"]
    back = farm.run("rollover", "rollback", "--to", "start", *chosen)
    assert back["end"] == "done", back
    assert farm.configuration() == before
