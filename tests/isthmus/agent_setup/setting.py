"""A token, a domain and a machine for tests of an agent's setup."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certs import Authority, EnrolmentToken, MachineIdentity, Role, fingerprint
from directory import DomainNames, DomainReading, ShownCertificate, ShownChain
from gateway.protocol import CloseCode
from isthmus.agent_setup import Enrolled, Preparation, Preparer, TrustProposal, known_answers, read_existing
from isthmus.setup import FileAccess, Given, Interview, ProgramFailed
from tests.directory.test_authority import ISSUING, ROOT, SERVER
from tests.fakes.machine import FakeMachine
from tests.fakes.surroundings import FakeSurroundings

NOW = 1_000_000.0
PASSWORD = "Harbour-Strait-9"
RELAY = "https://signin.example.com"
DOMAINS = ("corp.example.com", "corp", "example.com", "*")
CONFIG = Path("/etc/isthmus/agent.toml")
STATE = Path("/var/lib/isthmus-agent")
IDENTITY = STATE / "identity" / "identity.pem"
ROOT_SHOWN = ShownCertificate(ROOT.der)
SERVER_SHOWN = ShownCertificate(SERVER.der)
NAMES = DomainNames(
    base_dn="DC=corp,DC=example,DC=com", dns_name="corp.example.com", netbios_name="CORP", upn_suffixes=("example.com",)
)


def chain(server: str, *, root: bool = True) -> ShownChain:
    """What one domain controller shows: with its root, or as Windows does, without."""
    links = [SERVER, ISSUING, ROOT] if root else [SERVER, ISSUING]
    certificates = tuple(ShownCertificate(link.der) for link in links)
    return ShownChain(server=server, certificates=certificates, root=ROOT_SHOWN if root else None)


def surroundings(*servers: str, root: bool = True, **fields: Any) -> FakeSurroundings:
    """A domain of these servers, two in the DNS by default."""
    there = servers or ("dc1.corp.example.com:636", "dc2.corp.example.com:636")
    return FakeSurroundings(
        chains={server: chain(server, root=root) for server in there},
        reading=DomainReading(names=NAMES, in_use={"example.com": True}),
        password=PASSWORD,
        by_dns={"corp.example.com": there},
        clock=NOW,
        **fields,
    )


class FakeRelay:
    """An authority, its tokens, and what `isthmus agent enrol` and `agent check` do on a machine that is set up."""

    def __init__(self, home: Path) -> None:
        self.authority = Authority.create(home / "ca", name="relay1", now=NOW)
        self.home = home
        self.spent: set[str] = set()
        self.checks: list[dict[str, str]] = [{"name": "identity", "status": "pass", "seen": "dc1", "remedy": ""}]

    def token(self, name: str = "dc1-agent", domains: tuple[str, ...] | None = DOMAINS, now: float = NOW) -> EnrolmentToken:
        """A new one."""
        mark = fingerprint(self.authority.certificate_der)
        return EnrolmentToken.create(name=name, relay_url=RELAY, authority_fingerprint=mark, now=now, domains=domains)

    def enrol(self, machine: FakeMachine, arguments: Sequence[str], text: str) -> str:
        """`isthmus agent enrol --token-file -`: once for a token."""
        token = EnrolmentToken.parse(text)
        if token.id in self.spent:
            raise ProgramFailed(["isthmus", *arguments], 1, "Error: did not enrol this agent: the token is used")
        self.spent.add(token.id)
        home = self.home / token.id
        csr = MachineIdentity.begin(home, name=token.name)
        issued = self.authority.issue(csr, name=token.name, role=Role.AGENT, now=NOW)
        der = self.authority.certificate_der
        MachineIdentity.install(home, issued, der, name=token.name, role=Role.AGENT, now=NOW)
        user = next(iter(machine.users.values()))
        machine.put(str(IDENTITY), (home / "identity.pem").read_bytes(), 0o600, user.uid, user.gid)
        return "Enrolled"

    def check(self, machine: FakeMachine, arguments: Sequence[str], text: str) -> str:
        """`isthmus agent check --json`; the line of a sign-in with `--user` alone."""
        lines = [line for line in self.checks if "--user" in arguments or not line["name"].startswith("sign-in")]
        said = json.dumps(lines)
        if any(line["status"] == "fail" for line in lines):
            raise ProgramFailed(["isthmus", *arguments], 1, said)
        return said

    def machine(self, **fields: Any) -> FakeMachine:
        """One where these commands are installed."""
        machine = FakeMachine(clock=NOW, **fields)
        machine.commands |= {("agent", "enrol"): self.enrol, ("agent", "check"): self.check}
        return machine

    def identity_on(self, machine: FakeMachine) -> Enrolled | None:
        """What the machine has, as the real surroundings read it."""
        if IDENTITY not in machine.files:
            return None
        home = self.home / "read"
        home.mkdir(mode=0o700, exist_ok=True)
        (home / "identity.pem").touch(0o600)
        (home / "identity.pem").write_bytes(machine.read(IDENTITY))
        found = MachineIdentity.load(home)
        return Enrolled(found.name, found.serial, fingerprint(self.authority.certificate_der), found.not_after)


@dataclass
class Somebody:
    """Who answers at a terminal: an Asker and an Installer. accept: of certificates; None: nobody is there."""

    typed: dict[str, list[str]] = field(default_factory=dict)
    accept: bool | None = None
    told: list[str] = field(default_factory=list)
    shown: list[TrustProposal] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def ask(self, question: Any, default: str | None) -> str:
        self.asked.append(question.key)
        if self.typed.get(question.key):
            return self.typed[question.key].pop(0)
        assert default is not None, f"{question.key} was asked"
        return default

    def refuse(self, reason: str) -> None:
        self.told.append(reason)

    def tell(self, text: str) -> None:
        self.told.append(text)

    def accepts(self, proposal: TrustProposal) -> bool | None:
        self.shown.append(proposal)
        return self.accept

    @property
    def can_be_asked(self) -> bool:
        return self.accept is not None


def prepared(
    machine: FakeMachine, around: FakeSurroundings, given: dict[str, str] | None = None, person: Somebody | None = None
) -> Preparation:
    """From options, and from whoever is there."""
    somebody = person or Somebody()
    existing = read_existing(machine, CONFIG)
    options = {key: Given(text, f"--{key}") for key, text in (given or {}).items()}
    asker = somebody if somebody.can_be_asked else None
    interview = Interview(options, asker, known_answers(existing, machine))
    return Preparer(interview, existing, machine, around, somebody).prepare()


def options(token: EnrolmentToken, **more: str) -> dict[str, str]:
    """Those that nobody need be asked with."""
    return {
        "token": token.text,
        "domain": "corp.example.com",
        "accept_fingerprints": ROOT_SHOWN.printed_fingerprint,
        "service_user": "svc-isthmus@corp.example.com",
        "service_password": PASSWORD,
        **more,
    }


REVOKED = CloseCode.REVOKED
CLOSED = FileAccess(0, 0, 0o600)
