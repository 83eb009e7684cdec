"""The troubleshooter's look at a directory: each domain controller, the service account and its rights, the policy.

Off the hot path, so it speaks through ldap3: what an independent client sees is worth more here than speed.
"""

from __future__ import annotations

import asyncio
import math
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ldap3
from cryptography import x509
from ldap3.core.exceptions import (
    LDAPException,
    LDAPInsufficientAccessRightsResult,
    LDAPInvalidCredentialsResult,
    LDAPInvalidDnError,
    LDAPInvalidDNSyntaxResult,
    LDAPNoSuchObjectResult,
)
from ldap3.core.results import RESULT_REFERRAL
from ldap3.utils.conv import escape_filter_chars

from directory.errors import BaseNotFound, DirectoryError, LdapConnectionError
from directory.ldap import Controller, Controllers, user_filter
from directory.ldap.naming_contexts import domain_root
from directory.ldap.tls import check_pin, normalise_fingerprint
from directory.ldap.values import from_generalized_time
from directory.settings import DirectorySettings
from findings import Finding, failed, passed, warned

CLOCK_WARNING = 60.0
"""Seconds by which clocks may differ; Kerberos gives up at 300."""
CERTIFICATE_WARNING = 30 * 86400.0
_NAMES = re.compile(r"\bNAME\s+(\([^)]*\)|'[^']*')")
_QUOTED = re.compile(r"'([^']*)'")
_SAMPLE = 20
"""People that are looked at."""


async def inspect(settings: DirectorySettings, controllers: Controllers) -> list[Finding]:
    """Every check of one directory, in order; never raises. `where` is the directory and the domain controller."""
    findings: list[Finding] = []
    refused_by = ""
    for controller in controllers:
        where = f"{settings.name} {controller}"
        try:
            connection = await controller.open()
        except LdapConnectionError as error:
            findings.append(failed("TLS", where, error.reason, "Check name, port, firewall and `tls.ca_file`."))
            continue
        findings.append(_certificate(where, connection.certificate()))
        connection.unbind()
        if refused_by:
            seen = f"not tried: {refused_by} refused it, and each try counts against it"
            findings.append(warned("service account", where, seen, "See there."))
            continue
        try:
            findings += await asyncio.to_thread(_as_service_account, where, settings, controller)
        except LDAPInvalidCredentialsResult as error:
            refused_by = str(controller)
            findings.append(_unusable(where, settings, f"{error.description}, {error.message}"))
        except (LDAPException, DirectoryError, OSError, ValueError) as error:
            findings.append(_unusable(where, settings, str(error)))
    return findings


def _as_service_account(where: str, settings: DirectorySettings, controller: Controller) -> list[Finding]:
    """Blocks. Raises LDAPException, SettingsProblem, OSError, ValueError."""
    with _connect(settings, controller, settings.service_password()) as connection:
        findings = [
            passed("service account", where, settings.service_user or "anonymous"),
            _clock(where, connection),
        ]
        try:
            for check in (_policy, _rights, _attributes) if settings.kind == "ad" else (_people, _attributes):
                findings.append(check(where, settings, connection))
        except BaseNotFound as error:
            findings.append(_no_base(where, connection, error))
        return findings


def _no_base(where: str, connection: ldap3.Connection, error: BaseNotFound) -> Finding:
    contexts = connection.server.info.naming_contexts if connection.server.info else ()
    remedy = f"Correct `base_dn`; the server's naming contexts: {'; '.join(contexts or ()) or 'not told'}."
    return failed("base_dn", where, f"nobody can sign in: nothing is at {error.base!r}, or it may not be seen", remedy)


def _unusable(where: str, settings: DirectorySettings, reason: str) -> Finding:
    remedy = "Check the account in the directory and the password in `service_password_file`."
    return failed("service account", where, f"{settings.service_user or 'anonymous'}: {reason}", remedy)


