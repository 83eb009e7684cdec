"""What stands in the way of an answer, by who may be told.

SamlRefusal
├── PartyRefused       nobody is proven to have asked: a page, and nothing is sent to any address
└── StatusRefused     the party is known and where its answers go, too: it is told a status
"""

from __future__ import annotations

from gateway.federation.saml.names import REQUESTER


class SamlRefusal(Exception):
    """detail: for the operator's log; a stranger never sees it."""

    def __init__(self, detail: str, *, trust: str = "") -> None:
        super().__init__(detail)
        self.detail, self.trust = detail, trust

    def __str__(self) -> str:
        return f"{self.trust}: {self.detail}" if self.trust else self.detail


class PartyRefused(SamlRefusal):
    """An unknown party, a signature that does not hold, an address that is none of the party's."""


class StatusRefused(SamlRefusal):
    """The answer is a status (saml-core-2.0-os section 3.2.2.2). code: the outer one, sub_code: the inner one."""

    def __init__(self, detail: str, sub_code: str, *, code: str = REQUESTER, trust: str = "") -> None:
        super().__init__(detail, trust=trust)
        self.code, self.sub_code = code, sub_code
