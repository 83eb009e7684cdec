"""Who somebody is and whether the account lives, without a password.

find ──► may it be told? ──► state ──► groups ──► identity
  │         (else: nothing more is read, and nothing said)
  └── nobody: another domain controller is asked, too. One that lags behind must not end anybody's sessions
"""

from __future__ import annotations

from collections.abc import Callable

from directory.errors import LdapConnectionError
from directory.ldap import Controller, Controllers, LdapConnection, is_server_fault
from directory.model import AccountStatus, DirectoryObject, FoundPerson, PersonReference
from directory.people.accounts import Account
from directory.people.finder import AccountFinder

MayTell = Callable[[DirectoryObject], bool]
"""Whether anything may be said of an account."""
_AGREE = 2
"""Domain controllers that have to say that somebody is gone, where so many can be asked."""


class PersonLookup:
    """One for a directory. clock: Unix seconds."""

    def __init__(self, controllers: Controllers, finder: AccountFinder, clock: Callable[[], float]) -> None:
        self._controllers, self._finder, self._clock = controllers, finder, clock

    async def look_up(self, person: PersonReference, may_tell: MayTell, give_up: float) -> FoundPerson | None:
        """What the directory says of somebody; None where it may not be told, whether there is such a person or not.

        give_up: time.monotonic(). Raises Ambiguous, NoDirectory, ServerRefused, StateUnreadable.
        """
        gone: list[FoundPerson] = []
        failed = False
        for controller in self._controllers.candidates(person.text):
            try:
                found = await self._ask(controller, person, may_tell, give_up)
            except LdapConnectionError as error:
                if is_server_fault(error):
                    controller.failed(error)
                failed = True
                continue
            if found is None or found.status is not AccountStatus.GONE:
                return found
            gone.append(found)
            if len(gone) == _AGREE:
                break
        # one that failed is not asked for a while: then the others' word is enough
        if gone and (len(gone) == _AGREE or not failed):
            return gone[0]
        raise self._controllers.none_answered()

    async def _ask(
        self, controller: Controller, person: PersonReference, may_tell: MayTell, give_up: float
    ) -> FoundPerson | None:
        controller.in_flight += 1
        try:
            async with controller.searching() as connection:
                account = await self._finder.find_person(connection, person)
                if account is None:
                    found = _gone(connection, person, may_tell)
                elif not may_tell(reference := self._finder.reference(connection, account)):
                    found = None
                else:
                    status = self._finder.status(account, self._clock() + controller.clock_skew)
                    found = await self._describe(connection, account, reference, status, give_up)
            controller.succeeded()
            return found
        finally:
            controller.in_flight -= 1

    async def _describe(
        self,
        connection: LdapConnection,
        account: Account,
        reference: DirectoryObject,
        status: AccountStatus,
        give_up: float,
    ) -> FoundPerson:
        identity = await self._finder.identify(connection, account, give_up)
        since, offered = self._finder.password_set(account), self._finder.offered
        return FoundPerson(status, reference, identity, since, connection.server, offered)


def _gone(connection: LdapConnection, person: PersonReference, may_tell: MayTell) -> FoundPerson | None:
    """Of a name or SID that nobody has, nobody can say whose it was: that may be told only where anything may."""
    reference = DirectoryObject(connection.directory, person.object_guid)
    return FoundPerson(AccountStatus.GONE, reference, controller=connection.server) if may_tell(reference) else None
