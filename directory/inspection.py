"""The troubleshooter's look at a directory: each domain controller, the service account and its rights, the policy.

Off the hot path, so it speaks through ldap3: what an independent client sees is worth more here than speed.
"""

from __future__ import annotations

import asyncio
import math
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
    LDAPNoSuchObjectResult,
)

from directory.credentials.checker import OneDirectory
from directory.credentials.guard import from_generalized_time
from directory.credentials.policies import domain_root
from directory.errors import DirectoryError, LinkError
from directory.ldap.controller import Controller
from directory.model import Check
from directory.settings import DirectorySettings

CLOCK_WARNING = 60.0
"""Seconds by which clocks may differ; Kerberos gives up at 300."""
CERTIFICATE_WARNING = 30 * 86400.0
_SAMPLE = 20
"""People that are looked at."""


async def inspect(directory: OneDirectory) -> list[Check]:
    """Every check of one directory, in order; never raises."""
    checks: list[Check] = []
    refused_by = ""
    for controller in directory.controllers:
        title = f"{directory.settings.name} {controller}"
        try:
            link = await controller.open()
        except LinkError as error:
            checks.append(Check(f"{title}: TLS", "fail", error.reason, "Check name, port, firewall and `tls.ca_file`."))
            continue
        checks.append(_certificate(title, link.certificate()))
        link.unbind()
        if refused_by:
            seen = f"not tried: {refused_by} refused it, and each try counts against it"
            checks.append(Check(f"{title}: service account", "warn", seen, "See there."))
            continue
        try:
            checks += await asyncio.to_thread(_as_service_account, title, directory.settings, controller)
        except LDAPInvalidCredentialsResult as error:
            refused_by = str(controller)
            checks.append(_unusable(title, directory.settings, f"{error.description}, {error.message}"))
        except (LDAPException, DirectoryError, OSError, ValueError) as error:
            checks.append(_unusable(title, directory.settings, str(error)))
    return checks


def _as_service_account(title: str, settings: DirectorySettings, controller: Controller) -> list[Check]:
    """Blocks. Raises LDAPException, SettingsProblem, OSError, ValueError."""
    with _connect(settings, controller, settings.service_password()) as connection:
        checks = [
            Check(f"{title}: service account", "pass", settings.service_user or "anonymous"),
            _clock(title, connection),
        ]
        if settings.kind == "ad":
            return [*checks, _policy(title, settings, connection), _rights(title, settings, connection)]
        return [*checks, _people(title, settings, connection)]


def _unusable(title: str, settings: DirectorySettings, reason: str) -> Check:
    remedy = "Check the account in the directory and the password in `service_password_file`."
    return Check(f"{title}: service account", "fail", f"{settings.service_user or 'anonymous'}: {reason}", remedy)


@contextmanager
def _connect(settings: DirectorySettings, controller: Controller, password: str) -> Iterator[ldap3.Connection]:
    """Same trust as the hot path: the fingerprint was checked on the connection before this one."""
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
        connection.bind()
        yield connection
    finally:
        connection.unbind()


def _certificate(title: str, der: bytes | None) -> Check:
    if der is None:
        return Check(f"{title}: TLS", "warn", "none: passwords travel unencrypted", "Use ldaps://.")
    end = x509.load_der_x509_certificate(der).not_valid_after_utc
    left = end.timestamp() - time.time()
    seen = f"certificate trusted, ends {end:%Y-%m-%d}"
    if left < CERTIFICATE_WARNING:
        return Check(f"{title}: TLS", "warn", seen, "Renew the domain controller's certificate.")
    return Check(f"{title}: TLS", "pass", seen)


def _clock(title: str, connection: ldap3.Connection) -> Check:
    values = (connection.server.info.other if connection.server.info else {}).get("currentTime")
    theirs = from_generalized_time(str(values[0]).encode()) if values else None
    if theirs is None:
        return Check(f"{title}: clock", "pass", "the server does not tell its time")
    skew = theirs - time.time()
    if abs(skew) > CLOCK_WARNING:
        return Check(f"{title}: clock", "warn", f"{skew:+.0f} s from ours", "Synchronise both with the domain's time.")
    return Check(f"{title}: clock", "pass", f"{skew:+.0f} s from ours")


