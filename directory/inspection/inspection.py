"""All checks of one directory: each domain controller, the service account, its rights, the names, the policies."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable

import ldap3
from cryptography import x509
from ldap3.core.exceptions import LDAPException, LDAPInvalidCredentialsResult

from directory.errors import BaseNotFound, DirectoryError, LdapConnectionError
from directory.inspection.attributes import check_attributes
from directory.inspection.client import connected, reason_of, root_value
from directory.inspection.names import base_dn_of, judge_base, judge_names, read_names, suffix_in_use
from directory.inspection.policies import (
    judge_domain_policy,
    judge_fine_policies,
    read_domain_threshold,
    read_fine_policies,
)
from directory.inspection.rights import check_rights
from directory.ldap import Controller, Controllers
from directory.ldap.values import from_generalized_time
from directory.settings import DirectorySettings
from findings import Finding, difference, failed, passed, warned

CLOCK_WARNING = 60.0
"""Seconds by which clocks may differ …"""
CLOCK_FAILURE = 300.0
"""… and where Kerberos, and so much of a domain, gives up."""
CERTIFICATE_WARNING = 30 * 86400.0


async def inspect(
    settings: DirectorySettings, controllers: Controllers, clock: Callable[[], float] = time.time
) -> list[Finding]:
    """Every check of one directory, in order; never raises. `where` is the directory and the domain controller.

    clock: Unix seconds.
    """
    findings: list[Finding] = []
    refused_by = ""
    for controller in controllers:
        where = f"{settings.name} {controller}"
        try:
            connection = await controller.open()
        except LdapConnectionError as error:
            findings.append(failed("TLS", where, error.reason, _trust_remedy(error.reason, clock())))
            continue
        findings.append(_certificate(where, connection.certificate(), clock()))
        connection.unbind()
        if refused_by:
            seen = f"not tried: {refused_by} refused it, and each try counts against it"
            findings.append(warned("service account", where, seen, "See there."))
            continue
        try:
            findings += await asyncio.to_thread(_as_service_account, where, settings, controller, clock)
        except LDAPInvalidCredentialsResult as error:
            refused_by = str(controller)
            findings.append(_unusable(where, settings, reason_of(error)))
        except (LDAPException, DirectoryError, OSError, ValueError) as error:
            findings.append(_unusable(where, settings, reason_of(error)))
    return findings


def _as_service_account(
    where: str, settings: DirectorySettings, controller: Controller, clock: Callable[[], float]
) -> list[Finding]:
    """Blocks. Raises LDAPException, SettingsProblem, OSError, ValueError."""
    with connected(settings, controller.address, settings.service_password()) as connection:
        findings = [
            passed("service account", where, settings.service_user or "anonymous"),
            _clock(where, root_value(connection, "currentTime"), clock()),
        ]
        if settings.kind == "ad" and (wrong := judge_base(where, settings.base_dn, base_dn_of(connection))):
            return [*findings, wrong]
        try:
            if settings.kind == "ad":
                findings += _names(where, settings, connection)
                findings += _policies(where, settings, connection)
            findings.append(check_rights(where, settings, connection))
            findings.append(check_attributes(where, settings, connection))
        except BaseNotFound as error:
            findings.append(_no_base(where, connection, error))
        return findings


def _names(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> list[Finding]:
    names = read_names(connection)
    if names is None:
        seen = "not readable: whether the settings have the domain's own is not known"
        remedy = "Let the service account read the configuration partition (CN=Partitions,CN=Configuration,…)."
        return [warned("names", where, seen, remedy)]
    return judge_names(where, settings, names, functools.partial(suffix_in_use, settings, connection))


def _policies(where: str, settings: DirectorySettings, connection: ldap3.Connection) -> list[Finding]:
    threshold = read_domain_threshold(settings, connection)
    fine = read_fine_policies(settings, connection)
    return [judge_domain_policy(where, settings, threshold), *judge_fine_policies(where, settings, threshold, fine)]


def _no_base(where: str, connection: ldap3.Connection, error: BaseNotFound) -> Finding:
    contexts = connection.server.info.naming_contexts if connection.server.info else ()
    remedy = f"Correct `base_dn`; the server's naming contexts: {'; '.join(contexts or ()) or 'not told'}."
    return failed("base_dn", where, f"nobody can sign in: nothing is at {error.base!r}, or it may not be seen", remedy)


def _unusable(where: str, settings: DirectorySettings, reason: str) -> Finding:
    remedy = "Check the account in the directory and the password in `service_password_file`."
    return failed("service account", where, f"{settings.service_user or 'anonymous'}: {reason}", remedy)


def _trust_remedy(reason: str, now: float) -> str:
    if "expired" in reason or "not yet valid" in reason:
        return f"Renew that certificate, or set this machine's clock: it says {_utc(now)}."
    return "Check name, port, firewall and `tls.ca_file`."


def _certificate(where: str, der: bytes | None, now: float) -> Finding:
    if der is None:
        return warned("TLS", where, "none: passwords travel unencrypted", "Use ldaps://.")
    end = x509.load_der_x509_certificate(der).not_valid_after_utc
    seen = f"certificate trusted, ends {end:%Y-%m-%d}"
    if end.timestamp() - now < CERTIFICATE_WARNING:
        return warned("TLS", where, seen, "Renew the domain controller's certificate.")
    return passed("TLS", where, seen)


def _clock(where: str, told: str, now: float) -> Finding:
    """told: currentTime of the root entry, as generalized time."""
    theirs = from_generalized_time(told.encode()) if told else None
    if theirs is None:
        return passed("clock", where, "the server does not tell its time")
    seen, remedy = f"{difference(theirs - now)} from ours", "Synchronise both with the domain's time."
    if abs(theirs - now) > CLOCK_FAILURE:
        return failed("clock", where, f"{seen} ({_utc(now)})", remedy)
    if abs(theirs - now) > CLOCK_WARNING:
        return warned("clock", where, seen, remedy)
    return passed("clock", where, seen)


def _utc(now: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
