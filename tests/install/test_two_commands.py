"""From a bare Debian 12 to a sign-in with two commands: `isthmus relay setup` and `isthmus agent setup`."""

from __future__ import annotations

import json
import shlex
import shutil
import ssl
import stat
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from demo.browser import Browser
from demo.people import Person
from demo.samba import ServiceAccount, ThrowawayDomain, free_loopback_address
from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from tests.install.machine import BareMachine

pytestmark = [pytest.mark.install, pytest.mark.samba, pytest.mark.long]

Run = Callable[[BareMachine, list[str], str], dict[str, Any]]
"""Runs a setup to its end, with a text as its standard input: what it prints as JSON."""
PLACES = ("etc/isthmus", "var/lib/isthmus-relay", "var/lib/isthmus-agent")
_PASSING = (".db-wal", ".db-shm", ".lock")
"""Endings of files that are there while something runs."""


@dataclass(frozen=True, slots=True)
class Site:
    """Two machines with the program on them, and the addresses of what is to be set up."""

    relay: BareMachine
    agent: BareMachine
    address: str
    port: int
    metrics_port: int
    tls: Path

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"


@contextmanager
def made_site(installed: Mapping[str, BareMachine], domain: ThrowawayDomain, service: ServiceAccount) -> Iterator[Site]:
    """Copies of the two machines, with the files that an administrator brings."""
    address = free_loopback_address()
    with installed["relay"].copied() as relay, installed["agent"].copied() as agent:
        agent.write("/etc/hosts", f"127.0.0.1 localhost\n{domain.address} {domain.host}\n")
        write_certificates(relay.path("/root/tls"), dns_name="signin.example.com", address=address)
        shutil.copy(relay.path("/root/tls/ca.pem"), agent.path("/root/relay-ca.pem"))
        shutil.copy(service.password_file, agent.path("/root/service.password"))
        tls = relay.path("/root/tls/ca.pem")
        yield Site(relay, agent, address, free_port(address), free_port(address), tls)


def relay_setup(site: Site, domain: ThrowawayDomain) -> list[str]:
    return [
        *("isthmus", "relay", "setup", "--yes", "--json", "--public-url", site.url),
        *("--tls-certificate", "/root/tls/cert.pem", "--tls-key", "/root/tls/key.pem"),
        *("--organisation", "Example", "--domain", domain.dns_domain, "--netbios-name", domain.netbios_name),
        *("--listen", f"{site.address}:{site.port}", "--metrics-listen", f"{site.address}:{site.metrics_port}"),
    ]


def agent_setup(domain: ThrowawayDomain, service: ServiceAccount, user: Person) -> list[str]:
    return [
        *("isthmus", "agent", "setup", "--yes", "--json", "--token-file", "-", "--relay-ca-file", "/root/relay-ca.pem"),
        *("--domain", domain.dns_domain, "--server", domain.host),
        *("--accept-fingerprint", fingerprint(domain.ca_file), "--service-user", service.upn),
        *("--service-password-file", "/root/service.password"),
        *("--test-user", user.upn, "--test-password-file", "/root/test.password"),
    ]


def undisturbed(machine: BareMachine, command: list[str], text: str) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(machine.must(*command, text=text))
    return printed


def killed_at_every_step(machine: BareMachine, command: list[str], text: str) -> dict[str, Any]:
    """Killed after the first step, started again, killed after the second, and so on; then left alone."""
    steps = 0
    while machine.killed_after(steps + 1, *command, text=text):
        steps += 1
    assert steps > 5, "it never came far enough to be killed"
    return undisturbed(machine, command, text)


@pytest.mark.parametrize("run", [undisturbed, killed_at_every_step])
def test_two_commands_and_somebody_signs_in(
    run: Run,
    installed: Mapping[str, BareMachine],
    domain: ThrowawayDomain,
    service: ServiceAccount,
    outcomes: dict[str, Any],
) -> None:
    """Without systemd each prints what to start. Interrupted anywhere and started again, it ends the same way."""
    anna = domain.people["anna"]
    with made_site(installed, domain, service) as site:
        site.agent.write("/root/test.password", anna.password)
        site.agent.path("/root/test.password").chmod(0o600)
        relay = run(site.relay, relay_setup(site, domain), "")
        site.relay.start(*shlex.split(relay["start"]), log="/root/relay.log")
        wait_for_ready(site)
        agent = run(site.agent, agent_setup(domain, service, anna), relay["token"])
        assert [line["status"] for line in agent["test_sign_in"]] == ["pass"], agent
        site.agent.start(*shlex.split(agent["start"]), log="/root/agent.log")
        wait_for_ready(site, "/readyz")
        check = ("isthmus", "agent", "check", "--user", anna.upn, "--password-file", "-", "--at-page")
        assert "FAIL" not in site.agent.must(*check, text=anna.password)
        page = Browser(site.url, ssl.create_default_context(cafile=str(site.tls))).sign_in(anna.upn, anna.password)
        assert (page.path, page.status) == ("/account", 200), page.notes
        site.relay.close()
        site.agent.close()
        outcomes[run.__name__] = {**state_of(site.relay), **state_of(site.agent)}
    assert len({json.dumps(outcome) for outcome in outcomes.values()}) == 1, outcomes


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Any]:
    """What each way to a finished setup has left: they are compared."""
    return {}


def wait_for_ready(site: Site, path: str = "/healthz") -> None:
    """Until the relay answers 200 there."""
    give_up = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://{site.address}:{site.metrics_port}{path}", timeout=5):
                return
        except OSError as error:
            said = error.read().decode() if isinstance(error, urllib.error.HTTPError) else str(error)
            logs = [machine.path(f"/root/{machine.name}.log") for machine in (site.relay, site.agent)]
            text = "\n".join(log.read_text()[-3000:] for log in logs if log.exists())
            assert time.monotonic() < give_up, f"{path}: {said}\n{text}"
        time.sleep(0.05)


def state_of(machine: BareMachine) -> dict[str, str]:
    """Type, mode and owner of every file that the setup and the processes have made."""
    found = {}
    users = {line.split(":")[2]: line.split(":")[0] for line in machine.path("/etc/passwd").read_text().splitlines()}
    for place in PLACES:
        for path in (machine.path(place), *sorted(machine.path(place).rglob("*"))):
            if path.exists() and not path.name.endswith(_PASSING):
                status = path.lstat()
                owner = users.get(str(status.st_uid), str(status.st_uid))
                found[str(path.relative_to(machine.root))] = f"{stat.filemode(status.st_mode)} {owner}"
    return found


def fingerprint(file: Path) -> str:
    """SHA-256, as `openssl x509 -fingerprint` shows it."""
    return x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(hashes.SHA256()).hex(":")
