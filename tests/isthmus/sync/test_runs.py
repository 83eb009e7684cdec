"""check, plan, apply and run: what they do, and how they refuse."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from isthmus.sync_process import holder
from sync.model import AccountOperation, Confirmation, WriteOutcome
from sync.state import open_state
from sync.target import Accounts
from sync.target.scim import ScimTarget
from tests.isthmus.sync.conftest import Stand

RULE = """\
default_rules = true
without = ["out-user"]
[[outbound]]
id = "mine"
name = "Mine"
kind = "user"
precedence = 50
link = "provision"
"""


def accounts(stand: Stand) -> int:
    """Confirmed ones at the target."""
    number: int = stand.json("status")["targets"][0]["accounts"]
    return number


def test_a_plan_is_made_looked_at_and_applied(stand: Stand) -> None:
    """The plan writes nothing to the target; apply does it; the next plan has nothing to do."""
    plan, page = stand.folder / "first.plan", stand.folder / "first.html"
    code, out, err = stand.run("plan", plan, "--page", page)
    assert code == 0, err
    assert "anna@example.com" in out
    assert f"Then: isthmus sync apply {plan}" in out
    assert "anna@example.com" in page.read_text()
    for file in (plan, page):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert accounts(stand) == 0
    code, out, err = stand.run("apply", plan)
    assert (code, out.splitlines()[0]) == (0, "2 operations confirmed."), err
    assert accounts(stand) == 2
    code, out, _ = stand.run("plan", plan)
    assert code == 0
    assert "There is nothing to apply." in out


def test_a_plan_is_refused_once_an_object_has_changed(stand: Stand) -> None:
    """The source is read again before anything is written; what differs is named, and nothing was written."""
    plan = stand.folder / "first.plan"
    stand.run("plan", plan)
    stand.put(anna="Anna Meier")
    code, out, err = stand.run("apply", plan)
    assert (code, out) == (1, "")
    assert "the world has moved" in err
    assert "anna@example.com" in err
    assert accounts(stand) == 0
    assert stand.json("history")[0]["outcome"] == "failed"


def test_a_plan_is_applied_once(stand: Stand) -> None:
    """The second time, nothing of it would be the same."""
    plan = stand.folder / "first.plan"
    stand.run("plan", plan)
    assert stand.run("apply", plan)[0] == 0
    code, _, err = stand.run("apply", plan)
    assert code == 1
    assert "make a new plan" in err


def test_a_damaged_plan_is_refused(stand: Stand) -> None:
    """Somebody has edited it."""
    plan = stand.folder / "first.plan"
    stand.run("plan", plan)
    plan.write_bytes(plan.read_bytes().replace(b"Anna Berg", b"Anna Boss"))
    code, _, err = stand.run("apply", plan)
    assert code == 1
    assert "nothing was written to a target: make a new plan" in err
    assert accounts(stand) == 0


def test_a_plan_by_other_rules_shows_what_they_would_do_and_cannot_be_applied(stand: Stand) -> None:
    """Afterwards the state is as it was: a run by the rules in force has nothing to do."""
    assert stand.run("run")[0] == 0
    new = stand.folder / "new.toml"
    new.write_text(
        f"{RULE}"
        'match = ["userPrincipalName"]\nflows = [\n{ to = "userPrincipalName", compute = "user_principal_name" },\n'
        "{ to = \"displayName\", expression = 'UCase([displayName])' },\n]\n"
    )
    plan = stand.folder / "what-if.plan"
    code, out, err = stand.run("plan", plan, "--rules", new)
    assert code == 0, err
    assert "displayName" in out
    assert "cannot be applied" in out
    state = open_state(stand.state)
    assert not list(state.marks.affected_persons())
    state.close()
    code, _, err = stand.run("apply", plan)
    assert code == 1
    assert "made with other rules" in err
    report = stand.json("run")
    assert report["written"] == {"confirmed": 0, "refused": 0, "later": 0, "unknown": 0}
    stand.config.write_text(f'rules_file = "{new}"\n{stand.config.read_text()}')
    assert stand.json("run")["written"]["confirmed"] == 2


def test_a_run_writes_and_the_next_one_has_nothing_to_do(stand: Stand) -> None:
    """What came of it is told, and kept in the history."""
    code, out, err = stand.run("run")
    assert code == 0, err
    assert "staff: read in full, 2 objects, 2 of them changed" in out
    assert "2 operations confirmed." in out
    report = stand.json("run")
    assert report["plans"][0]["operations"] == {}
    stand.put(anna="", bert="Bert D.")
    assert stand.json("run")["written"]["confirmed"] == 2
    kinds = [(row["kind"], row["outcome"]) for row in stand.json("history")]
    assert {outcome for _, outcome in kinds} == {"done"}
    assert ("comparison", "done") in kinds


def test_staging_writes_nothing_to_the_target(stand: Stand) -> None:
    """It shows the plan, and keeps it."""
    code, out, err = stand.run("run", "--staging")
    assert code == 0, err
    assert "because of --staging" in out
    assert "bert@example.com" in out
    assert accounts(stand) == 0
    assert len(list((stand.folder / "state" / "plans").glob("staging-*.plan"))) == 1


def test_a_stopped_run_shows_why_and_what_to_do(stand: Stand) -> None:
    """Nothing is written; the plan alone is refused for the same reason."""
    stand.set("[guard]\ndisables = 1\n")
    stand.run("run")
    stand.put(anna="", bert="", carl="Carl")
    before = accounts(stand)
    code, out, _ = stand.run("run")
    assert code == 1
    assert "2 accounts to be disabled; permitted are 1" in out
    assert "anna@example.com" in out  # the source does not have her any more
    assert "[guard]" in out
    assert accounts(stand) == before
    plan = stand.folder / "stopped.plan"
    code, out, _ = stand.run("plan", plan)
    assert code == 1
    assert "nothing was written to a target" in out
    code, _, err = stand.run("apply", plan)
    assert code == 1
    assert "the guard has stopped the plan" in err


@pytest.mark.parametrize("command", [["plan", "x.plan"], ["run"], ["run", "--staging"]])
def test_an_unread_source_is_named_with_its_reason(stand: Stand, command: list[str]) -> None:
    """Nothing is planned on half of a file."""
    stand.run("run")
    (stand.folder / "staff.csv").write_text("number,account\n1,anna\n")
    code, _, err = stand.run(*command)
    assert code == 1
    assert "not read to the end: staff; nothing was planned" in err
    assert "upn" in err
    assert "NO" in stand.run("status")[1]


def test_a_target_that_is_not_there_has_an_exit_code_of_its_own(stand: Stand) -> None:
    """Nothing is read or written."""
    text = stand.config.read_text()
    stand.config.write_text(text.replace('url = "http://127.0.0.1:', 'url = "http://127.0.0.1:1/x'))
    code, _, err = stand.run("run")
    assert code == 3
    assert "target app" in err
    assert "nothing was written to any target" in err


def test_two_do_not_work_with_one_state(stand: Stand) -> None:
    """The second one is told who the first one is."""
    stand.run("run")
    state = open_state(stand.state)
    try:
        state.take_lease(holder("run"), 4e9, 300)
        code, _, err = stand.run("run")
        assert code == 1
        assert f"{holder('run')} works with this state" in err
        assert f"{holder('run')} works with the state now" in stand.run("status")[1]
        state.renew_lease(4e9, 300)  # status has taken nothing from it
    finally:
        state.release_lease()
        state.close()
    assert "Nobody works with the state now." in stand.run("status")[1]
    assert stand.run("run")[0] == 0


def test_check_finds_everything_in_order_and_changes_nothing(stand: Stand) -> None:
    """A line for the state, the rules, the file and the service."""
    code, out, err = stand.run("check")
    assert code == 0, out + err
    for line in ("state", "rules", "staff: file", "app: "):
        assert line in out
    assert not stand.state.exists()


def test_check_names_what_is_wrong_and_goes_on(stand: Stand) -> None:
    """Rules that name another target, a column that is not there, a token that is refused: all in one go."""
    (stand.folder / "rules.toml").write_text(
        f"{RULE}"
        'targets = ["other"]\nmatch = ["userPrincipalName"]\n'
        'flows = [{ to = "userPrincipalName", compute = "user_principal_name" }]\n'
    )
    token = stand.folder / "token"
    token.write_text("wrong-token-value")
    token.chmod(0o600)
    lines = stand.config.read_text().splitlines()
    text = "\n".join(f'token_file = "{token}"' if line.startswith("token_file") else line for line in lines)
    stand.config.write_text(f'rules_file = "rules.toml"\n{text}\n')
    (stand.folder / "staff.csv").write_text("number,account\n1,anna\n")
    code, out, err = stand.run("check")
    assert code == 1
    assert "mine names the target other, which the settings do not have" in out
    assert "FAIL" in out
    assert "upn" in out
    assert "wrong-token-value" not in out + err
    assert stand.run("run")[0] == 1
    assert "wrong-token-value" not in "".join(map(str, stand.run("run")))


def test_check_stops_at_rules_that_cannot_be_read(stand: Stand) -> None:
    """Sources depend on them; the target does not."""
    (stand.folder / "rules.toml").write_text("[[inbound]]\n")
    stand.config.write_text(f'rules_file = "rules.toml"\n{stand.config.read_text()}')
    found = {finding["name"]: finding["status"] for finding in stand.json("check")}
    assert found["rules"] == "fail"
    assert not any(name.startswith("staff") for name in found)
    assert any(name.startswith("app") for name in found)
    code, _, err = stand.run("run")
    assert code == 1
    assert "the rules cannot be used; nothing was read or written" in err
    assert not stand.state.exists()


def test_a_state_directory_that_is_open_to_others_is_refused(stand: Stand) -> None:
    """It holds what directories say of people."""
    (stand.folder / "state").mkdir(mode=0o755)
    (stand.folder / "state").chmod(0o755)
    code, _, err = stand.run("run")
    assert code == 1
    assert "chmod 700" in err
    assert "FAIL" in stand.run("check")[1]


@pytest.mark.parametrize("command", ["run", "apply"])
def test_what_a_target_refuses_has_an_exit_code_and_a_next_step(
    stand: Stand, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has to look; the rest was done."""

    async def refuse(target: ScimTarget, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        if operation.set.get("displayName") == "Anna Berg":
            return Confirmation(WriteOutcome.REFUSED, cause="Refused403", detail="not this one")
        return await write(target, operation, accounts)

    write = ScimTarget.apply
    monkeypatch.setattr(ScimTarget, "apply", refuse)
    plan = stand.folder / "first.plan"
    stand.run("plan", plan)
    code, out, _ = stand.run(command, *([plan] if command == "apply" else []))
    assert code == 1
    assert "1 operation confirmed." in out
    assert "1 refused. Which, why, and what to do: isthmus sync errors" in out
    assert "anna@example.com" in stand.run("errors")[1]


def test_old_plans_of_runs_go(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The youngest stay."""
    monkeypatch.setattr("isthmus.sync_process._PLANS_KEPT", 1)
    for _ in range(3):
        assert stand.run("run")[0] == 0
    assert len(list(Path(stand.folder / "state" / "plans").glob("*.plan"))) <= 2
