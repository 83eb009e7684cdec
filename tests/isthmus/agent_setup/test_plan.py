"""The steps of an agent's setup on a machine in memory: killed anywhere and started again, it ends the same way."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import pytest

from gateway.agent import RelayVerdict
from isthmus.agent_settings import AgentSettings
from isthmus.agent_setup import AgentChecked, plan_steps
from isthmus.setup import AnswersMissing, FileAccess, NotAgreed, StepFailed, StepReport, carry_out, survey
from settings import load_settings
from tests.fakes.machine import UID, FakeMachine, Killed
from tests.isthmus.agent_setup.setting import (
    CONFIG,
    IDENTITY,
    PASSWORD,
    REVOKED,
    ROOT_SHOWN,
    STATE,
    FakeRelay,
    options,
    prepared,
    surroundings,
)

SECRET = Path("/etc/isthmus/service.password")
CA_FILE = Path("/etc/isthmus/domain-ca.pem")
UNIT = Path("/etc/systemd/system/isthmus-agent.service")


@pytest.fixture
def relay(tmp_path: Path) -> FakeRelay:
    return FakeRelay(tmp_path)


def set_up(
    relay: FakeRelay, machine: FakeMachine, given: dict[str, str], *, agrees: bool = False
) -> tuple[list[StepReport], AgentChecked]:
    """The whole command, but for its words."""
    around = surroundings(identity=relay.identity_on(machine))
    found = prepared(machine, around, given)
    steps, checked = plan_steps(found, systemd=machine.systemd)
    reports = carry_out(steps, machine, tell=lambda _: None, agree=lambda title, difference: agrees)
    return reports, checked


def test_a_bare_machine_becomes_an_agent(relay: FakeRelay, tmp_path: Path) -> None:
    """User, directories, CA, password, settings, enrolment, check, unit, service; the agent itself takes the settings."""
    machine = relay.machine()
    reports, _ = set_up(relay, machine, options(relay.token()))
    assert [report.result for report in reports] == ["done"] * len(reports)
    assert machine.files[STATE].access == FileAccess(UID, UID, 0o700)
    assert machine.files[CONFIG].access == FileAccess(0, UID, 0o640)
    assert (machine.files[SECRET].content, machine.files[SECRET].access) == (
        f"{PASSWORD}\n".encode(),
        FileAccess(0, UID, 0o640),
    )
    assert machine.files[CA_FILE].content == ROOT_SHOWN.pem
    assert machine.enabled == {"isthmus-agent"}
    assert PASSWORD not in machine.files[CONFIG].content.decode()
    (tmp_path / "agent.toml").write_bytes(machine.files[CONFIG].content)
    (directory,) = load_settings(tmp_path / "agent.toml", AgentSettings).directories
    assert (directory.name, directory.base_dn, directory.netbios_name) == (
        "corp.example.com",
        "DC=corp,DC=example,DC=com",
        "CORP",
    )
    assert (directory.domain, directory.servers, directory.tls.ca_file) == ("corp.example.com", (), CA_FILE)
    assert directory.service_password_file == SECRET


def test_a_second_run_changes_nothing_but_checks_again(relay: FakeRelay) -> None:
    """With the options of the first one, its token included; and with none but those that are not kept."""
    machine, given = relay.machine(), options(relay.token())
    set_up(relay, machine, given)
    state = machine.state()
    del given["accept_fingerprints"]
    for again in (given, {}):
        reports, _ = set_up(relay, machine, again)
        assert [report.title for report in reports if report.result == "done"] == ["check"]
        assert machine.state() == state


@pytest.mark.parametrize("systemd", [True, False])
def test_killed_at_each_change_and_started_again_it_ends_the_same_way(relay: FakeRelay, systemd: bool) -> None:
    """Before the change and after it, wherever it is; the token is spent once."""
    whole = relay.machine(systemd=systemd)
    set_up(relay, whole, options(relay.token()))
    for number, after in itertools.product(range(1, whole.changes + 1), (False, True)):
        machine, given = relay.machine(systemd=systemd, kill_at=number, kill_after=after), options(relay.token())
        with pytest.raises(Killed):
            set_up(relay, machine, given)
        set_up(relay, machine, given)
        assert without_identity(machine) == without_identity(whole), (number, after)
        assert IDENTITY in machine.files


def without_identity(machine: FakeMachine) -> object:
    """Every enrolment makes a key of its own."""
    files = {path: (entry.access, entry.content) for path, entry in machine.files.items() if path != IDENTITY}
    return files, machine.users, machine.enabled, set(machine.started)


def test_without_systemd_nothing_is_started(relay: FakeRelay) -> None:
    """Neither a unit nor a service is made."""
    machine = relay.machine(systemd=False)
    set_up(relay, machine, options(relay.token()))
    assert UNIT not in machine.files


def test_a_survey_changes_nothing(relay: FakeRelay) -> None:
    """Nor does what is found out before: no token is spent."""
    machine = relay.machine()
    steps, _ = plan_steps(prepared(machine, surroundings(), options(relay.token())), systemd=True)
    assert [found.done for _, found in survey(steps, machine)] == [False] * len(steps)
    assert (machine.changes, relay.spent) == (0, set())


def test_what_an_administrator_wrote_into_the_settings_stays(relay: FakeRelay) -> None:
    """What setup decides itself is changed there if somebody agrees."""
    machine, given = relay.machine(), options(relay.token())
    set_up(relay, machine, given)
    mine = "# mine\n" + machine.files[CONFIG].content.decode().replace('# kind = "ad"', 'login_attributes = ["mail"]')
    access = machine.files[CONFIG].access
    machine.put(str(CONFIG), mine, access.mode, access.uid, access.gid)
    reports, _ = set_up(relay, machine, given)
    assert "done" not in {report.result for report in reports if report.title == str(CONFIG)}
    assert machine.files[CONFIG].content.decode() == mine
    wrong = mine.replace('netbios_name = "CORP"', 'netbios_name = "CROP"')
    machine.put(str(CONFIG), wrong, access.mode, access.uid, access.gid)
    with pytest.raises(NotAgreed, match=r"agent\.toml"):
        set_up(relay, machine, given)
    set_up(relay, machine, given, agrees=True)
    assert machine.files[CONFIG].content.decode() == mine
    assert tomllib.loads(mine)["directories"][0]["login_attributes"] == ["mail"]


def test_files_that_an_administrator_has_put_elsewhere_stay_there(relay: FakeRelay) -> None:
    """The authorities' and the password's: neither copied nor given another owner."""
    machine, given = relay.machine(), options(relay.token())
    machine.put("/etc/ssl/relay.pem", "relay's", 0o444)
    set_up(relay, machine, {**given, "relay_ca_file": "/etc/ssl/relay.pem"})
    text = machine.files[CONFIG].content.decode()
    access = machine.files[CONFIG].access
    for name, mode in (("domain-ca.pem", 0o444), ("relay-ca.pem", 0o444)):
        machine.put(f"/etc/ssl/{name}", machine.files[Path(f"/etc/isthmus/{name}")].content, mode)
        text = text.replace(f"/etc/isthmus/{name}", f"/etc/ssl/{name}")
    machine.put(str(CONFIG), text, access.mode, access.uid, access.gid)
    del given["accept_fingerprints"]
    set_up(relay, machine, given)
    assert machine.files[CONFIG].content.decode() == text
    assert machine.files[Path("/etc/ssl/domain-ca.pem")].access.mode == 0o444


def test_another_name_is_another_enrolment(relay: FakeRelay) -> None:
    """A token for it makes the machine that agent."""
    machine, first = relay.machine(), options(relay.token())
    set_up(relay, machine, first)
    set_up(relay, machine, options(relay.token("dc2-agent")))
    found = relay.identity_on(machine)
    assert found is not None
    assert found.name == "dc2-agent"


def test_an_agent_that_the_relay_no_longer_takes_is_enrolled_again(relay: FakeRelay) -> None:
    """Under its old name, although its certificate is good by itself."""
    machine = relay.machine()
    set_up(relay, machine, options(relay.token()))
    before = relay.identity_on(machine)
    assert before is not None
    around = surroundings(identity=before, verdict=RelayVerdict(False, code=REVOKED))
    steps, _ = plan_steps(prepared(machine, around, options(relay.token())), systemd=True)
    carry_out(steps, machine, tell=lambda _: None, agree=lambda title, difference: False)
    after = relay.identity_on(machine)
    assert after is not None
    assert (after.name, after.serial == before.serial) == ("dc1-agent", False)


def test_another_user_is_kept_from_the_first_setup(relay: FakeRelay) -> None:
    """By whose the state directory is."""
    machine = relay.machine()
    set_up(relay, machine, {**options(relay.token()), "user": "other"})
    state = machine.state()
    set_up(relay, machine, {})
    assert machine.state() == state


def test_a_password_is_of_one_account(relay: FakeRelay) -> None:
    """For another account it is asked for; a copy of systemd's is no place to write one."""
    machine = relay.machine()
    set_up(relay, machine, options(relay.token()))
    with pytest.raises(AnswersMissing, match="--service-password-file"):
        set_up(relay, machine, {"service_user": "svc-2"})
    access = machine.files[CONFIG].access
    credential = "/run/credentials/isthmus-agent.service/service.password"
    text = machine.files[CONFIG].content.decode()
    machine.put(str(CONFIG), text.replace(str(SECRET), credential), access.mode, access.uid, access.gid)
    set_up(relay, machine, {}, agrees=True)
    assert machine.files[CONFIG].content.decode() == text
    assert Path(credential) not in machine.files


def test_a_check_that_fails_keeps_the_agent_from_being_started(relay: FakeRelay) -> None:
    """Its lines are told; what it warns of does not stop anything."""
    machine = relay.machine()
    bad = {"name": "corp DC: rights", "status": "fail", "seen": "it finds no users", "remedy": "Let it read."}
    relay.checks.append(bad)
    given = options(relay.token())
    with pytest.raises(StepFailed, match="it finds no users"):
        set_up(relay, machine, given)
    assert machine.enabled == set()
    relay.checks[-1] = {**bad, "status": "warn"}
    _, checked = set_up(relay, machine, given)
    assert checked.warnings == ["corp DC: rights: it finds no users → Let it read."]
    assert machine.enabled == {"isthmus-agent"}


def test_a_spent_token_says_what_to_do(relay: FakeRelay) -> None:
    """As the relay says it; the token is in no message."""
    machine, token = relay.machine(), relay.token()
    relay.spent.add(token.id)
    with pytest.raises(StepFailed, match="the token is used") as raised:
        set_up(relay, machine, options(token))
    assert token.text not in str(raised.value)
