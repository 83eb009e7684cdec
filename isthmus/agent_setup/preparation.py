"""From questions to steps: what is asked, what is found out in between, and what follows from both.

token ─► relay reachable? ─► domain ─► controllers (DNS, or asked) ─► their certificates accepted ─► service account ─► names

No password goes to a server whose certificate nobody has accepted, and nothing is changed here: steps do that, afterwards.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from certs import EnrolmentToken, TokenRefused
from directory import (
    DirectoryError,
    DirectorySettings,
    DomainReading,
    ServerCertificateRefused,
    ServiceAccountRefused,
    ShownChain,
    TlsSettings,
    certificates_in,
)
from foundation.times import minute
from gateway.agent import AgentCoreSettings
from gateway.protocol import CloseCode
from isthmus.agent_setup import questions as ask
from isthmus.agent_setup.decision import ChosenNames, TrustProposal, choose_names, complete_roots, domain_of, propose_trust
from isthmus.agent_setup.errors import DirectoryUnusable, RelayUnusable, TrustUndecided, short
from isthmus.agent_setup.settings_before import ExistingSettings
from isthmus.agent_setup.surroundings import Surroundings
from isthmus.setup import AnswerRefused, Interview, Machine

_TAKEN_BACK = frozenset({CloseCode.REVOKED, CloseCode.EXPIRED, CloseCode.REFUSED, CloseCode.QUARANTINED})
"""What a relay says of a certificate that only a new enrolment replaces."""
_PASSWORD_TRIES = 2
"""At a terminal: each wrong one counts against the account in the directory."""


class Installer(Protocol):
    """Whoever has given the command."""

    def tell(self, text: str) -> None:
        """Something that was found out."""
        ...

    def accepts(self, proposal: TrustProposal) -> bool | None:
        """Whether these certificates are to be trusted; None where nobody is there who could say."""
        ...

    @property
    def can_be_asked(self) -> bool:
        """Whether a question can be put again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """All that the steps need."""

    config: Path
    state_dir: Path
    user: str
    core: AgentCoreSettings
    before: str | None
    """The settings file's text, None for none."""
    health_listen: str
    """Where the agent says whether it is ready; empty: nowhere."""
    token_text: str = field(default="", repr=False)
    token: EnrolmentToken | None = None
    refused_serial: int = 0
    names: ChosenNames
    servers: tuple[str, ...]
    """Empty where the DNS names them."""
    service_user: str
    password_file: Path
    password: str = field(repr=False)
    ca_pem: bytes | None = None
    """None: certificates are pinned instead."""
    ca_file: Path
    ca_is_kept: bool = False
    """It is there already, wherever an administrator has put it."""
    pinned: tuple[str, ...] = ()
    relay_ca: bytes | None = None
    """To be copied; None where there is none, or where it stays where it is."""
    relay_ca_file: Path | None = None


class _Trust:
    """Whom to believe to be a domain controller, as far as it is decided."""

    def __init__(
        self,
        pem: bytes | None,
        pinned: tuple[str, ...] = (),
        chains: Sequence[ShownChain] = (),
        kept: Path | None = None,
    ) -> None:
        self.pem, self.pinned, self.chains = pem, pinned, chains
        self.kept = kept
        """The file that it is in already."""


