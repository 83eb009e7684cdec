"""Why an agent cannot be set up as asked.

SetupError
├── DomainsDiffer        the token is for other domains than the directory's
├── TrustUndecided       nobody has accepted the domain controllers' certificates
├── DirectoryUnusable    the directory, or the service account there, cannot be asked
└── RelayUnusable        the relay cannot be reached from here
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from directory import ShownCertificate
from foundation.times import minute
from isthmus.setup import SetupError
from isthmus.terminal import visible

_LONGEST = 200
"""Characters of a certificate's subject that are shown."""


class DomainsDiffer(SetupError):
    """own: the directory's names. allowed: the token's domains. missing: those of `own` that the token has to have."""

    def __init__(self, own: Sequence[str], allowed: Sequence[str], missing: Sequence[str], agent: str) -> None:
        super().__init__(tuple(own), tuple(allowed), tuple(missing), agent)
        self.own, self.allowed, self.missing, self.agent = tuple(own), tuple(allowed), tuple(missing), agent

    def __str__(self) -> str:
        domains = dict.fromkeys((*self.allowed, *self.missing))
        # Quoted: these are the directory's words, and a shell will read them
        options = " ".join(f"--domain {shlex.quote(domain)}" for domain in domains)
        return (
            f"the token is for {_listed(self.allowed) or 'no domain'}, and this directory is {_listed(self.own)}: "
            "the relay would ask this agent about none of its users. Is this the right directory? Then, on the relay:\n"
            f"  isthmus relay token --name {shlex.quote(self.agent)} {visible(options)}"
        )


class TrustUndecided(SetupError):
    """shown: the certificates that would have to be trusted. refused: somebody was asked, and said no."""

    def __init__(self, shown: Sequence[ShownCertificate], given: Sequence[str], *, refused: bool = False) -> None:
        super().__init__(tuple(shown), tuple(given), refused)
        self.shown, self.given, self.refused = tuple(shown), tuple(given), refused

    def __str__(self) -> str:
        if self.refused:
            return "the certificates were not accepted, and no password was sent anywhere. Find out which servers these are."
        problem = "none of these has the given fingerprint" if self.given else "this certificate has not been accepted"
        lines = "".join(f"\n  {described(certificate)}\n  {certificate.printed_fingerprint}" for certificate in self.shown)
        return (
            f"the domain controllers' certificates: {problem}, and no password was sent anywhere:{lines}\n"
            "Compare it on a domain controller, then give it with --accept-fingerprint; or give the CA in a file with "
            "--ca-file."
        )


class DirectoryUnusable(SetupError):
    """flag: the option to correct; empty where it is none."""

    def __init__(self, flag: str, reason: str) -> None:
        super().__init__(flag, reason)
        self.flag, self.reason = flag, reason

    def __str__(self) -> str:
        return f"{self.flag}: {self.reason}" if self.flag else self.reason


class RelayUnusable(SetupError):
    """reason, remedy: for people."""

    def __init__(self, relay: str, reason: str, remedy: str) -> None:
        super().__init__(relay, reason, remedy)
        self.relay, self.reason, self.remedy = relay, reason, remedy

    def __str__(self) -> str:
        return f"{self.relay}: {self.reason}. {self.remedy}"


def described(certificate: ShownCertificate) -> str:
    """A certificate in a line: whoever made it must not add lines, as with the fingerprint of another one."""
    subject, issuer = short(certificate.subject), short(certificate.issuer)
    by = "" if issuer == subject else f", issued by {issuer}"
    return f"{subject}{by}, valid until {minute(certificate.not_after)}"


def short(name: str) -> str:
    """What a stranger calls himself, in a line."""
    return visible(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…")


def _listed(names: Sequence[str]) -> str:
    return visible(", ".join(names))