@contextmanager
def _connect(settings: DirectorySettings, controller: Controller, password: str) -> Iterator[ldap3.Connection]:
    """Same trust as the hot path: a pinned fingerprint is checked before a password goes out on this connection, too."""
    address = controller.address
    pinned_only = bool(settings.tls.pinned_sha256) and settings.tls.ca_file is None
    tls = ldap3.Tls(
        validate=ssl.CERT_NONE if pinned_only else ssl.CERT_REQUIRED,
        ca_certs_file=str(settings.tls.ca_file) if settings.tls.ca_file else None,
        version=ssl.PROTOCOL_TLS_CLIENT if not pinned_only else None,
    )
    server = ldap3.Server(
        address.host,
        port=address.port,
        use_ssl=address.secure,
        tls=tls if address.secure else None,
        get_info=ldap3.DSA,
        connect_timeout=math.ceil(settings.connect_timeout),
    )
    connection = ldap3.Connection(
        server,
        settings.service_user or None,
        password or None,
        auto_referrals=False,
        receive_timeout=math.ceil(settings.search_timeout),
        raise_exceptions=True,
    )
    try:
        if address.secure and settings.tls.pinned_sha256:
            connection.open(read_server_info=False)
            shown = connection.socket.getpeercert(binary_form=True) or b""
            check_pin(shown, str(controller), tuple(map(normalise_fingerprint, settings.tls.pinned_sha256)))
        connection.bind()
        yield connection
    finally:
        connection.unbind()


def _certificate(where: str, der: bytes | None) -> Finding:
    if der is None:
        return warned("TLS", where, "none: passwords travel unencrypted", "Use ldaps://.")
    end = x509.load_der_x509_certificate(der).not_valid_after_utc
    left = end.timestamp() - time.time()
    seen = f"certificate trusted, ends {end:%Y-%m-%d}"
    if left < CERTIFICATE_WARNING:
        return warned("TLS", where, seen, "Renew the domain controller's certificate.")
    return passed("TLS", where, seen)


def _clock(where: str, connection: ldap3.Connection) -> Finding:
    values = (connection.server.info.other if connection.server.info else {}).get("currentTime")
    theirs = from_generalized_time(str(values[0]).encode()) if values else None
    if theirs is None:
        return passed("clock", where, "the server does not tell its time")
    skew = theirs - time.time()
    if abs(skew) > CLOCK_WARNING:
        return warned("clock", where, f"{skew:+.0f} s from ours", "Synchronise both with the domain's time.")
    return passed("clock", where, f"{skew:+.0f} s from ours")


