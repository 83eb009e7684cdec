"""The command: help, exit codes, JSON, what is imported; and administration with and without a running relay."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import structlog

from demo.stand import free_port
from gateway import app
from gateway.administrator import Administrator
from gateway.agent import EnrolmentFailed
from gateway.protocol import AccountId, Outcome
from gateway.relay.administration.control import SOCKET_NAME, bind_control_socket
from gateway.relay.credentials.admission import AdmissionRequest, Admitted
from gateway.store import AuditEvent
from isthmus import cli
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, counted
from isthmus.cli.tables import table
from isthmus.relay_settings import RelaySettings
from settings import load_settings
from tests.isthmus.conftest import Run

NOTHING = "0 sessions, 0 grants of applications, 0 consents"


def commands(group: click.Group, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def test_every_command_has_help_json_and_an_example() -> None:
    """Completion prints a script, which has no JSON."""
    for path, command in commands(cli.cli):
        assert command.help, path
        if path[0] == "completion":
            continue
        assert any("--json" in option.opts for option in command.params), path
        assert ":\n" in command.help, f"{path} has no example"
        assert all(option.help for option in command.params if isinstance(option, click.Option)), path


def groups(group: click.Group, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every group, the program itself among them."""
    yield prefix
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from groups(command, (*prefix, name))


def test_help_fits_80_columns(run: Run) -> None:
    """Of every command and group; their examples too, which click does not wrap."""
    helped = [path for path, _ in commands(cli.cli)] + list(groups(cli.cli))
    wide = {(path, line) for path in helped for line in run(*path, "--help")[1].splitlines() if len(line) > 80}
    assert wide == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(run: Run, shell: str) -> None:
    """For each of the three shells."""
    code, out, _ = run("completion", shell)
    assert code == 0
    assert "_ISTHMUS_COMPLETE" in out


