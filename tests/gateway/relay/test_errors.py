"""What the relay refuses, in words."""

from __future__ import annotations

from gateway.relay.errors import EnrolmentRefused, RelayError, RenewalRefused, UnknownAgent


def test_every_refusal_is_the_relays() -> None:
    """One base for who wants to catch them all."""
    assert all(issubclass(kind, RelayError) for kind in (EnrolmentRefused, RenewalRefused, UnknownAgent))


def test_a_refused_enrolment_tells_the_way_to_another_token() -> None:
    """The reason alone goes to whoever asked; the log has the remedy."""
    refused = EnrolmentRefused("the token is used")
    assert refused.reason == "the token is used"
    remedy = "Make a new token with `isthmus relay token --name NAME --domain DOMAIN`"
    assert str(refused) == f"enrolment refused: the token is used. {remedy}"


def test_a_refused_renewal_tells_why() -> None:
    """The agent's operator reads it."""
    assert RenewalRefused("this agent was revoked").reason == "this agent was revoked"
    assert str(RenewalRefused("this agent was revoked")) == "renewal refused: this agent was revoked"


def test_an_unknown_agent_is_named() -> None:
    """As it was typed, with what lists the known ones."""
    assert UnknownAgent("agnet1\n").name == "agnet1\n"
    assert str(UnknownAgent("agnet1\n")) == r"no agent 'agnet1\n' was enrolled here; `isthmus relay agents` lists them"
