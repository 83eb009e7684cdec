"""Whole processes against a real Active Directory: kills, hangs, restarts, and the commands of administrators."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from demo.browser import Browser
from demo.people import Person
from demo.samba import ServiceAccount, ThrowawayDomain
from demo.signin import directories_toml, seen
from demo.stand import Stand, StandFailed

pytestmark = [pytest.mark.system, pytest.mark.samba]

AGENTS = ("agent-1", "agent-2")


@pytest.fixture(scope="module")
def stand(domain: ThrowawayDomain, service: ServiceAccount) -> Iterator[Stand]:
    """A relay and two agents."""
    agent = "reconnect_ceiling = 1.0\n"
    with Stand(directories_toml(domain, service), relay="[server.core]\ncanary_interval = 0\n", agent=agent) as running:
        for name in AGENTS:
            running.enrol_agent(name)
            running.start_agent(name)
        yield running


@pytest.fixture(scope="module")
def key(stand: Stand) -> str:
    """An API key."""
    return stand.create_api_key()


@pytest.fixture(autouse=True)
def _whole(stand: Stand) -> Iterator[None]:
    """Every test leaves a stand in which all are well."""
    yield
    if "relay" not in stand.processes:
        stand.start_relay()
    for name in AGENTS:
        if name not in stand.processes:
            stand.start_agent(name)
    stand.wait_for(lambda: stand.connected_agents() == list(AGENTS), "both agents", "relay")


def test_every_person_meets_the_page_they_should(stand: Stand, domain: ThrowawayDomain) -> None:
    """All account states, through the real page; a stranger learns nothing."""
    expected = {
        "anna": "signed in",
        "ben": "refused",
        "clara": "new password wanted",
        "emma": "told: disabled",
        "felix": "refused",
        "greta": "told: expired",
        "hugo": "told: time of day",
        "ida": "told: other computer",
        "jonas": "refused",
        "zoe": "signed in",
    }
    got = {}
    for name in expected:
        person = domain.people[name]
        got[name] = seen(Browser(stand.url, stand.tls).sign_in(person.upn, person.typed))
    assert got == expected


def test_a_stranger_cannot_tell_accounts_apart(stand: Stand, domain: ThrowawayDomain) -> None:
    """Unknown, locked, disabled: with a wrong password all look like the same refusal."""
    texts = set()
    for name in ("nobody-at-all", "emma", "greta", "hugo"):
        page = Browser(stand.url, stand.tls).sign_in(f"{name}@{domain.dns_domain}", "not-the-password")
        assert page.path == "/signin/password"
        texts.add(page.notes)
    assert len(texts) == 1


@pytest.fixture
def dario(domain: ThrowawayDomain) -> Iterator[Person]:
    """Must change the password; afterwards again, because other tests share the domain."""
    person = domain.people["dario"]
    yield person
    domain.set_password("dario", person.password)
    domain.set_attributes("dario", pwdLastSet=0)


def test_a_must_change_password_is_changed_right_there(stand: Stand, dario: Person) -> None:
    """And the person is signed in afterwards, with the new one."""
    person = dario
    browser = Browser(stand.url, stand.tls)
    page = browser.sign_in(person.upn, person.password)
    assert page.notes == ""
    assert "At least 7 characters" in page.text
    fields = {"csrf": page.field("csrf"), "step": "change", "user_name": person.upn}
    page = browser.post("/signin", **fields, kept=page.field("kept"), new_password="short", again="short")
    assert "at least 7 characters" in page.notes
    new = "Brand-New-Strait-99"
    page = browser.post("/signin", **fields, kept=page.field("kept"), new_password=new, again=new)
    assert page.path == "/signin/changed"
    assert "Dario Esposito" in browser.get("/account").text
    assert browser.cookie("__Host-isthmus") is not None


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "anna)(uid=*",
        "anna\\2a",
        "a" * 256,
        "😀@corp.example.com",
        "\u202eanna@corp.example.com",
        "CORP\\",
        "@",
        "x\\y\\z",
    ],
)
def test_hostile_names_are_nobody(stand: Stand, key: str, name: str) -> None:
    """LDAP metacharacters, emoji, right-to-left, far too long."""
    status, answer = stand.authenticate(key, name, "x")
    assert status in {200, 503}
    assert answer.get("outcome") == "wrong_credential" or answer.get("detail") == "no_agent"


def test_a_nul_or_a_huge_name_never_reaches_the_directory(stand: Stand, key: str) -> None:
    """They are refused at the door."""
    assert stand.authenticate(key, "anna\0@corp.example.com", "x")[0] == 400
    assert stand.authenticate(key, "a" * 15_000, "x")[0] == 400
    assert stand.authenticate(key, "anna@corp.example.com", "")[0] == 400


def test_an_agent_killed_under_load_costs_nobody_a_second_bind(stand: Stand, key: str, domain: ThrowawayDomain) -> None:
    """kill -9 of one of two: every request is answered, and badPwdCount shows that none was bound twice."""
    users = domain.create_users(40)
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()

    def guess(user: str) -> None:
        _, answer = stand.authenticate(key, user, "not-the-password")
        with lock:
            outcomes[answer.get("outcome") or answer["detail"]] += 1

    threads = [threading.Thread(target=guess, args=(user,)) for user in users]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 20:
            stand.kill("agent-1")
    for thread in threads:
        thread.join()
    assert sum(outcomes.values()) == len(users)
    assert set(outcomes) <= {"wrong_credential", "try_again"}
    counts = [bad_password_count(domain, user) for user in users]
    assert max(counts) <= 1
    assert sum(counts) >= outcomes["wrong_credential"]


def test_a_relay_that_was_killed_has_its_agents_back(stand: Stand, key: str, domain: ThrowawayDomain) -> None:
    """Within five seconds, and sign-in continues."""
    stand.kill("relay")
    stand.start_relay()
    started = time.monotonic()
    stand.wait_for(lambda: stand.connected_agents() == list(AGENTS), "the agents to come back", "relay", seconds=5)
    assert time.monotonic() - started < 5
    anna = domain.people["anna"]
    assert stand.authenticate(key, anna.upn, anna.password)[1]["outcome"] == "success"


def test_a_domain_controller_that_stops_and_comes_back(stand: Stand, key: str, domain: ThrowawayDomain) -> None:
    """Nobody is blamed meanwhile, and nothing has to be restarted."""
    anna = domain.people["anna"]
    domain.stop()
    try:
        status, answer = stand.authenticate(key, anna.upn, anna.password)
        assert status == 503
        assert answer["detail"] == "no_directory"
    finally:
        domain.start()
    stand.wait_for(lambda: stand.authenticate(key, anna.upn, anna.password)[0] == 200, "the directory", "relay")


def test_a_domain_controller_that_hangs_costs_one_timeout(stand: Stand, key: str, domain: ThrowawayDomain) -> None:
    """SIGSTOP: the first waits, the others are told at once."""
    anna = domain.people["anna"]
    domain.pause()
    try:
        first = stand.authenticate(key, anna.upn, anna.password)
        started = time.monotonic()
        later = [stand.authenticate(key, anna.upn, anna.password) for _ in range(3)]
        elapsed = time.monotonic() - started
    finally:
        domain.resume()
    assert first[0] == 503
    assert {status for status, _ in later} == {503}
    assert elapsed < 15
    stand.wait_for(lambda: stand.authenticate(key, anna.upn, anna.password)[0] == 200, "the directory", "relay")


def test_one_command_checks_a_relay_and_signs_in_through_it(stand: Stand, domain: ThrowawayDomain) -> None:
    """Keys, certificate, agents, domains, and the way to Active Directory and back; the trail has who did it."""
    anna = domain.people["anna"]
    config = ("--config", str(stand.relay_config))

    def check(*options: str, text: str = "") -> dict[str, str]:
        found = json.loads(stand.run("relay", "check", *config, *options, "--json", text=text))
        return {finding["name"]: finding["status"] for finding in found}

    whole = {*(f"{name}: agent" for name in AGENTS), "corp.example.com: domain"}
    stand.wait_for(lambda: {check()[name] for name in whole} == {"pass"}, "the domain controller to be up again", "relay")
    found = check("--user", anna.upn, "--password-file", "-", text=anna.password)
    assert "fail" not in found.values()
    assert {found[name] for name in ("keys", "certificate", "relay", "clock", f"sign-in of {anna.upn}")} == {"pass"}
    (entry,) = json.loads(stand.run("relay", "audit", "list", *config, "--kind", "signin", "--limit", "1", "--json"))
    assert (entry["subject"], entry["outcome"]) == (anna.upn, "success")
    assert entry["actor"].startswith("admin:")


def test_a_stopping_agent_says_goodbye(stand: Stand) -> None:
    """SIGTERM drains; exit code 0."""
    assert stand.stop("agent-2", signal.SIGTERM) == 0
    assert stand.connected_agents() == ["agent-1"]
    assert "agent.stopped" in stand.log_of("agent-2")


def test_revocation_counts_at_once_and_enrolment_brings_it_back(stand: Stand) -> None:
    """From the command line, on the running relay."""
    out = json.loads(
        stand.run("relay", "revoke", "agent-2", "--config", str(stand.relay_config), "--why", "drill", "--json")
    )
    assert out["connections_ended"] == 2
    assert stand.connected_agents() == ["agent-1"]
    stand.stop("agent-2")
    stand.enrol_agent("agent-2")
    stand.start_agent("agent-2")


def test_the_audit_trail_holds_and_tells(stand: Stand, key: str, domain: ThrowawayDomain) -> None:
    """Every sign-in is there, chained, and carries the id that the browser's answer had."""
    anna = domain.people["anna"]
    _, answer = stand.authenticate(key, anna.upn, anna.password)
    config = ("--config", str(stand.relay_config), "--json")
    entries = json.loads(stand.run("relay", "audit", "list", "--user", anna.upn, "--limit", "5", *config))
    assert entries[0]["correlation_id"] == answer["correlation_id"]
    assert entries[0]["outcome"] == "success"
    assert json.loads(stand.run("relay", "audit", "verify", *config))["ok"]
    assert answer["correlation_id"] in stand.log_of("agent-1") + stand.log_of("agent-2")


