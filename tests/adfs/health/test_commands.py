"""`isthmus adfs status`, `check` and `timeline` on a simulated farm behind real WSMan and TLS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from isthmus.cli.adfs import check, status, timeline
from isthmus.cli.output import Failure
from tests.adfs.health.stand import stand
from tests.adfs.simulator.simulator import ManualClock, Simulator
from tests.adfs.simulator.state import ClaimsProvider, Person

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], restored_logging: None) -> Run:
    """Exit code, standard output, standard error."""

    def run(command: click.Command, *arguments: object) -> tuple[int, str, str]:
        code = 0
        try:
            command.main([str(each) for each in arguments], standalone_mode=False)
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_status_shows_the_whole_farm(run: Run, config: Path, simulator: Simulator) -> None:
    """Servers, certificates with whole thumbprints, what is served; no contradiction."""
    code, out, err = run(status.command, "--config", config)
    assert (code, err) == (0, "")
    for row in simulator.world.farms[0].shared.certificates:
        assert row.certificate.thumbprint in out
    for text in (
        "adfs1.corp.example.com",
        "wap1.dmz.corp.example.com",
        "primary",
        "secondary",
        "Partner 2",
        "none: configuration",
    ):
        assert text in out
    assert "127." not in out
    assert "Claims provider trusts" in out


def test_status_shows_what_partners_have_given(run: Run, config: Path, simulator: Simulator) -> None:
    """With their ends and the names of their trusts, over real WSMan; for programs without DER."""
    given = simulator.issue("partner.example", days=20)
    configuration = simulator.world.farms[0].shared
    configuration.claims_providers.append(ClaimsProvider(name="Fabrikam", identifier="urn:f", signing=(given,)))
    (shown,) = [line for line in run(status.command, "--config", config)[1].splitlines() if "Providers: signing" in line]
    assert "in 20 days" in shown
    assert shown.endswith("Fabrikam")
    out = run(status.command, "--config", config, "--json")[1]
    (provider,) = [row for row in json.loads(out)["farms"][0]["farm"]["claims_providers"] if row["name"] == "Fabrikam"]
    assert provider["certificates"]["Providers: signing"][0]["thumbprint"] == given.thumbprint
    assert '"der"' not in out


def test_status_in_json(run: Run, config: Path) -> None:
    """Facts by name; no DER."""
    code, out, _ = run(status.command, "--config", config, "--json")
    (farm,) = json.loads(out)["farms"]
    assert code == 0
    assert farm["farm"]["nodes"][0]["role"] == "PrimaryComputer"
    assert farm["inconsistencies"] == []
    assert len(farm["outside"]["served"]) == 4
    assert '"der"' not in out


def test_status_says_what_was_not_read(run: Run, config: Path, simulator: Simulator) -> None:
    """And it is no failure as long as something was."""
    simulator.offline("adfs2.corp.example.com")
    code, out, _ = run(status.command, "--config", config)
    assert code == 0
    assert "Problems" in out


def test_a_farm_of_which_nothing_was_seen(run: Run, config: Path, simulator: Simulator) -> None:
    """Exit code 3: not reachable."""
    for host in list(simulator.world.hosts):
        simulator.offline(host)
    assert run(status.command, "--config", config)[0] == 3
    assert run(status.command, "--config", config, "--outside")[0] == 3
    assert run(check.command, "--config", config)[0] == 1


def test_outside_needs_no_credential(run: Run, config: Path, simulator: Simulator) -> None:
    """No command reaches a host, and the password is not even read."""
    (config.parent / "password").unlink()
    code, out, _ = run(status.command, "--config", config, "--outside")
    assert code == 0
    assert "not queried over WinRM" in out
    assert run(check.command, "--config", config, "--outside")[0] == 0
    assert simulator.log == []


def test_a_password_that_cannot_be_read(run: Run, config: Path) -> None:
    """One clear failure."""
    (config.parent / "password").unlink()
    with pytest.raises(Failure, match="password_file"):
        run(status.command, "--config", config)


def test_a_farm_that_is_not_in_the_settings(run: Run, config: Path) -> None:
    """What there is is said."""
    with pytest.raises(Failure, match="available: prod"):
        run(status.command, "--config", config, "--farm", "test")


def test_check_passes(run: Run, config: Path) -> None:
    """One line; all of them with --all."""
    code, out, _ = run(check.command, "--config", config)
    assert code == 0
    assert out.startswith("prod: 0 fail, 0 warn, ")
    assert "PASS  token-signing, prod" in run(check.command, "--config", config, "--all")[1]


def test_check_names_what_is_wrong(run: Run, config: Path, simulator: Simulator) -> None:
    """With the remedy; a failure is exit code 1, a warning only where asked for."""
    simulator.skew("adfs2.corp.example.com", 300)
    assert run(check.command, "--config", config)[0] == 0
    code, out, _ = run(check.command, "--config", config, "--fail-on", "warn")
    assert code == 1
    assert "WARN  clock, adfs2.corp.example.com: " in out
    assert "w32tm" in out
    simulator.stop_service("adfs2.corp.example.com")
    code, out, _ = run(check.command, "--config", config, "--json")
    assert code == 1
    (farm,) = json.loads(out)["farms"]
    assert ("service", "fail") in {(each["name"], each["status"]) for each in farm["checks"]}


def test_check_for_prometheus(run: Run, config: Path) -> None:
    """Nothing else on standard output."""
    code, out, _ = run(check.command, "--config", config, "--prometheus")
    assert code == 0
    assert 'isthmus_adfs_check{farm="prod",check="token-signing",host="prod"} 0' in out
    assert all(line.startswith(("#", "isthmus_adfs_")) for line in out.splitlines())
    with pytest.raises(click.UsageError):
        run(check.command, "--config", config, "--prometheus", "--json")


def test_a_tenant_that_does_not_answer_is_a_warning(run: Run, config: Path, tmp_path: Path) -> None:
    """The farm is judged all the same; from outside the tenant is not asked."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    with config.open("a") as file:
        file.write(f'[[entra]]\ntenant = "contoso"\nclient_id = "1"\nsecret_file = "{secret}"\ntimeout = 1\n')
        file.write('authority = "https://127.0.0.1:1"\ngraph = "https://127.0.0.1:1"\n')
    code, out, _ = run(check.command, "--config", config)
    assert code == 0
    assert "WARN  entra, contoso: " in out
    assert "contoso" not in run(check.command, "--config", config, "--outside")[1]


