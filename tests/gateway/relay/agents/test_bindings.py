"""Which accounts an agent may speak of: the rule by itself, and what it makes of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.protocol import AccountId, AnswerBody, Identity, Outcome
from gateway.relay.agents.bindings import DirectoryBindings, asked_about, fold_domain, may_name, names_in
from gateway.store import DirectoryBinding, StoreUnavailable

NOW = 1_800_000_000.0
CORP, EVIL = "9d1c", "e71l"
BOUND = {"corp.example.com": CORP, "corp": CORP, "evil.example": EVIL}
WRONG = Outcome.WRONG_CREDENTIAL


@pytest.mark.parametrize(
    ("bound", "directory", "domains", "allowed", "believed"),
    [
        (BOUND, CORP, ("corp.example.com",), ("corp.example.com",), True),
        (BOUND, CORP, ("evil.example",), ("evil.example",), False),
        (BOUND, EVIL, ("corp.example.com",), ("corp.example.com", "corp"), False),
        # a domain has one directory: also for whoever may answer for any, and for one that nobody has named yet
        (BOUND, CORP, ("evil.example",), None, False),
        (BOUND, "new", ("evil.example",), ("evil.example",), False),
        (BOUND, "new", ("evil.example",), None, False),
        # of a domain that is not bound: a directory that is nobody's, or one of the agent's own domains
        ({}, CORP, ("corp",), ("corp",), True),
        (BOUND, "new", ("new.example",), ("new.example",), True),
        (BOUND, CORP, ("sales.example",), ("sales.example", "corp"), True),
        (BOUND, CORP, ("sales.example",), ("sales.example",), False),
        (BOUND, CORP, ("sales.example",), ("sales.example", "*"), False),
        (BOUND, CORP, ("sales.example",), (), False),
        (BOUND, CORP, ("sales.example",), None, True),
        # a bare name: one of the agent's domains must be bound to it
        (BOUND, CORP, ("sales.example", "corp"), ("sales.example", "corp"), True),
        (BOUND, CORP, ("evil.example", "sales.example"), ("evil.example", "sales.example"), False),
        # agents without a domain of their own have what is left
        ({"*": "rest"}, "rest", ("*",), ("*",), True),
        ({"*": "rest"}, "other", ("*",), ("*",), False),
        (BOUND, CORP, ("*",), ("*",), False),
        # a directory that does not say which one it is, is one, too
        ({"corp": ""}, "", ("corp",), ("corp",), True),
        ({"corp": ""}, "", ("evil.example",), ("evil.example",), False),
        ({"corp": ""}, CORP, ("corp",), ("corp",), False),
    ],
)
def test_a_domains_people_are_in_its_directory(
    bound: Mapping[str, str], directory: str, domains: Sequence[str], allowed: Sequence[str] | None, believed: bool
) -> None:
    """And a directory belongs to those who may answer for one of its domains."""
    assert (may_name(bound, directory, domains, allowed) == "") is believed


class FakeStore:
    """Binds in memory as the database does, and keeps the trail's events."""

    def __init__(self, **bound: str) -> None:
        self.bindings = self.audit = self
        self.bound = dict(bound)
        self.asked: list[Sequence[str]] = []
        self.events: list[Any] = []
        self.down = False
        self.meanwhile: dict[str, str] = {}

    async def all(self) -> list[DirectoryBinding]:
        return [DirectoryBinding(domain, directory, NOW, "somebody") for domain, directory in self.bound.items()]

    async def bind(
        self, domains: Sequence[str], directory: str, *, by: str, now: float, rule: Callable[[Mapping[str, str]], bool]
    ) -> bool:
        if self.down:
            raise StoreUnavailable("relay.db", "database or disk is full", "make room")
        self.asked.append(domains)
        self.bound.update(self.meanwhile)
        if not rule(self.bound):
            return False
        self.bound = {**dict.fromkeys(domains, directory), **self.bound}
        return True

    async def append(self, event: Any) -> None:
        self.events.append(event)


