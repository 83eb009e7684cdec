"""What stops an agent, or sends it on its way again.

AgentError
├── NotEnrolled        no identity here yet
├── EnrolmentFailed    the relay, or the way to it, refused the enrolment
└── RelayUnreachable   no conversation with the relay came about; tried again without end
"""

from __future__ import annotations


class AgentError(Exception):
    """Base of the agent's own errors."""


class NotEnrolled(AgentError):
    """There is no identity in the state directory."""

    def __init__(self, state_dir: object) -> None:
        super().__init__(state_dir)
        self.state_dir = state_dir

    def __str__(self) -> str:
        return (
            f"no identity in {self.state_dir}: this agent was never enrolled. On the relay run "
            "`isthmus relay token --name NAME --domain DOMAIN`, then here `isthmus agent enrol --token-file -`"
        )


class EnrolmentFailed(AgentError):
    """The relay did not enrol this agent. refused: it said so, and will say so again to the same token."""

    def __init__(self, relay: str, reason: str, *, refused: bool = False) -> None:
        super().__init__(relay, reason)
        self.relay, self.reason, self.refused = relay, reason, refused

    def __str__(self) -> str:
        remedy = ". Make a new token on the relay: isthmus relay token --name NAME --domain DOMAIN" if self.refused else ""
        return f"{self.relay} did not enrol this agent: {self.reason}{remedy}"


class RelayUnreachable(AgentError):
    """No conversation with the relay came about."""

    def __init__(self, relay: str, reason: str) -> None:
        super().__init__(relay, reason)
        self.relay, self.reason = relay, reason

    def __str__(self) -> str:
        return f"cannot talk to {self.relay}: {self.reason}"