def test_completion_completes() -> None:
    """What the shell's script asks for."""
    done = subprocess.run(
        [sys.executable, "-m", "isthmus"],
        env={
            "_ISTHMUS_COMPLETE": "bash_complete",
            "COMP_WORDS": "isthmus relay un",
            "COMP_CWORD": "2",
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.strip() == "plain,unlock"


def test_version_loads_no_package() -> None:
    """So that it answers at once."""
    slow = {"gateway", "directory", "certs", "aiohttp", "cryptography", "sqlalchemy", "saml2", "lxml", "joserfc"}
    assert loaded("isthmus.cli") & slow == set()


def test_the_agent_loads_nothing_of_the_relay() -> None:
    """Nor what only the relay needs: memory, and another trust zone."""
    modules = loaded("isthmus.cli.agent, isthmus.agent_process, isthmus.check")
    assert modules & {"sqlalchemy", "alembic", "jinja2", "gateway.relay", "gateway.signin", "gateway.store"} == set()


def loaded(names: str) -> set[str]:
    program = f"import sys, {names}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_wrong_usage_is_2(run: Run) -> None:
    """As everywhere."""
    assert run("relay", "token")[0] == 2
    assert run("no-such-command")[0] == 2


def test_a_failure_is_one_line_without_a_traceback(run: Run, tmp_path: Path) -> None:
    """On standard error, exit code 1."""
    code, out, err = run("relay", "agents", "--config", tmp_path / "none.toml")
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert "Traceback" not in err


def test_a_failure_is_json_where_json_was_asked_for(run: Run, tmp_path: Path) -> None:
    """On standard error, so that standard output holds results only."""
    code, out, err = run("relay", "agents", "--json", "--config", tmp_path / "none.toml")
    assert (code, out) == (1, "")
    assert json.loads(err)["exit_code"] == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    """For those who look for a mistake of ours."""
    with pytest.raises(Failure):
        cli.main(["--debug", "relay", "agents", "--config", str(tmp_path / "none.toml")])


# -- settings


def test_config_check_accepts_its_own_example(run: Run, tmp_path: Path) -> None:
    """And tells a relay's file from an agent's by itself."""
    for kind in ("relay", "agent"):
        path = tmp_path / f"{kind}.toml"
        path.write_text(run("config", "example", kind)[1])
        assert json.loads(run("config", "check", path, "--file-only", "--json")[1])["kind"] == kind
        assert f"valid settings for isthmus {kind}" in run("config", "check", "--file-only", path)[1]


def test_config_check_knows_a_trust_by_its_protocol(run: Run, tmp_path: Path) -> None:
    """Whoever keeps trust files under configuration management checks them on another machine, without a relay."""
    path = tmp_path / "wiki.toml"
    path.write_text(
        'id = "wiki"\nname = "Wiki"\nprotocol = "saml"\n[saml]\nentity_id = "https://wiki.example.com"\nacs = "x"\n'
    )
    code, _, err = run("config", "check", path)
    assert (code, "saml.acs (line 6): no such setting" in err) == (1, True)
    path.write_text(path.read_text().replace('acs = "x"', '[[saml.consumers]]\nurl = "https://wiki.example.com/acs"'))
    assert f"{path}: valid settings of a trust" in run("config", "check", path)[1]


def test_config_check_warns_while_the_page_has_no_name(run: Run, tmp_path: Path) -> None:
    """It works, so the file is good; but people check that name before they type a password."""
    path = tmp_path / "relay.toml"
    text = run("config", "example", "relay")[1]
    for name, warnings in (("Isthmus", 1), ("Example University", 0)):
        path.write_text(text.replace('# organisation = "Isthmus"', f'organisation = "{name}"'))
        code, told, _ = run("config", "check", path, "--file-only", "--json")
        assert (code, len(json.loads(told)["warnings"])) == (0, warnings)
        said = run("config", "check", path, "--file-only")
        assert ("Warning: the sign-in page calls your organisation Isthmus" in "".join(map(str, said))) is bool(warnings)


def test_config_example_in_json(run: Run) -> None:
    """The text in an envelope."""
    assert json.loads(run("config", "example", "agent", "--json")[1])["kind"] == "agent"


def test_config_check_names_every_error(run: Run, tmp_path: Path) -> None:
    """Exit code 1; key and line in the JSON."""
    path = tmp_path / "relay.toml"
    path.write_text("[server]\nlisten = 1\nlissten = 2\n")
    code, out, _ = run("config", "check", path, "--json")
    found = {problem["key"]: problem["line"] for problem in json.loads(out)["problems"]}
    assert code == 1
    assert found == {"server.listen": 2, "server.lissten": 3, "server.state_dir": 1, "server.public_url": 1}
    code, _, err = run("config", "check", path)
    assert code == 1
    assert "server.lissten (line 3): no such setting; did you mean listen?" in err


def test_config_check_names_what_a_relay_would_refuse_at_its_start(run: Run, tmp_path: Path) -> None:
    """Each setting is of its kind, and all the same the relay would not start with them."""
    path = tmp_path / "relay.toml"
    path.write_text('[server]\nstate_dir = "state"\npublic_url = "http://signin.example.com"\n')
    code, _, err = run("config", "check", path)
    assert code == 1
    assert "server.public_url (line 3): 'http://signin.example.com' is not encrypted" in err
    problems = json.loads(run("config", "check", path, "--json")[1])["problems"]
    assert [(problem["key"], problem["line"]) for problem in problems] == [("server.public_url", 3)]


@pytest.mark.parametrize(
    ("lines", "key", "words"),
    [
        ("", "servers", "is empty, and so is `domain`"),
        ('domain = "corp.example.com"', "tls.ca_file", "the certificates of public CAs are not trusted"),
        ('servers = ["ldap://dc1"]', "servers", "unencrypted"),
        ('servers = ["dc1"]\nuser_filter = "(&(mail=*)"', "user_filter", "is not an LDAP filter"),
    ],
)
def test_config_check_names_what_an_agent_would_refuse_at_its_start(
    run: Run, tmp_path: Path, lines: str, key: str, words: str
) -> None:
    """In which directory, too."""
    path = tmp_path / "agent.toml"
    good = 'state_dir = "state"\n[[directories]]\nname = "a"\nbase_dn = "DC=a"\nservers = ["dc1.a"]\n'
    path.write_text(good)
    assert run("config", "check", "--file-only", path)[0] == 0
    path.write_text(f'{good}[[directories]]\nname = "b"\nbase_dn = "DC=b"\n{lines}\n')
    code, _, err = run("config", "check", path)
    assert (code, f"directories[1].{key} (line " in err, words in err) == (1, True, True)


def test_config_check_of_a_file_that_is_no_settings_file(run: Run, tmp_path: Path) -> None:
    """It is said, whatever it is."""
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff")
    assert run("config", "check", path)[0] == 1
    assert run("config", "check", tmp_path / "none.toml")[0] == 1


# -- the relay's administration, where no relay runs


def test_init_is_done_once(run: Run, ready: Path) -> None:
    """A second time would break the trust of every agent, so it is refused."""
    code, _, err = run("relay", "init", "--config", ready)
    assert code == 1
    assert "Error: " in err


def test_administration_before_init_says_what_to_do(run: Run, relay_config: Path) -> None:
    """Run init first."""
    code, _, err = run("relay", "agents", "--config", relay_config)
    assert code == 1
    assert "isthmus relay init" in err


def test_a_token_is_printed_alone(run: Run, ready: Path) -> None:
    """Standard output can be piped. What it is for goes to standard error, where no command line has the token in it."""
    code, out, err = run("relay", "token", "--config", ready, "--name", "dc1-agent", "--domain", "corp.example.com")
    assert code == 0
    assert (out.startswith("isth1."), len(out.split())) == (True, 1)
    assert "On dc1-agent, run `isthmus agent enrol --token-file -`" in err
    assert "isth1." not in err


def test_a_token_says_which_domains_it_is_for(run: Run, ready: Path) -> None:
    """Or that it is for any: neither is assumed. What is no domain is refused."""
    token = ("relay", "token", "--config", ready, "--name", "dc1")
    for wrong in ((), ("--any-domain", "--domain", "corp")):
        code, _, err = run(*token, *wrong)
        assert (code, "--any-domain trusts the agent with the sign-ins of all users" in err) == (2, True)
    for no_domain in ("", " ", "anna@corp.example.com", "CORP\\anna", "*.example.com", "corp, emea", "https://corp"):
        code, _, err = run(*token, "--domain", no_domain)
        assert (code, "is not a domain" in err) == (1, True), no_domain
    assert run(*token, "--domain", "*", "--domain", " CORP ", "--domain", "Corp.Example.COM.")[0] == 0
    assert run(*token, "--any-domain")[0] == 0
    entries = json.loads(run("relay", "audit", "list", "--config", ready, "--json")[1])
    assert [entry["detail"]["detail"] for entry in entries] == ["any domain", "* corp corp.example.com"]


def test_an_api_key_is_made_with_its_limits(run: Run, ready: Path) -> None:
    """And listed with them; by default it checks, from anywhere, 600 a minute."""
    create = ("relay", "api-key", "create", "--config", ready, "--name")
    limits = ("--scope", "change", "--scope", "check", "--from", "192.0.2.7", "--from", "2001:db8::/32", "--rate", "30")
    view = json.loads(run(*create, "portal", *limits, "--json")[1])
    assert (view["scopes"], view["networks"], view["rate"]) == (
        ["check", "change"], ["192.0.2.7/32", "2001:db8::/32"], 30,
    )  # fmt: skip
    assert run(*create, "plain")[0] == 0
    views = json.loads(run("relay", "api-key", "list", "--config", ready, "--json")[1])
    assert {(view["name"], *view["scopes"], *view["networks"], view["rate"]) for view in views} == {
        ("portal", "check", "change", "192.0.2.7/32", "2001:db8::/32", 30),
        ("plain", "check", 600),
    }
    assert "anywhere" in run("relay", "api-key", "list", "--config", ready)[1]
    for wrong in (("--scope", "admin"), ("--rate", "0"), ("--rate", "many")):
        assert run(*create, "x", *wrong)[0] == 2
    code, _, err = run(*create, " ")
    assert (code, "needs a name" in err) == (1, True)
    code, _, err = run(*create, "x", "--from", "192.0.2.7/24")
    assert (code, "give 192.0.2.0/24 for all of it" in err) == (1, True)


def test_bindings_are_listed_set_and_removed(run: Run, ready: Path) -> None:
    """A GUID in any notation is kept as answers have it."""
    guid = "9f2c1b7e-0d3a-4c58-8e61-2b7d5a90c4f3"
    where = ("--config", ready)
    assert "No domain is bound yet" in run("relay", "binding", "list", *where)[1]
    code, out, _ = run("relay", "binding", "set", "CORP", "{" + guid.upper() + "}", *where)
    assert (code, out) == (0, f"corp is bound to {guid}; 0 sessions and 0 grants of applications ended.\n")
    assert run("relay", "binding", "set", "corp", "DC=Example, DC=com", *where)[1].startswith(
        "corp is bound to dc=example,dc=com;"
    )
    assert "dc=example,dc=com" in run("relay", "binding", "list", *where)[1]
    (view,) = json.loads(run("relay", "binding", "list", *where, "--json")[1])
    assert (view["domain"], view["bound_by"].startswith("admin:")) == ("corp", True)
    assert run("relay", "binding", "set", "two words", guid, *where)[0] == 1
    for no_directory in ("", " ", "corp.example.com", guid[:-1], "CORP"):
        code, _, err = run("relay", "binding", "set", "corp", no_directory, *where)
        assert (code, "expected a GUID" in err) == (2, True), no_directory
    assert run("relay", "binding", "remove", "corp", *where)[:2] == (
        0,
        "corp is no longer bound; 0 sessions and 0 grants of applications ended.\n",
    )
    code, out, _ = run("relay", "binding", "remove", "corp", *where)
    assert (code, "isthmus relay binding list" in out) == (1, True)
    assert json.loads(run("relay", "binding", "remove", "corp", *where, "--json")[1])["before"] is None


def test_a_name_that_no_machine_may_bear_is_refused(run: Run, ready: Path) -> None:
    """In one clear message."""
    code, _, err = run("relay", "token", "--config", ready, "--name", "../etc", "--domain", "corp.example.com")
    assert code == 1
    assert "Traceback" not in err


def test_an_agent_that_nobody_knows_cannot_be_revoked(run: Run, ready: Path) -> None:
    """The message says how to find the right name."""
    code, _, err = run("relay", "revoke", "nobody", "--config", ready)
    assert code == 1
    assert "isthmus relay agents" in err


def test_unlock_and_locks_work_without_a_relay(run: Run, ready: Path) -> None:
    """What smart lockout counted is in the store."""
    code, out, _ = run("relay", "unlock", "anna@corp", "--config", ready)
    assert code == 0
    assert out.startswith("Nothing was counted against anna@corp here. Who is locked: isthmus relay locks.")
    assert run("relay", "unlock", " ", "--config", ready)[0] == 2
    told = json.loads(run("relay", "unlock", "anna@corp", "--config", ready, "--json")[1])
    assert told == {"user": "anna@corp", "was_counted": False, "relay_running": False}
    assert run("relay", "locks", "--config", ready)[:2] == (
        0,
        "No user is locked by smart lockout (AD's own locks are not listed).\n",
    )
    assert json.loads(run("relay", "locks", "--config", ready, "--json")[1]) == []


def test_what_is_kept_of_a_person_is_a_file_of_its_own(run: Run, ready: Path, tmp_path: Path) -> None:
    """For its caller's eyes, and never in the place of another one."""
    sign_in(ready)
    output = tmp_path / "anna.json"
    told = run("relay", "person", "export", "anna@corp", "--output", output, "--config", ready)
    assert told[:2] == (0, f"{output}: {NOTHING}, 2 entries of the audit trail.\n")
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert json.loads(output.read_text())["object_guid"] == "3f1c"
    code, _, err = run("relay", "person", "export", "anna@corp", "--output", output, "--config", ready)
    assert (code, "exists already" in err) == (1, True)
    code, out, _ = run("relay", "person", "export", "anna@corp", "--config", ready)
    assert (code, len(json.loads(out)["entries"])) == (0, 3)  # the first export is one


def test_a_person_is_removed_only_when_somebody_says_so(run: Run, ready: Path) -> None:
    """Nobody is asked where nobody is; one whom the trail does not know is an error that says what to give."""
    code, out, err = run("relay", "person", "pseudonymise", "anna@corp", "--config", ready)
    assert (code, out) == (1, "")
    assert "nothing was changed" in err
    assert "--yes" in err
    code, out, err = run("relay", "person", "pseudonymise", "anna@corp", "--config", ready, "--yes")
    assert (code, out) == (1, "")
    assert "the audit trail says nothing of an account 'anna@corp'" in err
    sign_in(ready)
    told = run("relay", "person", "pseudonymise", "anna@corp", "--config", ready, "--yes")
    assert told[:2] == (0, f"Removed: {NOTHING}, and what 2 entries of the audit trail said of the person.\n")
    assert "anna" not in run("relay", "audit", "list", "--config", ready, "--json")[1]
    sign_in(ready)
    told = run("relay", "person", "pseudonymise", "anna@corp", "--config", ready, "--yes", "--json")
    assert json.loads(told[1]) == {"sessions": 0, "grants": 0, "consents": 0, "departures": [], "entries": 2}
    code, out, _ = run("relay", "audit", "verify", "--config", ready)
    assert code == 0
    assert "none changed; personal data was removed from 4 of them; the newest ends" in out


def sign_in(ready: Path) -> None:
    """Somebody has signed in, and failed before."""
    settings = load_settings(ready, RelaySettings).server

    async def work() -> None:
        store = app.open_relay_store(settings, app.load_keys(settings, time.time()))
        for outcome, account in (("wrong_credential", None), ("success", AccountId("9d1c", "3f1c"))):
            await store.audit.append(
                AuditEvent(time=time.time(), kind="signin", subject="anna@corp", account=account, outcome=outcome)
            )
        await store.close()

    asyncio.run(work())


def test_locks_are_listed(ready: Path, run: Run) -> None:
    """A line for each, as a table or as JSON."""

    async def lock() -> None:
        async with app.serving(load_settings(ready, RelaySettings).server) as running:
            for number in range(4):
                request = AdmissionRequest(
                    user_name="anna@corp", password=f"p{number}", address="192.0.2.1", throttled=False
                )
                ticket = await running.admission.check(request, time.time())
                assert isinstance(ticket, Admitted)
                await running.admission.settle(ticket, Outcome.WRONG_CREDENTIAL, time.time(), account=b"", account_key="")

    with structlog.testing.capture_logs():
        asyncio.run(lock())
    (view,) = json.loads(run("relay", "locks", "--config", ready, "--json")[1])
    assert (view["user"], view["failures"], view["locks"], view["familiar"]) == ("", 4, 1, False)
    table = run("relay", "locks", "--config", ready)[1].splitlines()
    assert table[0].split() == ["user", "account", "browsers", "until", "wrong", "passwords", "locks", "last", "from"]
    assert table[-1].split()[:3] == ["-", "-", "others"]
    told = json.loads(run("relay", "unlock", "anna@corp", "--config", ready, "--json")[1])
    assert told["was_counted"] is True


def test_the_life_of_an_api_key(run: Run, ready: Path) -> None:
    """Made, listed without its secret, revoked once."""
    made = json.loads(run("relay", "api-key", "create", "--name", "intranet", "--days", "1", "--config", ready, "--json")[1])
    listed = run("relay", "api-key", "list", "--config", ready, "--json")[1]
    assert made["secret"].startswith("isk_")
    assert made["secret"] not in listed
    assert json.loads(listed)[0]["expires_at"] == pytest.approx(made["created_at"] + 86400)
    assert "intranet" in run("relay", "api-key", "list", "--config", ready)[1]
    assert run("relay", "api-key", "revoke", made["id"], "--config", ready)[0] == 0
    code, out, _ = run("relay", "api-key", "revoke", made["id"], "--config", ready, "--json")
    assert code == 1
    assert json.loads(out)["revoked"] is False
    said = run("relay", "api-key", "revoke", "intranet", "--config", ready)[1]  # the name, and no id
    assert said == "There is no valid key with the id intranet; `isthmus relay api-key list` shows the ids.\n"


def test_the_audit_trail_is_listed_and_verified(run: Run, ready: Path) -> None:
    """Newest first; the chain holds."""
    run("relay", "token", "--config", ready, "--name", "dc1", "--domain", "corp.example.com")
    run("relay", "api-key", "create", "--config", ready, "--name", "intranet")
    entries = json.loads(run("relay", "audit", "list", "--config", ready, "--json")[1])
    assert [entry["kind"] for entry in entries] == ["admin.api_key_created", "admin.token_created"]
    assert entries[0]["actor"].startswith("admin:")
    assert "dc1" in run("relay", "audit", "list", "--config", ready, "--kind", "admin.token_created")[1]
    assert json.loads(run("relay", "audit", "verify", "--config", ready, "--json")[1])["entries"] == 2


def test_a_tampered_audit_trail_is_named(run: Run, ready: Path) -> None:
    """Exit code 1, and the entry that cannot be trusted."""
    import sqlite3
    from contextlib import closing

    run("relay", "token", "--config", ready, "--name", "dc1", "--domain", "corp.example.com")
    run("relay", "token", "--config", ready, "--name", "dc2", "--domain", "corp.example.com")
    with closing(sqlite3.connect(ready.parent / "state" / "relay.db")) as database:
        database.execute("UPDATE audit_events SET subject = 'dc9' WHERE chain = 1")
        database.commit()
    code, _, err = run("relay", "audit", "verify", "--config", ready)
    assert code == 1
    assert "broken at entry 1-1" in err


def test_an_older_copy_of_the_database_is_found_by_a_noted_head(run: Run, ready: Path) -> None:
    """It holds in itself; only what was noted elsewhere shows that the end is missing: where the witness is gone, what was
    carried off the machine."""
    database = ready.parent / "state" / "relay.db"
    run("relay", "token", "--config", ready, "--name", "dc1", "--domain", "corp.example.com")
    older = database.read_bytes()
    run("relay", "token", "--config", ready, "--name", "dc2", "--domain", "corp.example.com")
    noted = json.loads(run("relay", "audit", "verify", "--config", ready, "--json")[1])["heads"][-1]
    assert run("relay", "audit", "verify", "--config", ready, "--noted", noted)[0] == 0
    database.write_bytes(older)
    (ready.parent / "state" / "audit-heads").unlink()
    code, _, err = run("relay", "audit", "verify", "--config", ready)
    assert code == 0
    assert "no file audit-heads" in err
    code, _, err = run("relay", "audit", "verify", "--config", ready, "--noted", noted)
    assert code == 1
    assert "entry 2-1 is not the one that was noted" in err
    code, _, err = run("relay", "audit", "verify", "--config", ready, "--noted", "two")
    assert code == 2
    assert "ID:HASH" in err


def test_an_older_copy_of_the_database_is_found_by_the_witness_until_it_is_accepted(run: Run, ready: Path) -> None:
    """Nobody has to have kept anything. Whoever has put back a backup says so, and the trail says it too."""
    database = ready.parent / "state" / "relay.db"
    run("relay", "token", "--config", ready, "--name", "dc1", "--domain", "corp.example.com")
    older = database.read_bytes()
    run("relay", "token", "--config", ready, "--name", "dc2", "--domain", "corp.example.com")
    assert json.loads(run("relay", "audit", "verify", "--config", ready, "--json")[1])["witnessed"] == 2
    assert "nothing to accept" in run("relay", "audit", "accept", "--config", ready, "--why", "a test", "--yes")[2]
    database.write_bytes(older)
    for _ in range(2):
        code, out, err = run("relay", "audit", "verify", "--config", ready)
        assert (code, out) == (1, "")
        assert "broken at entry 2-1: its head was 2-1:" in err
        run("relay", "token", "--config", ready, "--name", "dc3", "--domain", "corp.example.com")
    code, _, err = run("relay", "audit", "accept", "--config", ready, "--why", "a test")
    assert (code, "nobody could be asked" in err) == (1, True)
    why = "the backup of Monday was put back"
    assert run("relay", "audit", "accept", "--config", ready, "--why", why, "--yes")[0] == 0
    assert run("relay", "audit", "verify", "--config", ready)[0] == 0
    (entry,) = json.loads(run("relay", "audit", "list", "--config", ready, "--kind", "admin.audit_accepted", "--json")[1])
    assert entry["detail"]["detail"] == why


def test_an_empty_trail_and_no_agents(run: Run, ready: Path) -> None:
    """An empty table is a sentence."""
    assert "No agents yet" in run("relay", "agents", "--config", ready)[1]
    assert "The trail is empty" in run("relay", "audit", "list", "--config", ready)[1]
    assert "No entry matches" in run("relay", "audit", "list", "--user", "anna", "--config", ready)[1]
    assert "The trail is empty" in run("relay", "audit", "verify", "--config", ready)[1]
    assert "No API keys" in run("relay", "api-key", "list", "--config", ready)[1]


@pytest.mark.parametrize(("number", "said"), [(0, "0 entries"), (1, "1 entry"), (2, "2 entries")])
def test_what_is_counted_is_said_in_singular_or_plural(number: int, said: str) -> None:
    """Also where the plural is more than an s."""
    assert counted(number, "entry", "entries") == said
    assert counted(number, "chain") == f"{number} chain{'' if number == 1 else 's'}"


def test_a_socket_left_over_from_a_killed_relay_is_no_obstacle(run: Run, ready: Path) -> None:
    """The acts are done on the store."""
    bind_control_socket(ready.parent / "state" / SOCKET_NAME).close()
    assert run("relay", "agents", "--config", ready)[0] == 0


def test_a_state_directory_of_somebody_else(run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says whom to be."""

    def refuse(*_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("gateway.administrator.load_keys", refuse)
    code, _, err = run("relay", "agents", "--config", ready)
    assert code == 1
    assert "run the command as root" in err


# -- where one runs


async def test_administration_through_the_running_relay(ready: Path) -> None:
    """Every act, over the control socket; they count at once."""
    settings = load_settings(ready, RelaySettings).server
    admin = Administrator(settings)
    async with app.serving(settings):
        assert oct((settings.state_dir / SOCKET_NAME).stat().st_mode & 0o777) == "0o600"
        token = await admin.create_token("dc1", any_domain=True)
        assert admin.reached_relay
        assert token.name == "dc1"
        assert await admin.agents() == []
        assert await admin.unlock("anna@corp") is False
        key = await admin.create_api_key("intranet", None)
        assert [each.id for each in await admin.api_keys()] == [key.id]
        assert await admin.revoke_api_key(key.id) is True
        with pytest.raises(Failure, match="no agent 'nobody'"):
            await reported(admin.revoke("nobody", "drill"))
        kinds = [entry.kind for entry in await admin.audit(limit=10, before=None, kind="", subject="")]
        assert kinds == ["admin.api_key_revoked", "admin.api_key_created", "admin.unlock", "admin.token_created"]
        assert (await admin.roll_keys()).active_from > time.time()
        with pytest.raises(Failure, match="keys were rolled moments ago"):
            await reported(admin.roll_keys())
        assert (await admin.verify_audit(lambda _done, _total: None)).entries == 5
    assert not (settings.state_dir / SOCKET_NAME).exists()


async def test_a_relay_that_breaks_off_is_exit_code_3(ready: Path) -> None:
    """It may have done the act or not: nothing is done a second time on the store."""
    import asyncio

    settings = load_settings(ready, RelaySettings).server

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    broken = await asyncio.start_unix_server(hang_up, sock=bind_control_socket(settings.state_dir / SOCKET_NAME))
    async with broken:
        with pytest.raises(Failure, match="did not answer") as failed:
            await reported(Administrator(settings).create_token("dc1", any_domain=True))
    assert failed.value.code == 3


# -- the agent


@pytest.fixture
def agent_config(tmp_path: Path) -> Path:
    """Settings of an agent whose directory and relay are not there, and its state directory."""
    path = tmp_path / "agent.toml"
    (tmp_path / "agent").mkdir(mode=0o700)
    path.write_text(
        'state_dir = "agent"\n[core]\nproxy = "none"\nhealth_listen = ""\n'
        f'relays = ["https://127.0.0.1:{free_port()}"]\n'
        f'[[directories]]\nname = "corp"\nbase_dn = "DC=corp"\nservers = ["127.0.0.1:{free_port()}"]\n'
    )
    return path


def test_enrol_wants_a_token(run: Run, agent_config: Path) -> None:
    """Wrong usage; and a token that is none is refused with what to do."""
    assert run("agent", "enrol", "--config", agent_config)[0] == 2
    code, _, err = run("agent", "enrol", "--config", agent_config, "--token", "nonsense")
    assert code == 1
    assert "isthmus relay token" in err
    assert "nonsense" not in err


def test_a_token_file_that_is_not_there(run: Run, agent_config: Path, tmp_path: Path) -> None:
    """One clear message."""
    code, _, err = run("agent", "enrol", "--config", agent_config, "--token-file", tmp_path / "none")
    assert code == 1
    assert "--token-file" in err


def test_a_relay_that_is_not_there_is_exit_code_3(run: Run, ready: Path, agent_config: Path) -> None:
    """A script can try again on 3, and need not on 1."""
    port = free_port()
    ready.write_text(ready.read_text().replace("https://signin.test", f"https://127.0.0.1:{port}"))
    token = json.loads(
        run("relay", "token", "--config", ready, "--name", "dc1", "--domain", "corp.example.com", "--json")[1]
    )["text"]
    assert run("agent", "enrol", "--config", agent_config, "--token", token)[0] == 3


def test_a_token_that_the_relay_refuses_is_exit_code_1(
    run: Run, ready: Path, agent_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same token again is refused again."""
    token = json.loads(
        run("relay", "token", "--config", ready, "--name", "dc1", "--domain", "corp.example.com", "--json")[1]
    )["text"]

    async def refuse(*_arguments: object) -> None:
        raise EnrolmentFailed("https://signin.test", "the token is used", refused=True)

    monkeypatch.setattr("gateway.agent.enrol", refuse)
    code, _, err = run("agent", "enrol", "--config", agent_config, "--token", token)
    assert code == 1
    assert "isthmus relay token" in err


@pytest.mark.usefixtures("restored_logging")
def test_an_agent_that_never_enrolled_says_so(run: Run, agent_config: Path) -> None:
    """And how to."""
    code, _, err = run("agent", "run", "--config", agent_config)
    assert code == 1
    assert "isthmus agent enrol" in err


def test_check_goes_on_to_the_end_and_names_remedies(run: Run, agent_config: Path) -> None:
    """Not enrolled, no relay, no directory: all three are told, exit code 1."""
    code, out, _ = run("agent", "check", "--config", agent_config, "--json")
    failed = [line["name"] for line in json.loads(out) if line["status"] == "fail"]
    assert code == 1
    assert failed[0] == "identity"
    assert any("connection" in name for name in failed)
    assert any(name.startswith("corp") for name in failed)
    assert all(list(line) == ["name", "status", "seen", "remedy"] for line in json.loads(out))
    assert any(name.startswith("corp") and name.endswith(": TLS") for name in failed)
    assert "FAIL  identity" in run("agent", "check", "--config", agent_config)[1]


@pytest.mark.usefixtures("restored_logging")
def test_unsafe_settings_do_not_start(run: Run, ready: Path) -> None:
    """Plain HTTP for everybody is refused."""
    ready.write_text(ready.read_text().replace("127.0.0.1:", "0.0.0.0:"))
    code, _, err = run("relay", "run", "--config", ready, "--json")
    assert code == 1
    assert "would serve plain HTTP to the network" in json.loads(err)["error"]


def test_what_a_stranger_typed_is_only_text_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A user name such as `[/]` ended the list of the audit trail with a traceback; others could hide or colour lines."""
    marked = ["[/]", "[red]anna[/red]", "[link=https://example.com]anna"]
    moving = ["\x1b[2Janna", "\x9b31manna", "\u202eanna"]
    table(["user"], [[name] for name in (*marked, *moving, "zo\u00eb")], "nobody")
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown == ["user", *marked, "\\x1b[2Janna", "\\x9b31manna", "\\u202eanna", "zo\u00eb"]


def test_warnings_of_libraries_do_not_reach_the_terminal() -> None:
    """They are for programmers: an odd certificate of a partner is enough for one."""
    command = "warnings.warn('odd', UserWarning)"
    code = f"import warnings, isthmus.cli as cli; cli.cli.main = lambda *a, **more: {command}; cli.main([])"
    for options, expected in (((), False), (("-W", "default"), True)):
        done = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=True)
        assert ("odd" in done.stderr) is expected