class Judge:
    """Bindings over a store in memory. alarms: those that were raised."""

    def __init__(self, **bound: str) -> None:
        self.store, self.alarms = FakeStore(**bound), list[tuple[str, dict[str, str]]]()
        self.bindings = DirectoryBindings(self.store, lambda: NOW, lambda *alarm: self.alarms.append(alarm))  # type: ignore[arg-type]
        self.claimed = {"corp.example.com", "corp", "evil.example", "*"}

    async def doubt(self, agent: Any, domain: str, body: AnswerBody) -> str:
        await self.bindings.load()
        return await self.bindings.doubt(agent, domain, body, self.claimed)


def agent(allowed: Sequence[str] | None, *claimed: str) -> Any:
    """A connection that claims these domains, or those that it may."""
    claims = tuple(claimed or allowed or ())
    domains = claims if allowed is None else tuple(domain for domain in claims if domain in allowed)
    return SimpleNamespace(
        name="dc1", address="192.0.2.1", allowed=allowed, domains=domains, spoke_for_others=False,
        opened=SimpleNamespace(domains=claims),
    )  # fmt: skip


def refusal(directory: str = CORP) -> AnswerBody:
    return AnswerBody(WRONG, account=AccountId(directory, "anna"))


def success(user_name: str, domain: str = "evil.example", directory: str = EVIL) -> AnswerBody:
    return AnswerBody(Outcome.SUCCESS, Identity("guid", user_name, domain, directory=directory))


async def test_the_first_answer_binds_and_says_so() -> None:
    """One entry in the trail; the second answer asks the store nothing."""
    judge, dc1 = Judge(), agent(("corp.example.com", "corp"))
    for _ in range(2):
        assert await judge.doubt(dc1, "corp.example.com", refusal()) == ""
    assert judge.store.asked == [("corp.example.com",)]
    (event,) = judge.store.events
    assert (event.kind, event.subject, event.agent, event.detail) == (
        "directory.bound", "corp.example.com", "dc1", {"detail": CORP},
    )  # fmt: skip


async def test_whoever_has_one_directory_binds_all_its_domains() -> None:
    """So an agent that may answer for one of them only is believed, whichever is asked about first."""
    judge = Judge()
    assert await judge.doubt(agent(("corp.example.com", "corp"), "corp.example.com", "corp", "*"), "corp", refusal()) == ""
    assert judge.store.bound == {"corp.example.com": CORP, "corp": CORP}
    assert await judge.doubt(agent(("corp.example.com",)), "corp.example.com", refusal()) == ""
    judge = Judge()
    assert await judge.doubt(agent(("corp", "emea"), "corp", "emea"), "corp", refusal()) == ""
    assert judge.store.bound == {"corp": CORP}


async def test_an_agent_that_speaks_for_others_is_told_of_once() -> None:
    """For each connection; each of its answers is refused all the same, without asking the store."""
    judge, rogue = Judge(corp=CORP), agent(("evil.example",))
    for _ in range(3):
        reason = await judge.doubt(rogue, "evil.example", refusal())
        assert "directory 9d1c, but that one belongs to corp" in reason
    ((event, fields),) = judge.alarms
    assert (event, fields["agent"], fields["address"]) == ("agent.spoke_for_others", "dc1", "192.0.2.1")
    assert judge.store.asked == []


async def test_what_another_node_bound_a_moment_ago_counts() -> None:
    """The copy here does not know it yet: the store's rule does."""
    judge, rogue = Judge(), agent(("evil.example",))
    await judge.bindings.load()
    judge.store.meanwhile = {"corp": CORP}
    assert "belongs to corp" in await judge.bindings.doubt(rogue, "evil.example", refusal(), ())
    assert judge.store.bound == {"corp": CORP}
    assert judge.store.events == []


async def test_what_cannot_be_bound_is_not_believed() -> None:
    """The store is down: no alarm, it is nobody's fault."""
    judge = Judge()
    judge.store.down = True
    assert "disk is full" in await judge.doubt(agent(("corp",)), "corp", refusal())
    assert judge.alarms == []


