"""Whether the schema has the attributes that the settings name: one that it lacks matches nobody, without an error."""

from __future__ import annotations

import re

import ldap3
from ldap3.utils.conv import escape_filter_chars

from directory.inspection.client import BASE, root_value, search, texts
from directory.ldap import user_filter
from directory.settings import DirectorySettings
from findings import Finding, failed, passed, warned

_NAMES = re.compile(r"\bNAME\s+(\([^)]*\)|'[^']*')")
_QUOTED = re.compile(r"'([^']*)'")


def check_attributes(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    """Blocks. Raises LDAPException, BaseNotFound."""
    named = {
        "login_attributes": settings.login_attributes,
        "user_filter": user_filter(settings).attributes,
        "attributes": settings.attributes,
    }
    # an option, as in `cn;lang-de`, is no part of the name; `objectClass` and OIDs need no look (RFC 4512 section 2.5)
    wanted = {name.partition(";")[0].lower() for names in named.values() for name in names if not name[:1].isdigit()}
    known = (_known_to_ad if settings.kind == "ad" else _known_to_ldap)(connection, sorted(wanted))
    if known is None:
        return warned("attributes", where, "the schema is not readable", "Check their spelling yourself.")
    unknown = {
        setting: [name for name in names if (plain := name.partition(";")[0].lower()) in wanted and plain not in known]
        for setting, names in named.items()
    }
    seen = "; ".join(f"{', '.join(names)} in `{setting}`" for setting, names in unknown.items() if names)
    if not seen:
        return passed("attributes", where, "the schema has all that the settings name")
    if unknown["login_attributes"] or unknown["user_filter"]:
        return failed("attributes", where, f"the schema has no {seen}: no user is found by it", "Correct the spelling.")
    return warned("attributes", where, f"the schema has no {seen}", "Correct the spelling.")


def _known_to_ad(connection: ldap3.Connection, wanted: list[str]) -> set[str] | None:
    """Those that the schema has, lower case; None where it cannot be read."""
    names = "".join(f"(lDAPDisplayName={escape_filter_chars(name)})" for name in wanted)
    schema = root_value(connection, "schemaNamingContext")
    if not schema:
        return None
    matching = f"(&(objectClass=attributeSchema)(|{names}(lDAPDisplayName=cn)))"  # cn: every schema has it
    found = search(connection, schema, matching, ["lDAPDisplayName"], limit=len(wanted) + 1)
    return {name.lower() for entry in found for name in texts(entry, "lDAPDisplayName")[:1]} or None


def _known_to_ldap(connection: ldap3.Connection, _wanted: list[str]) -> set[str] | None:
    """All that the schema has: the attribute types are text there (RFC 4512 section 4.1.2)."""
    subschema = connection.server.info.schema_entry if connection.server.info else None
    if not subschema:
        return None
    found = search(connection, str(subschema[0]), "(objectClass=subschema)", ["attributeTypes"], scope=BASE)
    types = [text for entry in found for text in texts(entry, "attributeTypes")]
    names = (name for text in types for given in _NAMES.findall(text) for name in _QUOTED.findall(given))
    return {name.lower() for name in names} or None
