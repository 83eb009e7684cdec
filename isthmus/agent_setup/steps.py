"""Steps that only an agent's setup has: its enrolment, and the check before it is started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs import CertsError, EnrolmentToken, Role, VerifiedPeer, fingerprint, verify_certificate
from foundation.times import minute
from isthmus.setup import Found, Machine, ProgramFailed, StepFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEnrolled:
    """This machine has an identity of the relay that the token is of.

    token: None where the identity that is there is kept. refused: serial number of a certificate that the relay no longer
    takes, 0 for none.
    """

    state_dir: Path
    config: Path
    token_text: str = field(default="", repr=False)
    token: EnrolmentToken | None = None
    refused: int = 0

    @property
    def title(self) -> str:
        """See SetupStep."""
        return "enrolment"

    def find(self, machine: Machine) -> Found:
        """By the certificate that is there."""
        peer, authority = self._identity(machine)
        if peer is None:
            if self.token is None:
                return Found(False, "", wrong="there is no identity and no token", remedy="Give one with --token-file.")
            return Found(False, f"as {self.token.name} at {self.token.relay_url}")
        if self.token is None:
            return Found(True, f"as {peer.name}, until {minute(peer.not_after)}")
        if peer.serial == self.refused:
            return Found(False, f"again, as {self.token.name}: the relay no longer takes the certificate that is there")
        if (peer.name, authority) != (self.token.name, self.token.authority_fingerprint):
            return Found(False, f"as {self.token.name} at {self.token.relay_url}; it was {peer.name}")
        return Found(True, f"as {peer.name}, until {minute(peer.not_after)}")

    def apply(self, machine: Machine) -> str:
        """Redeem the token, as the agent's user; the token goes there through standard input."""
        assert self.token is not None  # noqa: S101 - `find` says so
        try:
            machine.isthmus(["agent", "enrol", "--config", str(self.config), "--token-file", "-"], self.token_text)
        except ProgramFailed as error:
            said = error.said.strip().removeprefix("Error: ")
            raise StepFailed(self.title, said or "it said nothing", "Then repeat this command.") from error
        return f"done, as {self.token.name}"

    def _identity(self, machine: Machine) -> tuple[VerifiedPeer | None, str]:
        """Who this machine is, and whose authority vouches for it."""
        directory = machine.entry(self.state_dir / "identity")
        path = self.state_dir / "identity" / "identity.pem"
        if machine.entry(path) is None or (directory is not None and directory.kind == "link"):  # its owner's: not followed
            return None, ""
        try:
            certificate, authority = x509.load_pem_x509_certificates(machine.read(path))
            der, issuer = (found.public_bytes(Encoding.DER) for found in (certificate, authority))
            peer = verify_certificate(der, authority=authority, role=Role.AGENT, now=machine.now())
        except (CertsError, ValueError):  # expired, or damaged
            return None, ""
        return peer, fingerprint(issuer)


@dataclass(slots=True, kw_only=True)
class AgentChecked:
    """`isthmus agent check` finds nothing that fails. It changes nothing, so it is done anew each time."""

    config: Path
    warnings: list[str] = field(default_factory=list)
    passed: bool = False

    @property
    def title(self) -> str:
        """See SetupStep."""
        return "check"

    def find(self, machine: Machine) -> Found:
        """Done once it has passed."""
        return Found(self.passed, "nothing fails" if self.passed else "by `isthmus agent check`")

    def apply(self, machine: Machine) -> str:
        """As the agent's user."""
        command = ["agent", "check", "--config", str(self.config), "--json"]
        try:
            lines = json.loads(machine.isthmus(command))
        except ProgramFailed as error:
            raise _failure(error, self.config) from error
        self.warnings = [said(line) for line in lines if line["status"] == "warn"]
        self.passed = True
        return f"{sum(line['status'] == 'pass' for line in lines)} passed, {len(self.warnings)} warn"


def _failure(error: ProgramFailed, config: Path) -> StepFailed:
    """With the lines that failed, where the command got as far as that."""
    try:
        failed = [said(line) for line in json.loads(error.said) if line["status"] == "fail"]
    except (ValueError, TypeError, KeyError):
        return StepFailed("check", str(error))
    listed = "".join(f"\n  {line}" for line in failed)
    return StepFailed("check", f"{len(failed)} failed:{listed}\n", f"Fix that, then repeat this command ({config} is kept).")


def said(line: dict[str, str]) -> str:
    """A line of `agent check --json`, for people."""
    return f"{line['name']}: {line['seen']}" + (f" → {line['remedy']}" if line["remedy"] else "")


def sign_in_lines(lines: Sequence[dict[str, str]], user: str) -> list[dict[str, str]]:
    """Those about a user's sign-in: at the directory, and at the relay's page."""
    return [line for line in lines if f"sign-in of {user}" in line["name"]]
