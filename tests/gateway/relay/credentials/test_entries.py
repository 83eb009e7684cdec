"""What an entry of the trail says of a credential check: enough to explain it afterwards."""

from __future__ import annotations

import pytest

from gateway.protocol import AnswerBody, Outcome
from gateway.relay import Attempt
from gateway.relay.agents import Dispatched, Task
from tests.gateway.relay.agents.exchange import in_virtual_time
from tests.gateway.relay.credentials.test_authenticator import ANNA, FakeDispatcher, House

CONTROLLER = "dc1.corp.example.com:636"


class Answering(FakeDispatcher):
    """Answers one thing."""

    def __init__(self, body: AnswerBody) -> None:
        super().__init__()
        self.body = body

    async def dispatch(self, task: Task) -> Dispatched:
        return Dispatched(self.body, "dc1-agent")


@in_virtual_time
async def test_a_refusal_says_whom_it_was_about_and_who_said_so() -> None:
    """Account, agent, domain controller and sub-code, of refusals as of successes."""
    body = AnswerBody(Outcome.WRONG_CREDENTIAL, detail="data 52e", account=ANNA, controller=CONTROLLER)
    house = House(dispatcher=Answering(body))
    await house.sign_in("anna", "wrong")
    (event,) = house.trail.events
    assert (event.account, event.agent, event.controller) == (ANNA, "dc1-agent", CONTROLLER)
    assert event.detail == {"detail": "data 52e"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (AnswerBody(Outcome.PASSWORD_REJECTED, None, True, rule="min_length", rule_value=12), {"rule": "min_length 12"}),
        (AnswerBody(Outcome.PASSWORD_REJECTED, None, True, rule="history"), {"rule": "history"}),
        (AnswerBody(Outcome.PASSWORD_REJECTED, None, True), {"rule": "unknown"}),
        (AnswerBody(Outcome.PASSWORD_REJECTED, rule="history"), {"rule": "history", "password": "not proven"}),
        (AnswerBody(Outcome.WRONG_CREDENTIAL, rule="history"), {}),
    ],
)
def test_of_a_new_password_it_says_which_rule_refused_it(body: AnswerBody, detail: dict[str, str]) -> None:
    """And whether the old one was right, since otherwise the page said nothing of a rule."""

    @in_virtual_time
    async def change() -> None:
        house = House(dispatcher=Answering(body))
        attempt = Attempt(user_name="anna", password="old", address="192.0.2.1", correlation_id="c")
        await house.check.change_password(attempt, "new")
        (event,) = house.trail.events
        assert event.detail == detail

    change()
