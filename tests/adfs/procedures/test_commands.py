"""`isthmus adfs rollover` and `isthmus adfs ssl`, from the command line to the simulated farm."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from adfs_mgmt.procedures.rollover import STATES
from foundation.procedures import FileJournal, Stopped
from isthmus.cli.adfs import check, rollover, ssl
from isthmus.cli.output import Failure
from tests.adfs.procedures.farms import Site, site
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """One node and one proxy; the command's way to them leads into the simulator."""
    with site(ManualClock(time.time()), tmp_path / "state", nodes=1, proxies=1, signing_days=30.0) as at:
        monkeypatch.setattr("adfs_mgmt.remoting.winrm.WinRm", lambda settings: SimulatedShell(at.simulator))
        lines = [
            f'state_dir = "{tmp_path / "state"}"',
            "[[farms]]",
            'name = "prod"',
            f'federation_name = "{at.farm.name}"',
            f'federation_address = "{at.settings.federation_address}"',
            f"nodes = {json.dumps(at.settings.nodes)}",
            f"proxies = {json.dumps(at.settings.proxies)}",
            f"https_port = {at.settings.https_port}",
            f"http_port = {at.settings.http_port}",
            f'tls_ca_file = "{at.settings.tls_ca_file}"',
        ]
        (tmp_path / "adfs.toml").write_text("\n".join(lines))
        (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
        (tmp_path / "state").chmod(0o700)
        monkeypatch.setenv("ISTHMUS_CONFIG", str(tmp_path / "adfs.toml"))
        yield at


def run(command: click.Command, *arguments: str, fails: bool = False, answer: str = "") -> str:
    """What it prints, or its failure."""
    result = CliRunner().invoke(command, list(arguments), input=answer)
    if isinstance(result.exception, Failure):
        assert fails, str(result.exception)
        return result.output + str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert (result.exit_code != 0) == fails, result.output
    return result.stdout


def read(command: click.Command, *arguments: str) -> Any:
    """Its JSON."""
    return json.loads(run(command, *arguments, "--json"))


def pfx(at: Site, directory: Path, *names: str) -> list[str]:
    """Options for a certificate of the simulated CA."""
    issued = at.simulator.issue(*names)
    chain = [at.simulator.world.authority.certificate.parsed]
    content = pkcs12.serialize_key_and_certificates(
        None, issued.key, issued.parsed, chain, BestAvailableEncryption(b"swordfish")
    )
    (directory / "new.pfx").write_bytes(content)
    (directory / "password").write_text("swordfish\n")
    (directory / "password").chmod(0o600)
    return ["--pfx", str(directory / "new.pfx"), "--password-file", str(directory / "password")]


def test_a_token_rollover(farm: Site) -> None:
    """Plan, apply to the gate, promote, roll back, promote again, retire: each says where it stands."""
    office = "Microsoft Office 365 Identity Platform"
    assert "has been started from here" in run(rollover.command, "status")
    planned = run(rollover.command, "plan")
    assert "Update-AdfsCertificate -CertificateType 'Token-Signing'" in planned
    assert "use --yes" in run(rollover.command, "apply", fails=True)
    assert not [each for each in farm.simulator.log if each.command.startswith(("Update-", "Set-"))]
    waits = ("--wait-days", "0", "--soak-days", "0")
    begun = read(rollover.command, "apply", "--yes", *waits)
    assert (begun["end"], begun["step"]["ask"]) == ("asking", [office])
    assert "not yet: promote" in run(rollover.command, "promote", "--yes", fails=True)
    status = run(rollover.command, "status")
    assert f"Tell {office} about the new certificate" in status
    assert "Z  have AD FS create the new certificate\n" in status
    checked = CliRunner().invoke(check.command, []).stdout
    assert checked.startswith(f"{begun['record']['id']} has been in progress since ")
    (finding,) = [
        row
        for row in json.loads(CliRunner().invoke(check.command, ["--json"]).stdout)["farms"][0]["checks"]
        if row["name"] == "rollover"
    ]
    assert finding["status"] == "pass"
    assert "is in progress; `apply` continues" in run(rollover.command, "plan", fails=True)
    for name, why in (("Ofice", "Nothing was recorded"), ("retire", "their own commands")):
        assert why in run(rollover.command, "promote", "--acknowledge", name, "--yes", fails=True)
    run(rollover.command, "acknowledge", office)
    assert "Farm prod: this makes the new certificate primary." in run(rollover.command, "promote", fails=True)
    promoted = read(rollover.command, "promote", "--yes")
    assert promoted["step"]["ask"] == ["retire"]
    back = read(rollover.command, "rollback", "--yes")
    assert (back["step"]["stage"], back["record"]["back"]) == ("approve", "")
    assert read(rollover.command, "promote", "--yes")["step"]["ask"] == ["retire"]
    done = run(rollover.command, "retire", "--yes")
    assert " ended " in done
    assert "done" in done
    assert "rollback" not in run(rollover.command, "status")
    assert "is in progress" in run(rollover.command, "rollback", "--yes", fails=True)


def test_back_from_what_ad_fs_promoted(farm: Site) -> None:
    """The command says which certificate signs again before anything is done."""
    (before,) = (row.certificate.thumbprint for row in farm.farm.shared.of("Token-Signing"))
    for days in (11, 6):
        farm.clock.advance(days * 86400)
        farm.simulator.settle()
    shown = run(rollover.command, "rollback", fails=True)
    assert "was not promoted by Isthmus" in shown
    assert f"  Token-Signing     {before}\n" in shown


def test_a_saved_plan(farm: Site, tmp_path: Path) -> None:
    """Reviewed by somebody else and applied later, it is refused once the farm has changed."""
    saved = tmp_path / "plan.json"
    run(rollover.command, "plan", "--use", "signing", "--save", str(saved))
    farm.simulator.invoke(
        "CORP\\admin", farm.settings.nodes[0].split("=")[0], "Set-AdfsProperties", {"AutoCertificateRollover": False}
    )
    assert "properties has changed" in run(rollover.command, "apply", "--plan", str(saved), "--yes", fails=True)
    farm.simulator.invoke(
        "CORP\\admin", farm.settings.nodes[0].split("=")[0], "Set-AdfsProperties", {"AutoCertificateRollover": True}
    )
    applied = read(rollover.command, "apply", "--plan", str(saved), "--yes")
    assert applied["record"]["facts"]["uses"] == "Token-Signing"
    assert "is in progress" in run(rollover.command, "apply", "--plan", str(saved), "--yes", fails=True)


def test_an_emergency_in_the_middle(farm: Site) -> None:
    """It supersedes the planned rollover, says that there is no way back, and restores what was before both."""
    read(rollover.command, "apply", "--yes")
    assert "no rollback" in run(rollover.command, "emergency", fails=True)
    ended = read(rollover.command, "emergency", "--yes")
    assert "tokens-revoked" in ended["step"]["ask"]
    run(rollover.command, "acknowledge", *ended["step"]["ask"])
    done = read(rollover.command, "apply", "--yes")
    assert done["record"]["outcome"] == "done"
    assert farm.farm.shared.properties["AutoCertificateRollover"] is True


def test_a_rollover_of_decrypting_says_nothing_of_signing(farm: Site) -> None:
    """In its plan, or an emergency's."""
    for words in (("plan",), ("emergency",)):
        assert "signed by" not in run(rollover.command, *words, "--use", "decrypting", fails=words == ("emergency",))


def test_a_rollover_that_has_stopped_is_a_warning(farm: Site, tmp_path: Path) -> None:
    """Of `check`; so is a journal that cannot be used."""
    read(rollover.command, "apply", "--yes", "--wait-days", "0", "--soak-days", "0")
    (journal,) = (tmp_path / "state" / "rollover").glob("*.jsonl")
    with FileJournal(journal, STATES, now=farm.now()) as opened:
        opened.append(Stopped(why="no node answered"), farm.now())
    stopped = CliRunner().invoke(check.command, []).stdout
    assert "and stopped: no node answered" in stopped
    journal.write_text("nonsense\n")
    assert "is damaged" in CliRunner().invoke(check.command, []).stdout


def test_an_emergency_keeps_no_key_of_what_it_ends(farm: Site, tmp_path: Path) -> None:
    """That of a supplied certificate, which nobody will import any more."""
    keys = tmp_path / "state" / "keys"
    given = pfx(farm, tmp_path, farm.farm.name)
    read(rollover.command, "apply", "--use", "signing", "--yes", *given)
    assert len(list(keys.iterdir())) == 1
    read(rollover.command, "emergency", "--yes")
    assert list(keys.iterdir()) == []


def test_ssl_and_back(farm: Site, tmp_path: Path) -> None:
    """A PFX goes everywhere; its key does not stay in the state directory; afterwards it can still be undone."""
    names = (farm.farm.name, f"certauth.{farm.farm.name}", "enterpriseregistration.example.com", "app1.example.com")
    given = pfx(farm, tmp_path, *names)
    assert "one of --pfx" in run(ssl.command, "plan", fails=True)
    assert "set `hook`" in run(ssl.command, "plan", "--acme", fails=True)
    shown = run(ssl.command, "plan", *given)
    assert "Set-WebApplicationProxySslCertificate" in shown
    for host in ("adfs1.corp.example.com", "wap1.dmz.corp.example.com"):
        assert f"{host}" in shown
    assert shown.count("netsh http update sslcert ipport=0.0.0.0:443 certhash=") == 2
    done = read(ssl.command, "apply", "--yes", *given)
    assert done["end"] == "done", done
    assert list((tmp_path / "state" / "keys").iterdir()) == []
    assert ") ended " in run(ssl.command, "status")
    assert "Nothing is due" in run(ssl.command, "apply", "--acme", "--if-ends-within", "320", "--yes")
    forgotten = run(check.command)
    assert "WARN  tls-without-name, adfs1.corp.example.com, wap1.dmz.corp.example.com" in forgotten
    undone = read(ssl.command, "rollback", "--yes")
    assert undone["record"]["outcome"] == "rolled back", undone


def test_a_key_that_was_left_is_forgotten(farm: Site, tmp_path: Path) -> None:
    """A run that was killed after its last line left the key: the next command forgets it, but not one given since then."""
    names = (farm.farm.name, f"certauth.{farm.farm.name}", "enterpriseregistration.example.com", "app1.example.com")
    given = pfx(farm, tmp_path, *names)
    done = read(ssl.command, "apply", "--yes", *given)["record"]
    left = tmp_path / "state" / "keys" / f"{farm.simulator['adfs1.corp.example.com'].bindings[0].thumbprint}.pem"
    left.write_text("key")
    run(ssl.command, "status")
    assert left.exists()
    os.utime(left, (done["finished"] - 1, done["finished"] - 1))
    run(ssl.command, "status")
    assert not left.exists()


def test_a_request_for_a_ca(farm: Site, tmp_path: Path) -> None:
    """It is for the farm's name unless others are given."""
    out = tmp_path / "fs.csr"
    assert read(rollover.command, "request", "--out", str(out))["names"] == [farm.farm.name]
    assert b"CERTIFICATE REQUEST" in out.read_bytes()


def test_a_plan_of_the_other_kind_or_farm_is_refused(farm: Site, tmp_path: Path) -> None:
    """A plan for SSL begins no rollover of tokens, whose journal would then never be found by `ssl rollback`."""
    plan = tmp_path / "plan.json"
    names = (farm.farm.name, f"certauth.{farm.farm.name}", "enterpriseregistration.example.com", "app1.example.com")
    run(ssl.command, "plan", *pfx(farm, tmp_path, *names), "--save", str(plan))
    said = run(rollover.command, "apply", "--plan", str(plan), "--yes", fails=True)
    assert "isthmus adfs ssl apply" in said
    assert read(rollover.command, "status", "--json")["record"] is None
    config = tmp_path / "adfs.toml"
    config.write_text(config.read_text().replace('name = "prod"', 'name = "test"'))
    said = run(ssl.command, "apply", "--plan", str(plan), "--yes", fails=True)
    assert "is for farm prod, not test" in said
    plan.write_text(json.dumps({key: value for key, value in json.loads(plan.read_text()).items() if key != "digest"}))
    assert "is not a plan" in run(ssl.command, "apply", "--plan", str(plan), "--yes", fails=True)


def test_a_timer_begins_only_what_is_due(farm: Site) -> None:
    """What ends later is left alone, and that is no failure; what is under way goes on whatever is due."""
    given = ("--if-ends-within", "20", "--use", "signing", "--yes")
    assert "Nothing is due" in run(rollover.command, "apply", *given)
    answer = read(rollover.command, "apply", *given)
    assert answer["end"] == "not due"
    assert answer["ends"] > time.time() + 25 * 86400
    assert read(rollover.command, "status")["record"] is None
    begun = read(rollover.command, "apply", "--if-ends-within", "40", "--use", "signing", "--yes")
    assert begun["end"] in {"waiting", "asking"}
    assert "Nothing is due" not in run(rollover.command, "apply", *given)


def test_what_is_due_is_never_guessed(farm: Site) -> None:
    """A farm that cannot be read, or a server that is away, is an error and not a reason to wait."""
    assert "Nothing is due" in run(ssl.command, "apply", "--acme", "--if-ends-within", "20", "--yes")
    farm.simulator.offline("wap1.dmz.corp.example.com")
    assert "cannot be read" in run(ssl.command, "apply", "--acme", "--if-ends-within", "20", "--yes", fails=True)
    farm.simulator.offline("adfs1.corp.example.com")
    assert "cannot be read" in run(rollover.command, "apply", "--if-ends-within", "20", "--yes", fails=True)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("proxies = [", "proxies = [{node}, ", "is a node of prod and a proxy of prod"),
        ("nodes = [", "nodes = [{node}, ", "is a node of prod and a node of prod"),
        ("[[farms]]", '[[farms]]\nname = "prod"\nfederation_name = "x.example.com"\n[[farms]]', "two farms are called prod"),
    ],
)
def test_settings_that_contradict_themselves(farm: Site, tmp_path: Path, old: str, new: str, words: str) -> None:
    """A server that is in two places, and two farms of one name, are refused before anything is asked."""
    config = tmp_path / "adfs.toml"
    config.write_text(config.read_text().replace(old, new.format(node=json.dumps(farm.settings.nodes[0])), 1))
    assert words in run(rollover.command, "status", fails=True)