def test_timeline_writes_a_page(run: Run, config: Path, tmp_path: Path) -> None:
    """And says how much is on it."""
    page = tmp_path / "page.html"
    code, out, _ = run(timeline.command, "--config", config, "--output", page)
    assert code == 0
    assert "certificates of prod" in out
    assert page.read_text().startswith("<!DOCTYPE html>")
    answer: dict[str, Any] = json.loads(run(timeline.command, "--config", config, "--output", page, "--json")[1])
    assert answer["farm"] == "prod"
    with pytest.raises(Failure):
        run(timeline.command, "--config", config, "--output", tmp_path / "none" / "page.html")


def test_several_farms(run: Run, tmp_path: Path) -> None:
    """All by default, one by name; a page is for one."""
    simulator = Simulator(ManualClock(time.time()))
    simulator.farm(nodes=1, proxies=0)
    simulator.farm(nodes=1, proxies=0, name="login.example.com", prefix="b-", version="2012 R2")
    with stand(simulator, tmp_path) as path:
        both = json.loads(run(status.command, "--config", path, "--json")[1])
        assert [each["farm"]["name"] for each in both["farms"]] == ["prod", "farm2"]
        one = json.loads(run(check.command, "--config", path, "--farm", "farm2", "--json")[1])
        assert [each["name"] for each in one["farms"]] == ["farm2"]
        with pytest.raises(Failure, match="--farm"):
            run(timeline.command, "--config", path, "--output", tmp_path / "page.html")


# -- with a test account


def with_account(simulator: Simulator, config: Path, password: str = "Pr0be-Passw0rd") -> None:
    """Someone who may sign in, and the settings that say so."""
    simulator.world.people["probe@example.com"] = Person(password="Pr0be-Passw0rd")
    path = config.parent / "probe.password"
    path.write_text(f"{password}\n")
    path.chmod(0o600)
    config.write_text(f'{config.read_text()}synthetic_user = "probe@example.com"\nsynthetic_password_file = "{path}"\n')


def tokens(out: str) -> list[str]:
    (farm,) = json.loads(out)["farms"]
    return [each["status"] for each in farm["checks"] if each["name"] == "synthetic-token"]


def test_check_signs_in_where_there_is_a_test_account(run: Run, config: Path, simulator: Simulator) -> None:
    """At each node and at the name; nothing is said of it where there is none."""
    assert tokens(run(check.command, "--config", config, "--json")[1]) == []
    with_account(simulator, config)
    code, out, err = run(check.command, "--config", config, "--json")
    assert (code, err, tokens(out)) == (0, "", ["pass", "pass", "pass"])
    assert "synthetic-token" in run(check.command, "--config", config, "--prometheus")[1]
    assert "PASS  synthetic-token, adfs1.corp.example.com" in run(check.command, "--config", config, "--all")[1]


def test_check_from_outside_does_not_sign_in(run: Run, config: Path, simulator: Simulator) -> None:
    """It promises to need no credential; nor do the other commands look at the account."""
    with_account(simulator, config)
    (config.parent / "probe.password").unlink()
    assert run(check.command, "--config", config, "--outside")[0] == 0
    assert run(status.command, "--config", config)[0] == 0
    assert simulator.world.token_requests == []


def test_a_wrong_password_is_tried_once_and_not_shown(run: Run, config: Path, simulator: Simulator) -> None:
    """One failure, exit code 1."""
    with_account(simulator, config, "wr0ng-Passw0rd")
    code, out, err = run(check.command, "--config", config)
    assert code == 1
    assert simulator.world.people["probe@example.com"].bad_passwords == 1
    assert "FAIL  synthetic-token, " in out
    assert "Passw0rd" not in out + err


def test_a_password_of_the_test_account_that_cannot_be_read(run: Run, config: Path, simulator: Simulator) -> None:
    """Said before anything is looked at."""
    with_account(simulator, config)
    (config.parent / "probe.password").unlink()
    with pytest.raises(Failure, match="prod: synthetic_password_file"):
        run(check.command, "--config", config)
    assert simulator.log == []


def test_check_names_a_service_principal_name_that_is_missing(run: Run, config: Path, simulator: Simulator) -> None:
    """Over real WSMan, with the command that fixes it."""
    simulator.world.principals = {"CORP\\WEB1$": ["http/fs.example.com"]}
    code, out, _ = run(check.command, "--config", config)
    assert code == 1
    assert "FAIL  service-principal-name, fs.example.com: CORP\\WEB1$ has http/fs.example.com" in out
    assert "setspn -D http/fs.example.com CORP\\WEB1$; setspn -S host/fs.example.com CORP\\adfs-svc$." in out
