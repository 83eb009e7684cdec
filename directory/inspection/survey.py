"""What a domain says of itself, read once with the service account: for whoever sets an agent up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPOperationResult

from directory.discovery import DomainReading
from directory.errors import BaseNotFound, ConnectFailed, ServerRefused, ServiceAccountRefused
from directory.inspection.client import LEVEL, connected, reason_of, root_value, search
from directory.inspection.names import read_names, suffix_in_use
from directory.ldap import Address
from directory.ldap.service_login import REFUSALS
from directory.settings import DirectorySettings


def read_reading(settings: DirectorySettings, address: Address, password: str, suffixes: tuple[str, ...]) -> DomainReading:
    """See `directory.read_domain`. Blocks. Raises ServiceAccountRefused, ServerRefused, ConnectFailed, SettingsProblem."""
    with _as_service_account(settings, address, password) as connection:
        names = read_names(connection)
        if names is None:
            text = "it is not an Active Directory, or the service account may not read its configuration partition"
            raise ServerRefused(str(address), "tell the domain's names", 0, text)
        there = replace(settings, base_dn=names.base_dn)
        wanted = dict.fromkeys(suffix.lower() for suffix in (*names.upn_suffixes, *suffixes))
        return DomainReading(names=names, in_use={suffix: suffix_in_use(there, connection, suffix) for suffix in wanted})


def read_authorities(settings: DirectorySettings, address: Address, password: str) -> tuple[bytes, ...]:
    """See `directory.published_authorities`. Blocks. Raises as `read_reading`."""
    with _as_service_account(settings, address, password) as connection:
        services = f"CN=Public Key Services,CN=Services,{root_value(connection, 'configurationNamingContext')}"
        found: list[bytes] = []
        for container in ("Certification Authorities", "AIA"):
            try:
                matching = "(objectClass=certificationAuthority)"
                entries = search(
                    connection, f"CN={container},{services}", matching, ["cACertificate"], scope=LEVEL, limit=100
                )
            except BaseNotFound:
                continue
            found += [value for entry in entries for value in entry.get("cACertificate", ())]
        return tuple(found)


@contextmanager
def _as_service_account(settings: DirectorySettings, address: Address, password: str) -> Iterator[ldap3.Connection]:
    try:
        with connected(settings, address, password) as connection:
            yield connection
    except LDAPOperationResult as error:
        if error.result in REFUSALS:
            raise ServiceAccountRefused(str(address), settings.service_user, reason_of(error)) from error
        raise ServerRefused(str(address), "answer", error.result, reason_of(error)) from error
    except LDAPException as error:
        raise ConnectFailed(str(address), reason_of(error)) from error
