"""What administrators of trusts are refused.

TrustActRefused (a RelayError)
├── TrustUnusable     a document that is no trust
├── UnknownTrust      no trust has this id
├── TrustExists       one has, and it was to be a new one
├── TrustFromFile     it comes from a file: that has to be changed
└── NameTaken         its client identifier or entity ID is another trust's
"""

from __future__ import annotations

from gateway.relay import RelayError


class TrustActRefused(RelayError):
    """Base of this package's refusals."""


class TrustUnusable(TrustActRefused):
    """problems: one or several lines, with file, key and line."""

    def __init__(self, problems: str) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return self.problems


class UnknownTrust(TrustActRefused):
    """No trust has this id."""

    def __init__(self, trust: str) -> None:
        super().__init__(trust)
        self.trust = trust

    def __str__(self) -> str:
        return f"there is no trust {self.trust!r}; `isthmus relay trust list` lists them"


class TrustExists(TrustActRefused):
    """A trust of this id exists."""

    def __init__(self, trust: str) -> None:
        super().__init__(trust)
        self.trust = trust

    def __str__(self) -> str:
        return f"there is a trust {self.trust!r}; change it with `isthmus relay trust import`, or choose another id"


class TrustFromFile(TrustActRefused):
    """file: its name in `server.federation.trusts_dir`."""

    def __init__(self, trust: str, file: str) -> None:
        super().__init__(trust, file)
        self.trust, self.file = trust, file

    def __str__(self) -> str:
        remedy = "change or remove that file in server.federation.trusts_dir"
        return f"the trust {self.trust!r} comes from the file {self.file}; {remedy}"


class NameTaken(TrustActRefused):
    """what: `client_id` or `entity_id`; other: the trust that has it."""

    def __init__(self, what: str, name: str, other: str) -> None:
        super().__init__(what, name, other)
        self.what, self.name, self.other = what, name, other

    def __str__(self) -> str:
        return f"the {self.what} {self.name!r} is that of the trust {self.other!r}; it has to be unique"
