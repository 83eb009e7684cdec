"""Who somebody is, without a password, as far as this agent may say it.

    known here? ──► within the limit? ──► directory: find ──► known here? ──► state, groups, attributes
       │ no             │ no                                      │ no
       └─► not_mine     └─► limit                                 └─► not_mine

A relay that was stolen asks this, too, and needs nobody's password for it. So it is told of nobody but those who signed in
through this agent lately, so many a minute, and no attributes but those that the settings name. "Not mine" is said of
everybody else alike, whether there is such a person or not.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

import structlog
from msgspec import Struct
from msgspec.structs import replace

import directory
from gateway.agent.identities import bounded_identity
from gateway.agent.known_people import KnownPeople
from gateway.agent.ports import CredentialDirectories
from gateway.agent.settings import LookUpSettings
from gateway.agent.withheld import WithheldAttributes
from gateway.protocol import AccountId, AnswerBody, LookUpRequest, Outcome

log = structlog.get_logger()

_MINUTE = 60.0


class GivenBack(Struct, frozen=True):
    """A request that is given back unanswered: another agent may be asked. reason: see `protocol.messages.Refuse`."""

    reason: str


class RateWindow:
    """At most `most` in any 60 s. Pure: `now` is Unix seconds on a clock that does not jump."""

    def __init__(self, most: int) -> None:
        self._taken: deque[float] = deque(maxlen=most)

    def take(self, now: float) -> bool:
        """Take one; False where there is none left."""
        taken = self._taken
        if len(taken) == taken.maxlen and (not taken or now - taken[0] < _MINUTE):
            return False
        taken.append(now)
        return True


class PersonLookUps:
    """One for an agent. clock: that of the directories' deadlines."""

    def __init__(
        self,
        directories: CredentialDirectories,
        people: KnownPeople,
        withheld: WithheldAttributes,
        settings: LookUpSettings,
        clock: Callable[[], float],
    ) -> None:
        self._directories, self._people, self._settings, self._clock = directories, people, settings, clock
        self._withheld = withheld
        self._window = RateWindow(settings.lookups_per_minute)
        self.outcomes: Counter[str] = Counter()
        """What came of them so far: the status that was said, `not_mine`, `limit` or `failed`."""

    def note(self, account: AccountId) -> None:
        """The account's password was right here."""
        self._people.note(account)

    async def answer(self, body: LookUpRequest, deadline: float) -> AnswerBody | GivenBack:
        """What the relay is told. Raises DirectoryError, TimeoutError."""
        started = time.perf_counter()
        reason = self._refuse(body)
        found = None if reason else await self._ask(body, deadline)
        if found is None:
            return self._give_back(body, reason or "not_mine")
        return self._answer(body, found, (time.perf_counter() - started) * 1000)

    def count_failure(self) -> None:
        """The directory could not say."""
        self.outcomes["failed"] += 1

    def _refuse(self, body: LookUpRequest) -> str:
        """Why the directory is not even asked; empty where it is. What is not told anyway counts for no limit."""
        if body.object_guid and not self._may_tell(directory.DirectoryObject(body.directory, body.object_guid)):
            return "not_mine"
        return "" if self._window.take(self._clock()) else "limit"

    def _may_tell(self, whose: directory.DirectoryObject) -> bool:
        return self._settings.any_person or self._people.knows(AccountId(*whose))

    async def _ask(self, body: LookUpRequest, deadline: float) -> directory.FoundPerson | None:
        person = directory.PersonReference(
            domain=body.domain, object_guid=body.object_guid, sid=body.sid, user_name=body.user_name
        )
        return await self._directories.look_up(person, deadline=deadline, may_tell=self._may_tell)

    def _give_back(self, body: LookUpRequest, reason: str) -> GivenBack:
        self.outcomes[reason] += 1
        log.info("person.not_looked_up", person=body.person, reason=reason)
        return GivenBack(reason)

    def _answer(self, body: LookUpRequest, found: directory.FoundPerson, milliseconds: float) -> AnswerBody:
        offered = {name.lower() for name in found.offered}
        wanted = {name.lower() for name in body.attributes}
        withheld = tuple(name for name in body.attributes if name.lower() not in offered)
        identity, left_out = None, list[str]()
        if found.identity is not None:
            chosen = {name: values for name, values in found.identity.attributes.items() if name.lower() in wanted}
            identity, left_out = bounded_identity(replace(found.identity, attributes=chosen))
            self._withheld.note(withheld)
        self.outcomes[found.status.value] += 1
        log.info(
            "person.looked_up",
            person=body.person,
            status=found.status.value,
            attributes=sorted(identity.attributes) if identity is not None else [],
            withheld=withheld,
            left_out=left_out,
            milliseconds=round(milliseconds, 1),
        )
        return AnswerBody(
            Outcome.SUCCESS,
            identity,
            detail=f"left out: {', '.join(left_out)}"[:200] if left_out else "",
            milliseconds=milliseconds,
            account=AccountId(*found.account) if identity is None else None,
            controller=found.controller,
            password_set=min(found.password_set, 2.0**40),
            status=found.status.value,
            withheld=withheld,
        )
