"""Settings that are read anew: what is taken, what waits for a restart, and what is refused as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog
from structlog.typing import EventDict

from isthmus.live_settings import LiveSettings
from isthmus.log_settings import LogSettings
from isthmus.relay_settings import RelaySettings
from settings import Unfit, changed_settings, load_settings

FILE = """\
[server]
state_dir = "state"
public_url = "https://signin.example.com"
listen = "127.0.0.1:8443"
[server.signin]
organisation = "Example"
[server.admission]
threshold = 4
"""


def write(file: Path, text: str | None) -> None:
    """None: there is none any more."""
    file.unlink()
    if text is not None:
        file.write_text(text)


class Taker:
    """Takes `server.signin` and `log.level`, unless it is to refuse."""

    def __init__(self) -> None:
        self.taken: list[RelaySettings] = []
        self.refusal: Unfit | None = None

    async def __call__(self, read: RelaySettings) -> Sequence[str]:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append(read)
        return ("server.signin", "log.level")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "relay.toml"
    path.write_text(FILE)
    return path


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
def live(file: Path, taker: Taker) -> LiveSettings[RelaySettings]:
    return LiveSettings(file, RelaySettings, load_settings(file, RelaySettings), taker)


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


async def test_what_can_be_taken_is_and_the_rest_is_named(
    live: LiveSettings[RelaySettings], file: Path, taker: Taker, logs: list[EventDict]
) -> None:
    """Each time against what is in use: a setting that waits for a restart is named until it has come or gone."""
    write(file, FILE.replace("Example", "Example Ltd").replace(":8443", ":9443"))
    await live.reload()
    assert taker.taken[-1].server.signin.organisation == "Example Ltd"
    assert [entry["event"] for entry in logs] == ["settings.reloaded", "settings.restart_needed"]
    assert logs[0]["changed"] == ["server.signin.organisation"]
    assert logs[1]["settings"] == ["server.listen"]
    logs.clear()
    await live.reload()
    assert [entry["event"] for entry in logs] == ["settings.reloaded", "settings.restart_needed"]
    assert logs[0]["changed"] == []
    logs.clear()
    write(file, FILE)
    await live.reload()
    assert [(entry["event"], entry.get("changed")) for entry in logs] == [
        ("settings.reloaded", ["server.signin.organisation"])
    ]


@pytest.mark.parametrize(
    ("wrong", "setting", "line", "words"),
    [
        (FILE.replace("threshold = 4", "threshold = 0"), "server.admission.threshold", 8, "0 is too small"),
        (FILE.replace('"Example"', '"Exa\\mple"'), "server.signin.organisation", 6, "is not TOML"),
        (FILE.replace("organisation", "organization"), "server.signin.organization", 6, "no such setting"),
        (None, "", None, "cannot be read"),
    ],
)
async def test_a_wrong_file_changes_nothing(
    live: LiveSettings[RelaySettings],
    file: Path,
    taker: Taker,
    logs: list[EventDict],
    wrong: str | None,
    setting: str,
    line: int | None,
    words: str,
) -> None:
    """Each problem is told with key and line, and that the settings from before stay in use."""
    write(file, wrong)
    await live.reload()
    assert taker.taken == []
    problem, told = logs
    assert (problem["event"], problem["setting"], problem["line"]) == ("settings.refused", setting, line)
    assert words in problem["problem"]
    assert (told["event"], told["problems"]) == ("settings.not_reloaded", 1)
    assert "stay" in told["remedy"]


async def test_what_the_process_refuses_has_its_line_too(
    live: LiveSettings[RelaySettings], taker: Taker, logs: list[EventDict]
) -> None:
    """Such as a logo that is not there; the next reload compares with what is in use."""
    taker.refusal = Unfit("logo.svg cannot be read", "correct the path", setting="server.signin.logo_file")
    await live.reload()
    assert (logs[0]["setting"], logs[0]["line"], logs[0]["remedy"]) == ("server.signin.logo_file", 5, "correct the path")
    assert logs[1]["event"] == "settings.not_reloaded"


def test_what_differs_is_named_by_its_whole_key() -> None:
    """And nothing where nothing does."""
    assert changed_settings(LogSettings(), LogSettings(level="debug")) == ["level"]
    assert changed_settings(LogSettings(), LogSettings()) == []
