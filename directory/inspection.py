"""The troubleshooter's look at a directory: each domain controller, the service account and its rights, the policy.

Off the hot path, so it speaks through ldap3: what an independent client sees is worth more here than speed.
"""

from __future__ import annotations

import datetime as dt
import math
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import ldap3
from cryptography import x509
from ldap3.core.exceptions import LDAPException

from directory.controller import Controller
from directory.errors import DirectoryError, LinkError
from directory.model import Check
from directory.one import OneDirectory
from directory.settings import DirectorySettings

CLOCK_WARNING = 60.0
"""Seconds by which clocks may differ; Kerberos gives up at 300."""
CERTIFICATE_WARNING = 30 * 86400.0


def inspect(directory: OneDirectory) -> list[Check]:
    """Every check of one directory, in order. Blocks; never raises."""
    checks: list[Check] = []
    for controller in directory.controllers:
        checks += _controller(directory.settings, controller)
    return checks


def _controller(settings: DirectorySettings, controller: Controller) -> Iterator[Check]:
    title = f"{settings.name} {controller}"
    try:
        link = controller.open()
    except LinkError as error:
        yield Check(f"{title}: TLS", "fail", error.reason, "Check name, port, firewall and `tls.ca_file`.")
        return
    certificate = link.certificate()
    link.unbind()
    yield _certificate(title, certificate)
    try:
        password = settings.service_password()
        with _connect(settings, controller, password) as connection:
            yield Check(f"{title}: service account", "pass", settings.service_user or "anonymous")
            yield _clock(title, connection)
            if settings.kind == "ad":
                yield _policy(title, settings, connection)
                yield _rights(title, settings, connection)
    except (LDAPException, DirectoryError, OSError) as error:
        yield Check(
            f"{title}: service account",
            "fail",
            f"{settings.service_user}: {error}",
            "Check the account in the directory and the password in `service_password_file`.",
        )


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
    if not values:
        return Check(f"{title}: clock", "pass", "the server does not tell its time")
    theirs = dt.datetime.strptime(str(values[0])[:14], "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC).timestamp()
    skew = theirs - time.time()
    if abs(skew) > CLOCK_WARNING:
        return Check(f"{title}: clock", "warn", f"{skew:+.0f} s from ours", "Synchronise both with the domain's time.")
    return Check(f"{title}: clock", "pass", f"{skew:+.0f} s from ours")


def _policy(title: str, settings: DirectorySettings, connection: ldap3.Connection) -> Check:
    connection.search(settings.base_dn, "(objectClass=*)", ldap3.BASE, attributes=["lockoutThreshold"])
    values = connection.response[0]["raw_attributes"].get("lockoutThreshold") if connection.response else None
    if not values:
        return Check(
            f"{title}: lockout policy", "fail", "not readable", f"Let the service account read {settings.base_dn} itself."
        )
    threshold = int(values[0])
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
    """Whether the account can read of itself what it has to read of everybody."""
    name = settings.service_user.partition("@")[0].rpartition("\\")[2]
    what = "(distinguishedName={})" if "=" in settings.service_user else "(sAMAccountName={})"
    value = settings.service_user if "=" in settings.service_user else name
    escaped = ldap3.utils.conv.escape_filter_chars(value)
    connection.search(settings.base_dn, what.format(escaped), attributes=["badPwdCount", "objectGUID"])
    entries = [each for each in connection.response if each["type"] == "searchResEntry"]
    if not entries or not entries[0]["raw_attributes"].get("objectGUID"):
        remedy = f"Let it list and read users below {settings.base_dn}."
        return Check(f"{title}: rights", "fail", "it finds no users", remedy)
    connection.search(entries[0]["dn"], "(objectClass=*)", ldap3.BASE, attributes=["tokenGroups"])
    if not connection.response or not connection.response[0]["raw_attributes"].get("tokenGroups"):
        return Check(
            f"{title}: rights",
            "warn",
            "users are readable, their nested groups (tokenGroups) are not",
            "Add it to the group Windows Authorization Access Group.",
        )
    return Check(f"{title}: rights", "pass", "users, bad-password counts and nested groups are readable")
