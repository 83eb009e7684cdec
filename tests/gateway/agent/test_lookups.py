"""What an agent says of people without a password, and what it keeps to itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import directory
from gateway.agent import KnownPeople, LookUpSettings
from gateway.agent.lookups import GivenBack, PersonLookUps, RateWindow
from gateway.agent.validator import Checked, Validator
from gateway.agent.withheld import MOST_NAMES, WithheldAttributes, read_withheld
from gateway.protocol import AccountId, LookUpRequest, Outcome, look_up_body, request_body
from tests.support.fakes import FakeDirectories
from tests.support.visitors import Clock

ANNA, PASSWORD = "anna@corp.example.com", "Sommer-2026!"
GUID = "3f1c" + ANNA.encode().hex()


async def go_on() -> None:
    """Leave to bind."""


class Asker:
    """An agent's validator in front of a directory in memory."""

    def __init__(self, home: Path, people: Any = None, **settings: Any) -> None:
        self.clock = Clock()
        self.directories = people or FakeDirectories({ANNA: PASSWORD, "ben@corp.example.com": PASSWORD})
        known = KnownPeople(home, self.clock)
        withheld = WithheldAttributes(home, self.clock)
        self.lookups = PersonLookUps(self.directories, known, withheld, LookUpSettings(**settings), self.clock)
        self.validator = Validator(self.directories, self.lookups)

    async def sign_in(self, name: str = ANNA, password: str = PASSWORD) -> Checked:
        checked = await self.validator.check(request_body("verify", name, password, "", "c"), time.time() + 15, go_on)
        assert isinstance(checked, Checked)
        return checked

    async def look_up(self, body: LookUpRequest | None = None) -> Checked | GivenBack:
        body = body or look_up_body("c0ffee", directory="9d1c", object_guid=GUID)
        return await self.validator.look_up(body, time.time() + 5)


@pytest.fixture
def asker(tmp_path: Path) -> Asker:
    return Asker(tmp_path)


async def test_whoever_signed_in_here_is_told_of(asker: Asker) -> None:
    """Identity, status and when the password was set; a sign-in says that as well. No bind is made."""
    signed_in = await asker.sign_in()
    binds = list(asker.directories.binds)
    found = await asker.look_up()
    assert isinstance(found, Checked)
    body = found.body
    assert (body.outcome, body.status, body.password_set) == (Outcome.SUCCESS, "live", 1_700_000_000.0)
    assert body.password_set == signed_in.body.password_set
    assert body.identity == signed_in.body.identity
    assert body.controller == "dc1:636"
    assert asker.directories.binds == binds


@pytest.mark.parametrize(
    "body",
    [
        look_up_body("c", directory="9d1c", object_guid=GUID),
        look_up_body("c", object_guid=GUID),
        look_up_body("c", directory="9d1c", object_guid="nobody"),
        look_up_body("c", user_name=ANNA),
        look_up_body("c", user_name="nobody@corp.example.com"),
        look_up_body("c", sid="S-1-5-21-1-2-3-4"),
    ],
)
async def test_a_stolen_relay_is_told_of_nobody_who_did_not_sign_in_here(asker: Asker, body: LookUpRequest) -> None:
    """Whoever exists and whoever does not get the same answer: names cannot be tried."""
    await asker.sign_in("ben@corp.example.com")
    await asker.sign_in(password="wrong")  # the account is known to the directory, its password was not right
    asker.directories.disabled.add(ANNA)
    await asker.sign_in()
    assert await asker.look_up(body) == GivenBack("not_mine")


async def test_a_wrong_directory_is_not_the_one_that_was_checked(asker: Asker) -> None:
    """The object's name alone is not the account."""
    await asker.sign_in()
    assert await asker.look_up(look_up_body("c", directory="other", object_guid=GUID)) == GivenBack("not_mine")
    assert asker.directories.looked_up == []