def test_the_journal_of_another_farm(farm: Site, tmp_path: Path) -> None:
    """Two names that become one file name: the other farm's work is not gone on with here."""
    config = tmp_path / "adfs.toml"
    config.write_text(config.read_text().replace('name = "prod"', 'name = "a b"'))
    read(rollover.command, "apply", "--yes")
    config.write_text(config.read_text().replace('name = "a b"', 'name = "a_b"'))
    assert "is the journal of farm a b, not of a_b" in run(rollover.command, "apply", "--yes", fails=True)


def test_a_plan_says_what_is_replaced_once_for_all_places(farm: Site, tmp_path: Path) -> None:
    """A certificate that every server has is one line, and AD FS's own is named by its use."""
    token = run(rollover.command, "plan", "--use", "signing")
    (old,) = (row.certificate.thumbprint for row in farm.farm.shared.certificates if row.use == "Token-Signing")
    assert f"  replaces {old}  Token-Signing\n" in token
    assert f"  by       {'0' * 40}  (AD FS will create it)\n" in token
    shown = run(ssl.command, "plan", *pfx(farm, tmp_path, farm.farm.name, f"certauth.{farm.farm.name}", "app1.example.com"))
    (line,) = (line for line in shown.splitlines() if line.startswith("  replaces"))
    for place in ("node adfs1.corp.example.com", "proxy wap1.dmz.corp.example.com", "Service-Communications", "app wap1"):
        assert place in line


