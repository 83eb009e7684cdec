"""What the relay refuses.

RelayError
├── EnrolmentRefused     a token that is unknown, used, expired or for somebody else; a request without proof
├── RenewalRefused       a certificate request that this agent may not make
├── UnknownAgent         no agent of this name was ever enrolled
├── UnknownPerson        nobody who signed in by this name, or with this GUID
├── AmbiguousPerson      several people signed in by this name
├── AuditReplaced        the audit trail no longer holds an entry that was noted elsewhere
├── ActRefused           the running relay refused an administrator's act
├── ActUnavailable       the running relay's database did not answer
├── RelayAbsent          no relay listens on the control socket
├── RelayUnresponsive    the running relay did not answer on its control socket
└── NotPermitted         somebody else's state directory
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class RelayError(Exception):
    """Base of the relay's own refusals."""


class EnrolmentRefused(RelayError):
    """An enrolment was refused; `reason` may be told to whoever asks."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"enrolment refused: {self.reason}. Make a new token with `isthmus relay token --name NAME --domain DOMAIN`"


class RenewalRefused(RelayError):
    """A renewal was refused; `reason` is told to the agent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"renewal refused: {self.reason}"


class UnknownAgent(RelayError):
    """No agent of this name was ever enrolled."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no agent {self.name!r} was enrolled here; `isthmus relay agents` lists them"


class UnknownPerson(RelayError):
    """The trail knows of nobody who signed in by this name, or whose GUID this is."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.user = user

    def __str__(self) -> str:
        return (
            f"the audit trail says nothing of an account {self.user!r}: give a name exactly as it was typed at a sign-in "
            "that succeeded, or the objectGUID or entryUUID. Or was it removed already?"
        )


class AmbiguousPerson(RelayError):
    """Several people signed in by this name; `accounts` are their GUIDs."""

    def __init__(self, user: str, accounts: Sequence[str]) -> None:
        super().__init__(user, accounts)
        self.user, self.accounts = user, tuple(accounts)

    def __str__(self) -> str:
        return f"{self.user!r} was the name of several accounts, give the GUID of one: {', '.join(self.accounts)}"


class AuditReplaced(RelayError):
    """The trail holds in itself, and yet entry `chain`-`seq` is not the one that was noted."""

    def __init__(self, chain: int, seq: int) -> None:
        super().__init__(chain, seq)
        self.chain, self.seq = chain, seq

    def __str__(self) -> str:
        entry = f"{self.chain}-{self.seq}"
        return f"entry {entry} is not the one that was noted: the trail was put back to an earlier state, or replaced"


class ActRefused(RelayError):
    """The running relay refused an act; `reason` is its text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class ActUnavailable(RelayError):
    """The running relay could not do an act, because its database did not take it; `reason` is its text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class RelayAbsent(RelayError):
    """No relay runs there; a socket may be left over from one that was killed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"no relay listens on {self.path}"


class RelayUnresponsive(RelayError):
    """The running relay took an order and did not answer: it may have carried it out or not."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the running relay did not answer ({self.reason}); see its log"


class NotPermitted(RelayError):
    """Keys, database and control socket are the relay's own user's."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{self.path}: only root and the relay's own user may; run the command as root. Where you do, see "
            "`isthmus config check`: something in there belongs to somebody else"
        )