async def test_thirty_days_after_the_last_sign_in_nothing_is_told_any_more(asker: Asker) -> None:
    """A session that lasts longer is unchecked then."""
    await asker.sign_in()
    asker.clock.ahead += 31 * 86_400
    assert await asker.look_up() == GivenBack("not_mine")


async def test_any_person_has_to_be_allowed(tmp_path: Path) -> None:
    """Then everybody is told of, and of nobody that there is none."""
    asker = Asker(tmp_path, any_person=True)
    found = await asker.look_up()
    nobody = await asker.look_up(look_up_body("c", directory="9d1c", object_guid="nobody"))
    assert isinstance(found, Checked)
    assert isinstance(nobody, Checked)
    assert (found.body.status, nobody.body.status) == ("live", "gone")
    assert (nobody.body.identity, nobody.body.account) == (None, AccountId("9d1c", "nobody"))


async def test_so_many_a_minute_and_no_more(tmp_path: Path) -> None:
    """Whoever asks; what is not told anyway counts for nothing, and after a minute it goes on."""
    asker = Asker(tmp_path, lookups_per_minute=3)
    await asker.sign_in()
    for _ in range(5):
        assert await asker.look_up(look_up_body("c", directory="9d1c", object_guid="nobody")) == GivenBack("not_mine")
    answers = [await asker.look_up() for _ in range(5)]
    assert [isinstance(answer, Checked) for answer in answers] == [True] * 3 + [False] * 2
    assert answers[-1] == GivenBack("limit")
    assert len(asker.directories.looked_up) == 3
    asker.clock.ahead += 50
    assert await asker.look_up() == GivenBack("limit")
    asker.clock.ahead += 10.1
    assert isinstance(await asker.look_up(), Checked)
    assert asker.lookups.outcomes == {"not_mine": 5, "live": 4, "limit": 3}


async def test_names_that_are_tried_count_for_the_limit(tmp_path: Path) -> None:
    """The directory is asked for them: a stolen relay may not load it."""
    asker = Asker(tmp_path, lookups_per_minute=2)
    answers = [await asker.look_up(look_up_body("c", user_name=f"name{number}")) for number in range(3)]
    assert answers == [GivenBack("not_mine"), GivenBack("not_mine"), GivenBack("limit")]


@given(st.integers(0, 5), st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_has_more_than_allowed(most: int, pauses: list[float]) -> None:
    """Whenever they come."""
    window, now, taken = RateWindow(most), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if window.take(now):
            taken.append(now)
    for start in taken:
        assert sum(start <= moment < start + 60 for moment in taken) <= most


async def test_attributes_leave_that_the_settings_name_and_the_relay_wants(tmp_path: Path) -> None:
    """The others are named as withheld; the case of a name does not matter."""
    people = FakeDirectories({ANNA: PASSWORD}, offered=("department", "employeeID", "title"))
    people.about["attributes"] = {"department": ("R&D",), "employeeID": ("4711",)}
    asker = Asker(tmp_path, people)
    await asker.sign_in()
    wanted = ("Department", "title", "homePhone")
    found = await asker.look_up(look_up_body("c", directory="9d1c", object_guid=GUID, attributes=wanted))
    assert isinstance(found, Checked)
    assert found.body.identity is not None
    assert found.body.identity.attributes == {"department": ("R&D",)}
    assert found.body.withheld == ("homePhone",)


@pytest.mark.parametrize("status", list(directory.AccountStatus))
async def test_every_status_of_an_account_is_told(asker: Asker, status: directory.AccountStatus) -> None:
    """By its word; somebody who is gone has no identity, and is still the one that was asked about."""
    await asker.sign_in()
    asker.directories.status[ANNA] = status
    found = await asker.look_up()
    assert isinstance(found, Checked)
    assert found.body.status == status.value
    assert (found.body.identity is None) == (status is directory.AccountStatus.GONE)
    assert found.body.subject == AccountId("9d1c", GUID)


class Failing(FakeDirectories):
    """Raises instead of saying who it is."""

    async def look_up(self, *_: Any, **__: Any) -> Any:
        raise self.about["error"]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (directory.NoDirectory("corp", (), "down"), Outcome.NO_DIRECTORY),
        (directory.Ambiguous("anna", ("CN=A", "CN=B")), Outcome.NO_DIRECTORY),
        (directory.StateUnreadable("corp", "CN=A"), Outcome.NO_DIRECTORY),
        (TimeoutError(), Outcome.TIMED_OUT),
        (RuntimeError("secret"), Outcome.NO_DIRECTORY),
    ],
)
async def test_what_the_directory_cannot_say_is_no_status(tmp_path: Path, error: Exception, outcome: Outcome) -> None:
    """An outage is never taken for an account that is gone; an answer is given in any case."""
    asker = Asker(tmp_path, Failing({ANNA: PASSWORD}), any_person=True)
    asker.directories.about["error"] = error
    found = await asker.look_up()
    assert isinstance(found, Checked)
    assert (found.body.outcome, found.body.status, found.body.identity) == (outcome, "", None)
    assert "secret" not in found.body.detail
    assert asker.lookups.outcomes == {"failed": 1}