def test_an_emergency_plan_says_what_entra_id_gets_and_loses(farm: Site) -> None:
    """The certificate that does not exist yet in, the stolen one out; nothing that is so already is set."""
    shown = run(rollover.command, "emergency", "--use", "signing", fails=True)
    assert "-Urgent:$true" in shown
    assert "AutoCertificateRollover:$true" not in shown


def test_a_word_for_nobody_is_not_noted(farm: Site) -> None:
    """A partner that is mistyped would be waited for, while somebody believes that it is done."""
    run(rollover.command, "apply", "--use", "signing", "--wait-days", "0", "--yes")
    assert "unknown: Partner 22; to be acknowledged: " in run(rollover.command, "acknowledge", "Partner 22", fails=True)
    assert "Recorded: Partner 2." in run(rollover.command, "acknowledge", "Partner 2")


@pytest.mark.parametrize("command", [rollover.command, ssl.command])
def test_a_plan_that_is_only_shown_keeps_no_key(command: click.Command, farm: Site, tmp_path: Path) -> None:
    """The key of a PFX file waits in the state directory for a plan that is saved, and for work that begins."""
    given = pfx(farm, tmp_path, farm.farm.name, f"certauth.{farm.farm.name}", "app1.example.com")
    keys = tmp_path / "state" / "keys"
    run(command, "plan", *given)
    assert not keys.exists() or not list(keys.iterdir())
    run(command, "plan", *given, "--save", str(tmp_path / "plan.json"))
    assert len(list(keys.iterdir())) == 1