def _policy(title: str, settings: DirectorySettings, connection: ldap3.Connection) -> Check:
    root = domain_root(settings.base_dn)
    threshold = None
    for entry in _search(connection, root, "(objectClass=*)", ["lockoutThreshold"], scope=ldap3.BASE):
        threshold = int(entry["lockoutThreshold"][0]) if entry.get("lockoutThreshold") else None
    if threshold is None:
        seen = f"not readable: {settings.unreadable_policy_threshold} is assumed as threshold"
        return Check(f"{title}: lockout policy", "fail", seen, f"Let the service account read {root} itself.")
    if threshold == 0:
        return Check(f"{title}: lockout policy", "warn", "accounts are never locked", "Set a threshold of 10 or more in AD.")
    if threshold <= settings.lockout_margin + 1:
        return Check(
            f"{title}: lockout policy",
            "fail",
            f"threshold {threshold} with lockout_margin {settings.lockout_margin} leaves nothing to try",
            "Raise the threshold in AD, or lower lockout_margin.",
        )
    seen = f"locks at {threshold}; {threshold - settings.lockout_margin} may be spent here"
    return Check(f"{title}: lockout policy", "pass", seen)


def _rights(title: str, settings: DirectorySettings, connection: ldap3.Connection) -> Check:
    """Whether the account can read of people what each check reads of them."""
    base = settings.base_dn
    wanted = ["objectGUID", "badPwdCount", "sAMAccountName", "userPrincipalName"]
    found = _search(connection, base, "(&(objectCategory=person)(objectClass=user))", wanted)
    people = [entry for entry in found if entry.get("objectGUID") and not _is_oneself(entry, settings.service_user)]
    if not people:
        return Check(f"{title}: rights", "fail", "it finds no users", f"Let it list and read users below {base}.")
    if not any(entry.get("badPwdCount") for entry in people):
        return Check(
            f"{title}: rights",
            "fail",
            "users are readable, badPwdCount is not: the lockout guard cannot see how often AD saw wrong passwords",
            f"Let it read all properties of users below {base}, as the group Pre-Windows 2000 Compatible Access does.",
        )
    tokens = _search(connection, people[0]["dn"], "(objectClass=*)", ["tokenGroups"], scope=ldap3.BASE)
    if settings.groups and not any(entry.get("tokenGroups") for entry in tokens):
        return Check(
            f"{title}: rights",
            "warn",
            "users are readable, their nested groups (tokenGroups) are not",
            "Add it to the group Windows Authorization Access Group.",
        )
    return Check(f"{title}: rights", "pass", "users, bad-password counts and nested groups are readable")


def _is_oneself(entry: dict[str, Any], service_user: str) -> bool:
    """Whether an entry is the service account, which may read of itself what it may not read of others."""
    names = [
        value.decode(errors="replace") for name in ("sAMAccountName", "userPrincipalName") for value in entry.get(name, ())
    ]
    own = {service_user.lower(), service_user.lower().rpartition("\\")[2]}
    return any(name.lower() in own for name in (*names, entry["dn"]))


def _people(title: str, settings: DirectorySettings, connection: ldap3.Connection) -> Check:
    """Whether it finds people by the attributes that they sign in with."""
    names = settings.login_attributes or ("uid", "mail")
    wanted = "".join(f"({name}=*)" for name in names)
    if _search(connection, settings.base_dn, f"(|{wanted})", ["entryUUID"]):
        return Check(f"{title}: rights", "pass", f"people are found by {', '.join(names)}")
    seen = f"nobody below {settings.base_dn} has a readable {' or '.join(names)}"
    return Check(f"{title}: rights", "fail", seen, "Let the service account search and read people there.")


def _search(
    connection: ldap3.Connection, base: str, matching: str, attributes: list[str], *, scope: str = ldap3.SUBTREE
) -> list[dict[str, Any]]:
    """The first page of what is found: attributes as bytes, and `dn`; nothing where it is not there, or not to be seen."""
    try:
        connection.search(base, matching, scope, attributes=attributes, paged_size=_SAMPLE)
    except (LDAPNoSuchObjectResult, LDAPInsufficientAccessRightsResult):
        return []
    entries = (each for each in connection.response or () if each["type"] == "searchResEntry")
    return [{**entry["raw_attributes"], "dn": entry["dn"]} for entry in entries]