async def test_each_one_is_logged(asker: Asker) -> None:
    """Who was asked about, under the relay's correlation id, and what was told; values of attributes are not."""
    with structlog.testing.capture_logs() as logs:
        await asker.look_up()
        await asker.sign_in()
        await asker.look_up(look_up_body("c", directory="9d1c", object_guid=GUID, attributes=("homePhone",)))
    said = [entry for entry in logs if entry["event"].startswith("person.")]
    assert [(entry["event"], entry["person"]) for entry in said] == [
        ("person.not_looked_up", GUID),
        ("person.looked_up", GUID),
    ]
    assert said[0]["reason"] == "not_mine"
    assert (said[1]["status"], said[1]["attributes"], said[1]["withheld"]) == ("live", [], ("homePhone",))


async def test_an_agent_without_look_ups_gives_them_back() -> None:
    """As an operation that it does not do."""
    validator = Validator(FakeDirectories({ANNA: PASSWORD}))
    assert await validator.look_up(look_up_body("c", user_name=ANNA), time.time() + 5) == GivenBack("unsupported")


async def test_what_applications_want_and_do_not_get_is_kept_for_the_operator(tmp_path: Path) -> None:
    """For thirty days, over restarts; whom this agent does not know, it keeps nothing of."""
    people = FakeDirectories({ANNA: PASSWORD}, offered=("department",))
    asker = Asker(tmp_path, people)
    body = look_up_body("c", directory="9d1c", object_guid=GUID, attributes=("department", "homePhone"))
    await asker.look_up(body)
    assert read_withheld(tmp_path, asker.clock()) == {}
    await asker.sign_in()
    for _ in range(2):
        await asker.look_up(body)
    assert list(read_withheld(tmp_path, asker.clock())) == ["homePhone"]
    assert list(read_withheld(tmp_path, asker.clock() + 30 * 86_400)) == ["homePhone"]
    assert read_withheld(tmp_path, asker.clock() + 31 * 86_400) == {}


def test_what_is_kept_of_wanted_attributes_is_bounded(tmp_path: Path) -> None:
    """The last ones asked for; a damaged file is none."""
    clock = Clock()
    withheld = WithheldAttributes(tmp_path, clock)
    withheld.note(["first"])
    for number in range(MOST_NAMES * 2):
        withheld.note([f"attribute{number}"])
    assert list(read_withheld(tmp_path, clock())) == ["first"]  # the disk is not waited for at each
    clock.ahead += 60
    withheld.note([])
    kept = list(read_withheld(tmp_path, clock()))
    assert (len(kept), kept[-1]) == (MOST_NAMES, f"attribute{MOST_NAMES * 2 - 1}")
    (tmp_path / "withheld-attributes").write_bytes(b"\xff\xff x\n")
    assert read_withheld(tmp_path, clock()) == {}
