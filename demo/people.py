"""The people of the throwaway domain: one in every state that an account can be in."""

from __future__ import annotations

import enum
from dataclasses import dataclass

DAY = 86_400


class AccountState(enum.Enum):
    """What is the matter with an account, if anything."""

    FINE = "fine"
    PASSWORD_EXPIRED = "password expired"  # noqa: S105
    MUST_CHANGE = "must change password"
    DISABLED = "disabled"
    LOCKED = "locked"
    ACCOUNT_EXPIRED = "account expired"
    LOGON_HOURS = "no logon hours"
    WORKSTATION = "one workstation only"
    NEARLY_LOCKED = "one try before a lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One inhabitant: what to type, and what must come of it."""

    account_name: str
    given_name: str
    surname: str
    upn: str
    password: str
    """The right one."""
    typed: str
    """What the demo types; differs from the right one for who shows a wrong password."""
    state: AccountState
    expected: str
    """The outcome, in the words of `gateway.protocol.Outcome`."""
    groups: tuple[str, ...] = ()
    """Direct memberships, by common name."""

    @property
    def situation(self) -> str:
        """Who it is and what is the matter, in a few words."""
        matter = self.state.value if self.typed == self.password else "wrong password"
        return f"{self.account_name}: {matter}"

    @property
    def display_name(self) -> str:
        """Given name and surname."""
        return f"{self.given_name} {self.surname}"


_PEOPLE = (
    ("anna", "Anna", "Berg", AccountState.FINE, "success", ("Engineering", "Printers")),
    ("ben", "Ben", "Castillo", AccountState.FINE, "wrong_credential", ("Engineering",)),
    ("clara", "Clara", "Dubois", AccountState.PASSWORD_EXPIRED, "password_expired", ()),
    ("dario", "Dario", "Esposito", AccountState.MUST_CHANGE, "must_change", ()),
    ("emma", "Emma", "Fischer", AccountState.DISABLED, "account_disabled", ()),
    ("felix", "Felix", "Grant", AccountState.LOCKED, "account_locked", ()),
    ("greta", "Greta", "Holm", AccountState.ACCOUNT_EXPIRED, "account_expired", ()),
    ("hugo", "Hugo", "Ivanov", AccountState.LOGON_HOURS, "logon_hours", ()),
    ("ida", "Ida", "Jensen", AccountState.WORKSTATION, "workstation", ()),
    ("jonas", "Jonas", "Keller", AccountState.NEARLY_LOCKED, "would_lock_out", ()),
    ("zoe", "Zoë", "Łukasz", AccountState.FINE, "success", ("Printers",)),
)

GROUPS = {"Engineering": ("Staff",), "Staff": ("Everybody",), "Everybody": (), "Printers": ()}
"""Group -> the groups that it is a member of."""


def people(upn_suffix: str) -> dict[str, Person]:
    """All of them by account name, with passwords that are the same in every throwaway domain."""
    found = {}
    for number, (account, given, surname, state, expected, groups) in enumerate(_PEOPLE, start=1):
        password = f"Lagoon-Strait-{number:02d}"
        found[account] = Person(
            account_name=account,
            given_name=given,
            surname=surname,
            upn=f"{account}@{upn_suffix}",
            password=password,
            typed="not-the-password" if expected == "wrong_credential" else password,
            state=state,
            expected=expected,
            groups=groups,
        )
    return found


def filetime(now: float) -> int:
    """Unix seconds as AD keeps them: 100 ns steps since 1601 (MS-DTYP 2.3.3)."""
    return int((now + 11_644_473_600) * 10_000_000)


def steps(inhabitants: dict[str, Person], base_dn: str, now: float) -> list[dict[str, object]]:
    """What `_samdb.py` has to do to bring these people into being."""
    unit = f"OU=People,{base_dn}"
    todo: list[dict[str, object]] = [{"add": {"dn": unit, "objectClass": "organizationalUnit"}}]
    for group in reversed(GROUPS):
        todo.append({"add": {"dn": f"CN={group},{unit}", "objectClass": "group", "sAMAccountName": group}})
    for person in inhabitants.values():
        todo.append({"add": _entry(person, unit, now)})
        special = _special(person, now)
        if special:
            todo.append({"modify": {"dn": _dn(person, unit), **special}, "raw": True})
    for group in GROUPS:
        members = [_dn(p, unit) for p in inhabitants.values() if group in p.groups]
        members += [f"CN={child},{unit}" for child, above in GROUPS.items() if group in above]
        if members:
            todo.append({"modify": {"dn": f"CN={group},{unit}", "member": members}})
    return todo


def _dn(person: Person, unit: str) -> str:
    return f"CN={person.display_name},{unit}"


def _entry(person: Person, unit: str, now: float) -> dict[str, object]:
    fields: dict[str, object] = {
        "dn": _dn(person, unit),
        "objectClass": "user",
        "sAMAccountName": person.account_name,
        "userPrincipalName": person.upn,
        "givenName": person.given_name,
        "sn": person.surname,
        "displayName": person.display_name,
        "mail": f"{person.account_name}.{person.surname.lower()}@example.com".encode("ascii", "ignore").decode(),
        "userAccountControl": "514" if person.state is AccountState.DISABLED else "512",
        "password": person.password,
    }
    if person.state is AccountState.MUST_CHANGE:
        fields["pwdLastSet"] = 0
    elif person.state is AccountState.ACCOUNT_EXPIRED:
        fields["accountExpires"] = filetime(now - DAY)
    elif person.state is AccountState.WORKSTATION:
        fields["userWorkstations"] = "RECEPTION-PC"
    return fields


def _special(person: Person, now: float) -> dict[str, object]:
    """Attributes that only the server itself may write."""
    if person.state is AccountState.PASSWORD_EXPIRED:
        return {"pwdLastSet": filetime(now - 90 * DAY)}
    if person.state is AccountState.LOCKED:
        return {"badPwdCount": 5, "badPasswordTime": filetime(now), "lockoutTime": filetime(now)}
    if person.state is AccountState.NEARLY_LOCKED:
        return {"badPwdCount": 4, "badPasswordTime": filetime(now)}
    if person.state is AccountState.LOGON_HOURS:
        return {"logonHours": "\0" * 21}
    return {}
