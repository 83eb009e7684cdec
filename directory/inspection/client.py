"""ldap3, as this package uses it: one connection, trusted like the hot path's, and searches that give plain values."""

from __future__ import annotations

import math
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ldap3
from ldap3.core.exceptions import (
    LDAPCommunicationError,
    LDAPInsufficientAccessRightsResult,
    LDAPInvalidCredentialsResult,
    LDAPInvalidDnError,
    LDAPInvalidDNSyntaxResult,
    LDAPNoSuchObjectResult,
    LDAPOperationResult,
)
from ldap3.core.results import RESULT_REFERRAL

from directory.errors import BaseNotFound
from directory.ldap import Address
from directory.ldap.subcodes import explain_refusal
from directory.ldap.tls import check_pin, normalise_fingerprint
from directory.settings import DirectorySettings
from findings import plain_reason

BASE, LEVEL, SUBTREE = ldap3.BASE, ldap3.LEVEL, ldap3.SUBTREE
SAMPLE = 20
"""Entries of users that are looked at."""


@contextmanager
def connected(settings: DirectorySettings, address: Address, password: str) -> Iterator[ldap3.Connection]:
    """Same trust as the hot path: a pinned fingerprint is checked before a password goes out on this connection, too.

    Blocks. Raises LDAPException, ServerCertificateRefused, OSError.
    """
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
            check_pin(shown, str(address), tuple(map(normalise_fingerprint, settings.tls.pinned_sha256)))
        connection.bind()
        yield connection
    finally:
        connection.unbind()


def root_value(connection: ldap3.Connection, name: str) -> str:
    """The first value of an attribute of the root entry (the empty DN, RFC 4512 section 5.1); empty where there is none."""
    values = connection.server.info.other.get(name) if connection.server.info else None
    return str(values[0]) if values else ""


def search(
    connection: ldap3.Connection,
    base: str,
    matching: str,
    attributes: list[str],
    *,
    scope: str = SUBTREE,
    limit: int = SAMPLE,
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
        if scope == BASE:
            return []
        raise BaseNotFound(connection.server.host, base, error.result, error.message) from error
    if connection.result["result"] == RESULT_REFERRAL:  # ldap3 takes it for no error
        raise BaseNotFound(connection.server.host, base, RESULT_REFERRAL, connection.result["message"])
    entries = (entry for entry in connection.response or () if entry["type"] == "searchResEntry")
    return [{**entry["raw_attributes"], "dn": entry["dn"]} for entry in entries]


def texts(entry: dict[str, Any], name: str) -> tuple[str, ...]:
    """An attribute's values as text."""
    return tuple(value.decode(errors="replace") for value in entry.get(name, ()))


def reason_of(error: Exception) -> str:
    """What went wrong, in words: ldap3's own text has the names of its classes in it."""
    if isinstance(error, LDAPInvalidCredentialsResult):
        return explain_refusal(error.message or "")
    if isinstance(error, LDAPOperationResult):
        said = (str(error.description or ""), str(error.message or "").rstrip("\0"))
        return ", ".join(filter(None, said)) or "refused without a reason"
    if isinstance(error, LDAPCommunicationError):
        return f"no connection, or it was lost ({plain_reason(error)})"
    return plain_reason(error)
