"""What somebody is told who typed something else than they meant, and what a shell completes for them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from gateway.administrator import Administrator
from gateway.relay import ActUnavailable, LockoutView
from gateway.store import StoreUnavailable
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure
from isthmus.cli.relay.context import load_relay_settings
from tests.isthmus.conftest import Run


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["rely", "agents"], "relay"),
        (["relay", "agnets"], "agents"),
        (["relay", "audit", "lst"], "list"),
        (["relay", "api-key", "crate"], "create"),
        (["adfs", "stats"], "status"),
        (["adfs", "trust", "shwo"], "show"),
        (["adfs", "trust", "partners", "lits"], "list"),
        (["relay", "agents", "--jsn"], "--json"),
        (["relay", "api-key", "create", "--nme", "crm"], "--name"),
    ],
)
def test_what_was_meant_is_said(run: Run, typed: list[str], meant: str) -> None:
    """For commands, groups and options, at every level."""
    code, _, err = run(*typed)
    assert code == 2
    assert f"Did you mean '{meant}'?" in err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["audit", "list"], "'isthmus relay audit'"),
        (["token", "--name", "a"], "'isthmus relay token'"),
        (["rollover"], "'isthmus adfs rollover' or 'isthmus certs rollover'"),
        (
            ["check"],
            "'isthmus agent check' or 'isthmus relay check' or 'isthmus adfs check' or 'isthmus sync check' or "
            "'isthmus config check'",
        ),
        (["relay", "verify-export", "f"], "'isthmus relay audit verify-export'"),
    ],
)
def test_a_command_of_a_group_is_found_without_its_group(run: Run, typed: list[str], meant: str) -> None:
    """Under its whole name."""
    code, _, err = run(*typed)
    assert code == 2
    assert f"Did you mean {meant}?" in err


@pytest.mark.parametrize("typed", [["relay", "agnets"], ["relay", "agents", "--jsn"], ["relay", "revoke"]])
def test_wrong_usage_is_json_for_programs(run: Run, typed: list[str]) -> None:
    """One object on standard error, as of any other error."""
    code, out, err = run(*typed, "--json")
    told = json.loads(err)
    assert (code, told["exit_code"], out) == (2, 2, "")
    assert told["error"]


# -- no relay is running


def test_a_command_says_that_no_relay_is_running(run: Run, ready: Path) -> None:
    """One line on standard error; programs get it only where there is no error to be read there."""
    _, _, err = run("relay", "agents", "--config", ready)
    state = ready.parent / "state"
    note = f"No relay is running on {state}: this works on its database.\n"
    assert err == note
    _, out, err = run("relay", "agents", "--config", ready, "--json")
    assert (json.loads(out), err) == ([], note)
    _, _, err = run("relay", "revoke", "nobody", "--config", ready, "--json")
    assert json.loads(err)["exit_code"] == 1


async def test_a_database_that_does_not_answer_is_exit_code_3() -> None:
    """A script may try again: whether this process asks it, or the running relay does."""
    for error in (StoreUnavailable("postgresql://db", "no answer", "see"), ActUnavailable("no answer")):

        async def act(error: Exception = error) -> None:
            raise error

        with pytest.raises(Failure) as failed:
            await reported(act())
        assert failed.value.code == 3


# -- completion


def completed(run: Run, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """What a shell is offered for the last word."""
    monkeypatch.setenv("_ISTHMUS_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["isthmus", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    _, out, _ = run()
    return [line.removeprefix("plain,") for line in out.splitlines() if line]


async def _fill(config: Path) -> str:
    """Two keys, one of them revoked, and a domain; the id of the other one."""
    admin = Administrator(load_relay_settings(config).server)
    key, gone = await admin.create_api_key("crm", None), await admin.create_api_key("old", None)
    await admin.revoke_api_key(gone.id)
    await admin.bind("corp.example.com", "dc=example")
    return key.id


def test_names_are_completed(run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and domains that there are; nothing, and no error, where the relay's files are not there."""
    key_id = asyncio.run(_fill(ready))

    def complete() -> tuple[list[str], ...]:
        return (
            completed(run, monkeypatch, "relay", "api-key", "revoke", "--config", str(ready), ""),
            completed(run, monkeypatch, "relay", "api-key", "revoke", "--config", str(ready), "zz"),
            completed(run, monkeypatch, "relay", "binding", "remove", "--config", str(ready), "co"),
            completed(run, monkeypatch, "relay", "revoke", "--config", str(ready.parent / "none.toml"), ""),
        )

    assert complete() == ([key_id], [], ["corp.example.com"], [])


def test_no_shell_obeys_what_is_completed(run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of users are typed by strangers."""

    async def locks(_self: Administrator) -> list[LockoutView]:
        users = ("anna@corp", "$(reboot)", "a b", "x;id", "`id`", "corp\\anna", "y\x1b[2J")
        return [LockoutView(user=user, familiar=False, until=time.time(), locks=1, failures=3) for user in users]

    monkeypatch.setattr(Administrator, "locks", locks)
    offered = completed(run, monkeypatch, "relay", "unlock", "--config", str(ready), "")
    assert offered == ["anna@corp"]