class Preparer:
    """One run. interview: it knows what `known_answers` has found in the settings that are there."""

    def __init__(
        self, interview: Interview, existing: ExistingSettings, machine: Machine, around: Surroundings, person: Installer
    ) -> None:
        self._interview, self._existing, self._machine = interview, existing, machine
        self._around, self._person = around, person
        self._answers = interview.answers

    def prepare(self) -> Preparation:
        """Raises SetupError."""
        self._interview.put([ask.STATE_DIR, ask.USER, ask.RELAY_CA_FILE, ask.PROXY])
        core, relay_ca = self._core()
        token_text, token, refused = self._token(core)
        allowed = token.domains if token is not None else self._allowed(core)
        likely = domain_of(allowed)
        self._interview.put([replace(ask.DOMAIN, default=lambda _: likely)])
        servers, listed = self._servers()
        trust = self._trust(servers)
        reading, password, trust = self._reading(servers, trust, allowed or ())
        agent = token.name if token is not None else self._name()
        names = choose_names(reading, allowed, agent)
        for note in names.notes:
            self._person.tell(note)
        there = self._existing.path.parent
        return Preparation(
            config=self._existing.path,
            state_dir=self._answers[ask.STATE_DIR],
            user=self._answers[ask.USER],
            core=core,
            before=self._existing.text,
            health_listen=self._existing.health_listen,
            token_text=token_text,
            token=token,
            refused_serial=refused,
            names=names,
            servers=servers if listed or trust.pem is None else (),
            service_user=self._answers[ask.SERVICE_USER],
            password_file=self._password_file(),
            password=password,
            ca_pem=trust.pem,
            ca_file=trust.kept or there / "domain-ca.pem",
            ca_is_kept=trust.kept is not None,
            pinned=trust.pinned,
            relay_ca=relay_ca,
            relay_ca_file=there / "relay-ca.pem" if relay_ca is not None else core.tls_ca_file,
        )

    def _core(self) -> tuple[AgentCoreSettings, bytes | None]:
        """How the relay is reached, and its authority's certificate where that was given now."""
        ca_file, proxy = self._answers[ask.RELAY_CA_FILE], self._answers[ask.PROXY]
        core = AgentCoreSettings(tls_ca_file=ca_file, proxy=proxy or None)
        if ca_file is None or not self._interview.was_given(ask.RELAY_CA_FILE):
            return core, None
        try:
            return core, self._machine.read(ca_file)
        except OSError as error:
            raise AnswerRefused(ask.RELAY_CA_FILE.flag, f"{ca_file} cannot be read ({error.strerror})") from error

    # -- the relay

    def _token(self, core: AgentCoreSettings) -> tuple[str, EnrolmentToken | None, int]:
        """The token, where one is needed or given, and the serial number of a certificate that has to be replaced."""
        state_dir = self._answers[ask.STATE_DIR]
        enrolled = self._around.enrolled(state_dir)
        refused = 0
        if enrolled is not None:
            verdict = self._around.relay_verdict(core, state_dir)
            if self._around.now() > enrolled.not_after or (verdict is not None and verdict.code in _TAKEN_BACK):
                refused = enrolled.serial
        if enrolled is not None and not refused and not self._interview.was_given(ask.TOKEN):
            self._person.tell(f"this machine is enrolled as {enrolled.name}, until {minute(enrolled.not_after)}")
            return "", None, 0
        text = self._interview.put([ask.TOKEN])[ask.TOKEN]
        token = EnrolmentToken.parse(text)
        same = (token.name, token.authority_fingerprint)
        if enrolled is None or refused or (enrolled.name, enrolled.authority) != same:
            try:
                token.check_fresh(self._around.now())
            except TokenRefused as error:
                raise AnswerRefused(ask.TOKEN.flag, str(error)) from error
            problem = self._around.relay_problem(core, token.relay_url)
            if problem is not None:
                remedy = "Give the CA of its certificate with --relay-ca-file." if problem.name == "TLS" else problem.remedy
                raise RelayUnusable(token.relay_url, problem.seen, remedy)
        return text, token, refused

    def _allowed(self, core: AgentCoreSettings) -> tuple[str, ...] | None:
        """What an agent that stays enrolled may answer for, as the relay says; None where it does not."""
        verdict = self._around.relay_verdict(core, self._answers[ask.STATE_DIR])
        return verdict.domains if verdict is not None and verdict.admitted else None

    def _name(self) -> str:
        enrolled = self._around.enrolled(self._answers[ask.STATE_DIR])
        return enrolled.name if enrolled is not None else "NAME"

    # -- the directory

    def _servers(self) -> tuple[tuple[str, ...], bool]:
        """The domain controllers, and whether they have to be listed in the settings."""
        domain = self._answers[ask.DOMAIN]
        if not self._interview.was_given(ask.SERVERS) and not self._existing.words("directories.servers"):
            try:
                found = self._around.find_controllers(domain)
            except DirectoryError as error:
                self._person.tell(str(error))
            else:
                self._person.tell(f"Domain controllers of {domain}, from DNS: {', '.join(found)}")
                return found, False
        return self._interview.put([ask.SERVERS])[ask.SERVERS], True

    def _trust(self, servers: Sequence[str]) -> _Trust:
        self._interview.put([ask.CA_FILE, ask.ACCEPT])
        given = self._answers[ask.CA_FILE]
        if given is not None:
            pem = self._ca_file(given)
            self._verify(_Trust(pem), servers, ask.CA_FILE.flag)
            return _Trust(pem)
        if (kept := self._kept(servers)) is not None:
            return kept
        chains = self._chains(servers)
        proposal = propose_trust(chains)
        self._accept(proposal)
        if proposal.roots:
            trust = _Trust(b"".join(root.pem for root in proposal.roots))
            self._verify(trust, servers, ask.SERVERS.flag)
            return trust
        return _Trust(None, tuple(shown.fingerprint for shown in proposal.shown), chains)

    def _ca_file(self, path: Path) -> bytes:
        try:
            return b"".join(certificate.pem for certificate in certificates_in(self._machine.read(path)))
        except OSError as error:
            raise AnswerRefused(ask.CA_FILE.flag, f"{path} cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise AnswerRefused(ask.CA_FILE.flag, f"{path}: {error}") from error

    def _kept(self, servers: Sequence[str]) -> _Trust | None:
        """What an earlier setup was told to trust, if the servers still fit it."""
        path = self._existing.word("directories.tls.ca_file")
        if not path or self._machine.entry(Path(path)) is None:
            return None
        trust = _Trust(self._machine.read(Path(path)), kept=Path(path))
        try:
            with self._settings(trust, servers) as settings:
                self._around.verify_trust(settings, servers)
        except DirectoryError:
            return None
        return trust

    def _chains(self, servers: Sequence[str]) -> list[ShownChain]:
        """Of the servers that answer."""
        found, problems = [], []
        for server in servers:
            try:
                found.append(self._around.read_chain(server))
            except DirectoryError as error:
                problems.append(str(error))
        if not found:
            raise DirectoryUnusable(ask.SERVERS.flag, f"no domain controller answers over LDAPS: {'; '.join(problems)}")
        for problem in problems:
            self._person.tell(f"left out for now: {problem}")
        return found

    def _accept(self, proposal: TrustProposal) -> None:
        """Raises TrustUndecided."""
        accepted = (*self._answers[ask.ACCEPT], *self._existing.words("directories.tls.pinned_sha256"))
        try:
            proposal.verify_accepted(accepted)
        except TrustUndecided as undecided:
            said = None if self._answers[ask.ACCEPT] else self._person.accepts(proposal)
            if said is None:
                raise
            if not said:
                raise TrustUndecided(undecided.shown, (), refused=True) from undecided

    def _verify(self, trust: _Trust, servers: Sequence[str], flag: str) -> None:
        try:
            with self._settings(trust, servers) as settings:
                self._around.verify_trust(settings, servers)
        except ServerCertificateRefused as error:
            raise DirectoryUnusable(flag, str(error)) from error
        except DirectoryError as error:
            raise DirectoryUnusable(ask.SERVERS.flag, str(error)) from error

    def _reading(self, servers: Sequence[str], trust: _Trust, suffixes: Sequence[str]) -> tuple[DomainReading, str, _Trust]:
        """What the domain says of itself, with a password that works."""
        self._interview.put([ask.SERVICE_USER])
        reading, password = self._sign_in(servers, trust, [suffix for suffix in suffixes if suffix != "*"])
        if trust.pem is not None:
            return reading, password, trust
        with self._settings(trust, servers) as settings:
            published = self._around.published_authorities(settings, servers, password)
        roots = complete_roots(trust.chains, published)
        if roots:
            named = ", ".join(short(root.subject) for root in roots)
            self._person.tell(f"the CA that the directory publishes is used from now on: {named}")
            completed = _Trust(b"".join(root.pem for root in roots))
            self._verify(completed, servers, ask.SERVERS.flag)
            return reading, password, completed
        self._person.tell(
            "the CA of these certificates is not known here, so the certificates themselves are pinned: "
            "repeat this command when they are renewed, or give the CA with --ca-file"
        )
        return reading, password, trust

    def _sign_in(self, servers: Sequence[str], trust: _Trust, suffixes: Sequence[str]) -> tuple[DomainReading, str]:
        tries = _PASSWORD_TRIES if self._person.can_be_asked and not self._interview.was_given(ask.SERVICE_PASSWORD) else 1
        password = self._password_before() or self._interview.put([ask.SERVICE_PASSWORD])[ask.SERVICE_PASSWORD]
        for left in range(tries - 1, -1, -1):
            try:
                with self._settings(trust, servers) as settings:
                    return self._around.read_domain(settings, servers, password, suffixes), password
            except ServiceAccountRefused as error:
                reason = f"{error.server} refuses {error.user}: {error.reason}"
                if not left:
                    raise DirectoryUnusable(ask.SERVICE_PASSWORD.flag, reason) from error
                password = self._interview.reconsider([ask.SERVICE_PASSWORD], reason)[ask.SERVICE_PASSWORD]
            except DirectoryError as error:
                raise DirectoryUnusable("", str(error)) from error
        raise AssertionError("the last try has returned or raised")

    def _password_before(self) -> str | None:
        """The one that is there, for the same account; None where it is to be asked for."""
        path = self._password_file()
        same = self._existing.word("directories.service_user") == self._answers[ask.SERVICE_USER]
        if self._interview.was_given(ask.SERVICE_PASSWORD) or not same or self._machine.entry(path) is None:
            return None
        return self._machine.read(path).decode(errors="replace").rstrip("\r\n") or None

    def _password_file(self) -> Path:
        """Where it is, unless that is only a copy that systemd makes for as long as the service runs."""
        told = self._existing.word("directories.service_password_file")
        return Path(told) if told and not told.startswith("/run/") else self._existing.path.parent / "service.password"

    @contextmanager
    def _settings(self, trust: _Trust, servers: Sequence[str]) -> Iterator[DirectorySettings]:
        """What is known so far, with the authority in a file, as TLS wants it."""
        user = self._answers.get(ask.SERVICE_USER) or ""
        plain = DirectorySettings(name=self._answers[ask.DOMAIN], base_dn="", servers=tuple(servers), service_user=user)
        if trust.pem is None:
            yield replace(plain, tls=TlsSettings(pinned_sha256=trust.pinned))
            return
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(trust.pem)
            file.flush()
            yield replace(plain, tls=TlsSettings(ca_file=Path(file.name)))
