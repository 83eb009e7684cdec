"""Whether the service account can read of users what a sign-in reads of them."""

from __future__ import annotations

from typing import Any

import ldap3

from directory.inspection.client import BASE, search, texts
from directory.ldap import user_filter
from directory.settings import DirectorySettings
from findings import Finding, failed, passed, warned


def check_rights(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    """Blocks. Raises LDAPException, BaseNotFound."""
    return (_in_active_directory if settings.kind == "ad" else _elsewhere)(where, settings, connection)


def _in_active_directory(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    base = settings.base_dn
    wanted = ["objectGUID", "badPwdCount", "sAMAccountName", "userPrincipalName", "userAccountControl"]
    found = search(connection, base, user_filter(settings).text, wanted)
    people = [entry for entry in found if entry.get("objectGUID") and not _is_oneself(entry, settings.service_user)]
    if not people:
        remedy = f"Let it list and read users below {base}{', or correct `user_filter`' if settings.user_filter else ''}."
        return failed("rights", where, "it finds no users", remedy)
    if not any(entry.get("badPwdCount") for entry in people):
        return failed(
            "rights",
            where,
            "users are readable, badPwdCount is not: the lockout guard cannot see how often AD saw wrong passwords",
            f"Let it read all properties of users below {base}, as the group Pre-Windows 2000 Compatible Access does.",
        )
    if not any(entry.get("userAccountControl") for entry in people):
        return warned(
            "rights",
            where,
            "users are readable, userAccountControl is not: sessions do not end when an account is disabled",
            f"Let it read all properties of users below {base}, as the group Pre-Windows 2000 Compatible Access does.",
        )
    tokens = search(connection, people[0]["dn"], "(objectClass=*)", ["tokenGroups"], scope=BASE)
    if settings.groups and not any(entry.get("tokenGroups") for entry in tokens):
        return warned(
            "rights",
            where,
            "users are readable, their nested groups (tokenGroups) are not",
            "Add it to the group Windows Authorization Access Group.",
        )
    return passed("rights", where, "users, bad-password counts and nested groups are readable")


def _is_oneself(entry: dict[str, Any], service_user: str) -> bool:
    """Whether an entry is the service account, which may read of itself what it may not read of others."""
    names = [name for attribute in ("sAMAccountName", "userPrincipalName") for name in texts(entry, attribute)]
    own = {service_user.lower(), service_user.lower().rpartition("\\")[2]}
    return any(name.lower() in own for name in (*names, entry["dn"]))


def _elsewhere(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    """Whether it finds people by the attributes that they sign in with."""
    names, users = settings.login_attributes or ("uid", "mail"), user_filter(settings).text
    found = [name for name in names if search(connection, settings.base_dn, f"(&{users}({name}=*))", ["entryUUID"])]
    if not found:
        seen = f"nobody below {settings.base_dn} who matches {users} has a readable {' or '.join(names)}"
        return failed("rights", where, seen, "Let the service account search and read people there, or set `user_filter`.")
    absent = [name for name in settings.login_attributes if name not in found]
    if absent:
        seen = f"nobody below {settings.base_dn} has a readable {' or '.join(absent)}"
        return warned("rights", where, seen, "Let the service account search and read it, or take it out of the settings.")
    return passed("rights", where, f"people are found by {', '.join(found)}")
