"""The command, run in this process; and a relay that is set up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from demo.stand import free_port
from isthmus import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def relay_config(tmp_path: Path) -> Path:
    """Settings of a relay behind a proxy on this machine, and its state directory."""
    path = tmp_path / "relay.toml"
    (tmp_path / "state").mkdir(mode=0o700)
    path.write_text(
        f'[server]\nstate_dir = "state"\npublic_url = "https://signin.test"\nlisten = "127.0.0.1:{free_port()}"\n'
        'metrics_listen = ""\n[server.core]\ncanary_interval = 0\ndrain_timeout = 0.1\n'
    )
    return path


@pytest.fixture
def ready(run: Run, relay_config: Path) -> Path:
    """The same, after `isthmus relay init`."""
    assert run("relay", "init", "--config", relay_config, "--name", "relay1")[0] == 0
    return relay_config