def _policy(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    root = domain_root(settings.base_dn)
    threshold = None
    for entry in _search(connection, root, "(objectClass=*)", ["lockoutThreshold"], scope=ldap3.BASE):
        threshold = int(entry["lockoutThreshold"][0]) if entry.get("lockoutThreshold") else None
    if threshold is None:
        seen = f"not readable: {settings.unreadable_policy_threshold} is assumed as threshold"
        return failed("lockout policy", where, seen, f"Let the service account read {root} itself.")
    if threshold == 0:
        return warned("lockout policy", where, "accounts are never locked", "Set a threshold of 10 or more in AD.")
    if threshold <= settings.lockout_margin + 1:
        return failed(
            "lockout policy",
            where,
            f"threshold {threshold} with lockout_margin {settings.lockout_margin} leaves nothing to try",
            "Raise the threshold in AD, or lower lockout_margin.",
        )
    seen = f"locks at {threshold}; {threshold - settings.lockout_margin} may be spent here"
    return passed("lockout policy", where, seen)


def _rights(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    """Whether the account can read of people what each check reads of them."""
    base = settings.base_dn
    wanted = ["objectGUID", "badPwdCount", "sAMAccountName", "userPrincipalName"]
    found = _search(connection, base, user_filter(settings).text, wanted)
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
    tokens = _search(connection, people[0]["dn"], "(objectClass=*)", ["tokenGroups"], scope=ldap3.BASE)
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
    names = [
        value.decode(errors="replace") for name in ("sAMAccountName", "userPrincipalName") for value in entry.get(name, ())
    ]
    own = {service_user.lower(), service_user.lower().rpartition("\\")[2]}
    return any(name.lower() in own for name in (*names, entry["dn"]))


def _people(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    """Whether it finds people by the attributes that they sign in with."""
    names, users = settings.login_attributes or ("uid", "mail"), user_filter(settings).text
    found = [name for name in names if _search(connection, settings.base_dn, f"(&{users}({name}=*))", ["entryUUID"])]
    if not found:
        seen = f"nobody below {settings.base_dn} who matches {users} has a readable {' or '.join(names)}"
        return failed("rights", where, seen, "Let the service account search and read people there, or set `user_filter`.")
    absent = [name for name in settings.login_attributes if name not in found]
    if absent:
        seen = f"nobody below {settings.base_dn} has a readable {' or '.join(absent)}"
        return warned("rights", where, seen, "Let the service account search and read it, or take it out of the settings.")
    return passed("rights", where, f"people are found by {', '.join(found)}")


def _attributes(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> Finding:
    """Whether the schema has the attributes that the settings name: one that it lacks matches nobody, without an error."""
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
        return failed("attributes", where, f"the schema has no {seen}: nobody is found by that", "Correct the spelling.")
    return warned("attributes", where, f"the schema has no {seen}", "Correct the spelling.")


def _known_to_ad(connection: ldap3.Connection, wanted: list[str]) -> set[str] | None:
    """Those that the schema has, lower case; None where it cannot be read."""
    names = "".join(f"(lDAPDisplayName={escape_filter_chars(name)})" for name in wanted)
    schema = connection.server.info.other.get("schemaNamingContext") if connection.server.info else None
    if not schema:
        return None
    matching = f"(&(objectClass=attributeSchema)(|{names}(lDAPDisplayName=cn)))"  # cn: every schema has it
    found = _search(connection, str(schema[0]), matching, ["lDAPDisplayName"], limit=len(wanted) + 1)
    return {entry["lDAPDisplayName"][0].decode().lower() for entry in found if entry.get("lDAPDisplayName")} or None


def _known_to_ldap(connection: ldap3.Connection, _wanted: list[str]) -> set[str] | None:
    """All that the schema has: the attribute types are text there (RFC 4512 section 4.1.2)."""
    subschema = connection.server.info.schema_entry if connection.server.info else None
    if not subschema:
        return None
    found = _search(connection, str(subschema[0]), "(objectClass=subschema)", ["attributeTypes"], scope=ldap3.BASE)
    types = [value.decode(errors="replace") for entry in found for value in entry.get("attributeTypes", ())]
    names = (name for text in types for given in _NAMES.findall(text) for name in _QUOTED.findall(given))
    return {name.lower() for name in names} or None


def _search(
    connection: ldap3.Connection,
    base: str,
    matching: str,
    attributes: list[str],
    *,
    scope: str = ldap3.SUBTREE,
    limit: int = _SAMPLE,
) -> list[dict[str, Any]]:
    """The first `limit` of what is found: attributes as bytes, and `dn`.

    Nothing where one entry is not there, or not to be seen. Raises BaseNotFound where that is a base to search below.
    """
    try:
        connection.search(base, matching, scope, attributes=attributes, paged_size=limit)
    except LDAPInsufficientAccessRightsResult:
        return []
    except LDAPInvalidDnError as error:
        raise BaseNotFound(connection.server.host, base, 0, str(error)) from error
    except (LDAPNoSuchObjectResult, LDAPInvalidDNSyntaxResult) as error:
        if scope == ldap3.BASE:
            return []
        raise BaseNotFound(connection.server.host, base, error.result, error.message) from error
    if connection.result["result"] == RESULT_REFERRAL:  # ldap3 takes it for no error
        raise BaseNotFound(connection.server.host, base, RESULT_REFERRAL, connection.result["message"])
    entries = (entry for entry in connection.response or () if entry["type"] == "searchResEntry")
    return [{**entry["raw_attributes"], "dn": entry["dn"]} for entry in entries]