async def test_a_domain_that_nobody_claims_any_more_is_not_left_to_who_takes_the_rest() -> None:
    """Its agents were revoked; its people are asked of those that take `*`, whose word on its directory is worth nothing."""
    judge = Judge(corp=CORP, **{"evil.example": EVIL})
    rest = agent(("evil.example", "*"))
    assert "evil.example is bound to directory e71l" in await judge.doubt(rest, "corp", refusal())
    assert await judge.doubt(rest, "corp", refusal(EVIL)) == ""


async def test_a_success_must_say_whose_it_is() -> None:
    """A refusal need not: nobody was found."""
    judge = Judge()
    assert await judge.doubt(agent(None, "corp"), "corp", AnswerBody(Outcome.SUCCESS)) == "a success without an account"
    assert await judge.doubt(agent(None, "corp"), "corp", AnswerBody(WRONG)) == ""


@pytest.mark.parametrize(
    ("user_name", "domain", "believed"),
    [
        ("ben@evil.example", "evil.example", True),
        ("ben@EVIL.example", "Evil.Example", True),
        ("ben", "evil.example", True),
        ("anna@corp.example.com", "evil.example", False),
        ("anna@corp.example.com ", "evil.example", False),
        ("anna@ｃorp.example.com.", "evil.example", False),  # noqa: RUF001
        ("CORP\\anna", "evil.example", False),
        ("evil.example\\anna@corp.example.com", "evil.example", False),
        ("corp\\ben@evil.example", "evil.example", False),
        ("anna@evil.example@corp.example.com", "evil.example", False),
        ("ben@elsewhere.example", "evil.example", False),
        ("anna＠corp.example.com", "evil.example", False),  # noqa: RUF001
        ("anna﹫corp.example.com", "evil.example", False),
        ("ＣＯＲＰ＼anna", "evil.example", False),  # noqa: RUF001
        ("corp﹨ben@evil.example", "evil.example", False),  # noqa: RUF001
        ("ben＠evil.example", "evil.example", True),  # noqa: RUF001
        ("ben", "corp.example.com", False),
        ("ben", "", True),
    ],
)
async def test_an_identity_names_nobody_elses_domain(user_name: str, domain: str, believed: bool) -> None:
    """Applications may go by the names in it. Whoever may answer for any domain may name any."""
    judge = Judge(**{"evil.example": EVIL})
    body = success(user_name, domain)
    assert (await judge.doubt(agent(("evil.example",)), "evil.example", body) == "") is believed
    assert await judge.doubt(agent(None, "evil.example"), "evil.example", body) == ""


async def test_whoever_takes_the_rest_may_name_what_nobody_claims() -> None:
    """And nothing that is bound, or claimed, by others."""
    judge = Judge(**{"evil.example": EVIL, "bound.example": CORP})
    rest = agent(("evil.example", "*"))
    assert await judge.doubt(rest, "", success("ben@elsewhere.example")) == ""
    for name in ("anna@corp.example.com", "anna@bound.example", "CORP\\anna"):
        assert await judge.doubt(rest, "", success(name))


@pytest.mark.parametrize(
    ("claimed", "domain", "expected"),
    [
        (("corp.example.com", "corp", "*"), "corp", (("corp",), ("corp.example.com",))),
        (("corp.example.com", "corp"), "corp", (("corp",), ())),
        (("corp.example.com", "corp", "*"), "", (("corp.example.com", "corp"), ())),
        (("corp", "*"), "elsewhere.example", (("corp",), ())),
        (("*",), "", (("*",), ())),
    ],
)
def test_what_an_answer_is_about(
    claimed: tuple[str, ...], domain: str, expected: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    """The domain in the name; for other names the agent's own."""
    assert asked_about(agent(None, *claimed), domain) == expected


def test_domains_are_compared_folded() -> None:
    """As they are asked about."""
    assert names_in(Identity("g", "CORP\\anna", "corp.example.com")) == ["corp.example.com", "CORP"]
    assert fold_domain(" Corp.Example.COM.") == "corp.example.com"
    assert fold_domain("ＣＯＲＰ") == "corp"  # noqa: RUF001
