"""Setting a password without the old one, as the service account."""

from __future__ import annotations

from directory.credentials.passwords import reset_modifications
from directory.errors import ServerRefused
from directory.ldap import LdapConnection
from directory.people import Account, AccountLookup
from directory.settings import DirectorySettings


async def reset_password(
    settings: DirectorySettings, lookup: AccountLookup, name: str, new: str, *, must_change: bool
) -> None:
    """Set the password of the account that answers to a name; never repeated once it was sent.

    Raises NotFound, Ambiguous, NoDirectory, ServerRefused, LdapConnectionError. Cancelling does not undo it.
    """

    async def reset(connection: LdapConnection, account: Account) -> None:
        dn, timeout = account.dn.encode(), settings.bind_timeout
        if settings.kind == "ldap":
            answer = await connection.change_password(dn, None, new.encode(), timeout)
        else:
            answer = await connection.modify(dn, reset_modifications(new, must_change=must_change), timeout)
        if answer.code != 0:
            raise ServerRefused(connection.server, "reset a password", answer.code, answer.text)

    await lookup.with_account(name, reset, once=True)
