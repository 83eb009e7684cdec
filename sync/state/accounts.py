"""Accounts: what each target has confirmed, and what was sent; members and managers by the person's number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from sync.model import AccountOperation, AccountState, Confirmation, ConfirmedAccount, OperationKind, Plain, state_after
from sync.state.codec import KIND_NUMBERS, KINDS, decode_values, encode, folded
from sync.state.database import Row, StateFile
from sync.state.errors import AccountUnknown
from sync.state.marks import Marks
from sync.state.names import Names
from sync.state.persons import Persons
from sync.state.records import AccountReference, AffectedBy

_COLUMNS = "id, person, target, kind, anchor, remote, confirmed, sent, state, since"
LINKABLE: Final = (AccountState.ACTIVE, AccountState.DISABLED)
"""Accounts in these states can be members of others."""


class TargetAccounts:
    """See `AccountPort`."""

    def __init__(self, file: StateFile, names: Names, marks: Marks, persons: Persons) -> None:
        self._file, self._names, self._marks, self._persons = file, names, marks, persons

    def find(self, person: int, target: str) -> ConfirmedAccount | None:
        """What was confirmed; None where nothing ever was. A deleted account is there, too."""
        row = self._file.one(
            f"SELECT {_COLUMNS} FROM accounts WHERE person = ? AND target = ?", (person, self._names.find("target", target))
        )
        return self._account(row) if row else None

    def of_person(self, person: int) -> list[ConfirmedAccount]:
        """One for each target."""
        return [self._account(row) for row in self._file.all(f"SELECT {_COLUMNS} FROM accounts WHERE person = ?", (person,))]

    def all(self, target: str) -> Iterator[ConfirmedAccount]:
        """At one target, in the order in which they came."""
        sql = f"SELECT {_COLUMNS} FROM accounts WHERE target = ? AND id > ? ORDER BY id LIMIT ?"
        for row in self._file.pages(sql, self._names.find("target", target), after=(0,)):
            yield self._account(row)

    def count(self, target: str) -> int:
        """Those that are not deleted."""
        row = self._file.one(
            "SELECT count(*) FROM accounts WHERE target = ? AND state <> 'deleted'", (self._names.find("target", target),)
        )
        return int(row[0]) if row else 0

    def link_count(self, target: str) -> int:
        """Links that the target has confirmed."""
        sql = "SELECT count(*) FROM account_links JOIN accounts ON accounts.id = account WHERE accounts.target = ?"
        row = self._file.one(sql, (self._names.find("target", target),))
        return int(row[0]) if row else 0

    def by_remote(self, target: str, remote: str) -> ConfirmedAccount | None:
        """The one that is not deleted, by the target's identifier."""
        row = self._file.one(
            f"SELECT {_COLUMNS} FROM accounts WHERE target = ? AND remote = ? AND state <> 'deleted'",
            (self._names.find("target", target), remote),
        )
        return self._account(row) if row else None

    def by_anchor(self, target: str, anchor: str) -> ConfirmedAccount | None:
        """The one that is not deleted, by its anchor."""
        row = self._file.one(
            f"SELECT {_COLUMNS} FROM accounts WHERE target = ? AND anchor = ? AND state <> 'deleted'",
            (self._names.find("target", target), anchor),
        )
        return self._account(row) if row else None

    def with_value(self, target: str, attribute: str, value: Plain) -> Iterator[AccountReference]:
        """Who may have a value that is to be unique at a target, by an indexed attribute.

        Whatever some service takes for the same is found: case, width, composed characters.
        """
        sql = (
            "SELECT account, person, remote, state FROM account_index JOIN accounts ON accounts.id = account "
            "WHERE account_index.target = ? AND attribute = ? AND digest = ? AND account > ? ORDER BY account LIMIT ?"
        )
        place, number = self._names.find("target", target), self._names.find("attribute", attribute)
        for _, person, remote, state in self._file.pages(sql, place, number, folded(value), after=(0,)):
            yield AccountReference(person, remote, AccountState(state))

    # What a target confirmed

    def confirm(self, account: ConfirmedAccount) -> None:
        """What is there, as it was read from the target: replaces what was known, links aside."""
        with self._file.write():
            target = self._names.number("target", account.target)
            row = self._file.one(
                "SELECT id, confirmed, state, remote FROM accounts WHERE person = ? AND target = ?", (account.person, target)
            )
            confirmed = self._names.numbered(account.values)
            sent = None if account.sent == account.values else encode(self._names.numbered(account.sent))
            number = self._write(row[0] if row else None, account, target, encode(confirmed), sent)
            gone = account.state is AccountState.DELETED
            self._persons.index_account(number, target, decode_values(row[1]) if row else {}, {} if gone else confirmed)
            if row is not None and (gone or row[3] != account.remote):
                self._forget_links(number, account.person, target)
            was = row is not None and AccountState(row[2]) in LINKABLE and row[3] == account.remote
            if was is not (account.state in LINKABLE):
                self._follow(account.person, target)

    def _write(
        self, number: int | None, account: ConfirmedAccount, target: int, confirmed: bytes, sent: bytes | None
    ) -> int:
        values = (account.person, target, KIND_NUMBERS[account.kind], account.anchor, account.remote, confirmed, sent)
        values = (*values, account.state.value, account.since)  # type: ignore[assignment]
        if number is None:
            sql = f"INSERT INTO accounts ({_COLUMNS.removeprefix('id, ')}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            return self._file.insert(sql, values)
        columns = " = ?, ".join(_COLUMNS.removeprefix("id, ").split(", "))
        self._file.run(f"UPDATE accounts SET {columns} = ? WHERE id = ?", (*values, number))
        return number

    def _forget_links(self, account: int, person: int, target: int) -> None:
        """It is another account, or none: it has no members, and is a member of nothing, whatever was confirmed before."""
        for table in ("account_links", "link_changes"):
            self._file.run(f"DELETE FROM {table} WHERE account = ?", (account,))
        self._file.run("UPDATE accounts SET flows = NULL WHERE id = ?", (account,))
        self._file.run(
            "DELETE FROM account_links WHERE person = ? "
            "AND EXISTS (SELECT 1 FROM accounts WHERE accounts.id = account_links.account AND accounts.target = ?)",
            (person, target),
        )

    def _follow(self, person: int, target: int) -> None:
        """The account has come or gone: others that link to the person have a member more or less."""
        self._marks.person(person, AffectedBy.ACCOUNT)
        for (number,) in self._file.all("SELECT object FROM joins WHERE person = ?", (person,)):
            self._marks.member(number, person, AffectedBy.ACCOUNT, target)

    def settle(self, operation: AccountOperation, confirmation: Confirmation, now: float) -> None:
        """What a confirmed operation means for the account. Raises AccountUnknown."""
        known = self.find(operation.person, operation.target)
        if operation.kind in {OperationKind.CREATE, OperationKind.ADOPT}:
            values = {**operation.set, **confirmation.values}
            kind, anchor, remote = operation.object, operation.anchor, confirmation.remote or operation.remote
            state = state_after(operation) or AccountState.ACTIVE
            self.confirm(
                ConfirmedAccount(
                    operation.person,
                    operation.target,
                    kind,
                    anchor,
                    remote,
                    values,
                    operation.set,
                    state,
                    now,
                )
            )
            return
        if known is None:
            raise AccountUnknown(operation.person, operation.target)
        given = {name: confirmation.values.get(name, value) for name, value in operation.set.items()}
        kept = {name: value for name, value in known.values.items() if name not in operation.clear}
        sent = {name: value for name, value in known.sent.items() if name not in operation.clear}
        state = state_after(operation) or known.state
        self.confirm(
            msgspec.structs.replace(
                known,
                remote=confirmation.remote or known.remote,
                values={**kept, **given},
                sent={**sent, **operation.set},
                state=state,
                since=known.since if state is known.state else now,
            )
        )
        for attribute, persons in operation.added.items():
            self.confirm_links(operation.person, operation.target, attribute, added=persons)
        for attribute, persons in operation.removed.items():
            self.confirm_links(operation.person, operation.target, attribute, removed=persons)

    # Links

    def confirm_links(
        self, person: int, target: str, attribute: str, *, added: Iterable[int] = (), removed: Iterable[int] = ()
    ) -> None:
        """Persons whose accounts the target has confirmed as members, or as none any more. Raises AccountUnknown."""
        with self._file.write():
            account, number = self.number(person, target), self._names.number("attribute", attribute)
            self._file.many(
                "INSERT OR IGNORE INTO account_links VALUES (?, ?, ?)", ((account, number, one) for one in added)
            )
            sql = "DELETE FROM account_links WHERE account = ? AND attribute = ? AND person = ?"
            self._file.many(sql, ((account, number, one) for one in removed))

    def links_of(self, person: int, target: str, attribute: str) -> Iterator[int]:
        """Persons that the target has confirmed, in the order of their numbers. Raises AccountUnknown."""
        sql = "SELECT person FROM account_links WHERE account = ? AND attribute = ? AND person > ? ORDER BY person LIMIT ?"
        place = (self.number(person, target), self._names.find("attribute", attribute))
        for (other,) in self._file.pages(sql, *place, after=(0,)):
            yield other

    def number(self, person: int, target: str) -> int:
        """Of the account. Raises AccountUnknown."""
        row = self._file.one(
            "SELECT id FROM accounts WHERE person = ? AND target = ?", (person, self._names.find("target", target))
        )
        if row is None:
            raise AccountUnknown(person, target)
        return int(row[0])

    def _account(self, row: Row) -> ConfirmedAccount:
        number, person, target, kind, anchor, remote, confirmed, sent, state, since = row
        try:
            values = self._names.named(decode_values(confirmed))
            last = values if sent is None else self._names.named(decode_values(sent))
            return ConfirmedAccount(
                person, self._names.text(target), KINDS[kind], anchor, remote, values, last, AccountState(state), since
            )
        except (msgspec.MsgspecError, IndexError, ValueError) as error:
            raise self._file.damaged(f"what it holds of account {number} cannot be read") from error
