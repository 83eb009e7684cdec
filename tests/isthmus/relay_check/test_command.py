"""`isthmus relay check` as a command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.app import init
from gateway.relay import NotPermitted
from isthmus.cli import cli
from tests.support.relay_and_agent import server_settings

NOW = 1_800_000_000.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The settings file of a relay that was set up and does not run."""
    settings = server_settings(tmp_path)
    init(settings, name="relay1", now=NOW)
    path = tmp_path / "relay.toml"
    path.write_text(
        f"""[server]
state_dir = "{settings.state_dir}"
public_url = "{settings.public_url}"
listen = "{settings.listen}"
tls_certificate = "{settings.tls_certificate}"
tls_key = "{settings.tls_key}"
"""
    )
    return path


def check(config: Path, *arguments: str, **how: Any) -> Result:
    return CliRunner().invoke(cli, ["relay", "check", "--config", str(config), *arguments], **how)


def test_it_works_where_no_relay_runs_and_says_so(config: Path) -> None:
    """With the sign-in that could not be tried; all that does not need the relay is looked at."""
    result = check(config, "--user", "anna", "--password-file", "-", "--json", input="right\n")
    found = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert {name: finding["status"] for name, finding in found.items() if "://" not in name} == {
        "keys": "pass",
        "database": "pass",
        "disk": found["disk"]["status"],
        "backup": "warn",
        "page": "warn",
        "certificate": "pass",
        "relay": "fail",
        "sign-in of anna": "fail",
    }
    assert "no relay is running" in found["relay"]["seen"]
    assert "systemctl start isthmus-relay" in found["relay"]["remedy"]
    assert not (config.parent / "relay" / "relay.db").exists()  # nothing is made, either


def test_people_read_the_remedy_below_each_line(config: Path) -> None:
    """The same words as `isthmus agent check`."""
    lines = check(config).stdout.splitlines()
    assert lines[0].startswith("PASS  keys: of relay1")
    assert "FAIL  relay: no relay is running on" in "\n".join(lines)


def test_a_password_without_a_user_is_a_mistake(config: Path) -> None:
    """So is a prompt where nobody is."""
    assert check(config, "--password-file", "-").exit_code == 2
    assert "give --password-file" in str(check(config, "--user", "anna").exception)


def test_another_user_than_the_relays_is_told_and_nothing_else_is_looked_at(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another user may read says nothing of the relay."""

    async def refused(*_: object) -> None:
        raise NotPermitted(config.parent)

    monkeypatch.setattr("isthmus.cli.relay.check.ask_live", refused)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    (finding,) = json.loads(check(config, "--json").stdout)
    assert (finding["name"], finding["status"]) == ("user", "fail")
    assert "this runs as user 4711" in finding["seen"]


def test_mistakes_in_trust_files_are_found_without_a_relay(config: Path) -> None:
    """By `relay check` and by `relay trust list`, in the words of the file's reader."""
    folder = config.parent / "trusts"
    folder.mkdir()
    (folder / "wiki.toml").write_text('id = "wiki"\nname = "Wiki"\nprotocol = "saml"\ncolour = 1\n')
    config.write_text(f'{config.read_text()}[server.federation]\ntrusts_dir = "{folder}"\n')
    found = json.loads(check(config, "--json").stdout)
    (told,) = [finding for finding in found if finding["name"] == "wiki.toml: trust file"]
    assert (told["status"], "colour (line 4)" in told["seen"]) == ("fail", True)
    listed = CliRunner().invoke(cli, ["relay", "trust", "list", "--config", str(config)])
    assert "colour (line 4)" in listed.stderr