def test_no_password_is_in_any_log(stand: Stand, domain: ThrowawayDomain) -> None:
    """After everything that happened above."""
    logs = "".join(stand.log_of(name) for name in ("relay", *AGENTS))
    assert logs
    for person in domain.people.values():
        assert person.password not in logs


def test_agent_check_names_what_is_wrong_and_what_to_do(stand: Stand) -> None:
    """All well: exit code 0; a wrong directory: each line with its remedy."""
    report = json.loads(stand.run("agent", "check", "--config", str(stand.agent_config("agent-1")), "--json"))
    assert {line["status"] for line in report} <= {"pass", "warn"}
    bad = stand.home / "bad.toml"
    bad.write_text(stand.agent_config("agent-1").read_text().replace(":636", ":1"))
    with pytest.raises(StandFailed):
        stand.run("agent", "check", "--config", str(bad), "--json")


def test_metrics_have_the_counters_that_administrators_know(stand: Stand) -> None:
    """On both sides."""
    text = stand._http(f"http://{stand.address}:{stand.metrics_port}/metrics")[1].decode()
    for name in ("isthmus_pta_authentications_total", "isthmus_pta_failed_total", "isthmus_agent_connections"):
        assert name in text


def test_a_taken_port_is_said_clearly(stand: Stand) -> None:
    """A second relay on the same address."""
    second = stand.home / "second.toml"
    second.write_text(stand.relay_config.read_text().replace('"relay"', '"relay-2"'))
    (stand.home / "relay-2").mkdir(mode=0o700)
    stand.run("relay", "init", "--config", str(second))
    with pytest.raises(StandFailed, match="is in use already"):
        stand.run("relay", "run", "--config", str(second))


def bad_password_count(domain: ThrowawayDomain, upn: str) -> int:
    """What the domain controller counts, straight from its database."""
    import subprocess

    name = upn.partition("@")[0]
    database = domain.directory / "private" / "sam.ldb"
    done = subprocess.run(
        ["ldbsearch", "-H", str(database), f"(sAMAccountName={name})", "badPwdCount"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("badPwdCount:")]
    return int(found[0].split(":")[1]) if found else 0
