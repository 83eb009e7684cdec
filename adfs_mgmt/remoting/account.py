"""The account that commands are run as, and what each host is shown of it.

With Kerberos and a password the ticket is got here, from the domain controller (the KDC), once for all hosts. pypsrp left to
itself shows the password to the KDC for each host, and `negotiate` shows it to the host by NTLM after the KDC refused it:
with one typing mistake every host counts against the account.

    kerberos    user and password ──KDC──► ticket ──► every host
                no password                ticket of `kinit` ──► every host
    negotiate   user@REALM ──KDC──► ticket, and the password for NTLM where a host has no SPN ──► every host
                           └─ no KDC, or it knows no such user ──► NTLM
    everything else                                            as the settings have it

On Windows SSPI does all that, with the Windows session's own tickets.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from typing import Any, NamedTuple

import spnego

from adfs_mgmt.remoting.errors import CredentialRefused, NoTicket, RemotingError
from adfs_mgmt.remoting.kerberos import UNKNOWN_CLIENT, explain_kdc, number_of
from adfs_mgmt.remoting.settings import RemotingSettings
from settings import UnusableFile, check_secret_file, read_secret

SETTINGS = "[remoting]"
"""What RemotingError names as the host where the settings are at fault."""

_WITH_PASSWORD = {"ntlm", "negotiate", "credssp", "basic"}
_RENEW = 600.0
"""Seconds before a ticket's end at which another one is asked for."""


def check_settings(settings: RemotingSettings) -> None:
    """Raise RemotingError for settings that cannot work, or that would show a password to everybody."""
    if settings.auth == "basic" and not settings.tls:
        raise RemotingError(SETTINGS, 'auth = "basic" without TLS sends the password in clear text; set tls = true')
    if settings.auth == "certificate":
        if not settings.tls:
            raise RemotingError(SETTINGS, 'auth = "certificate" needs tls = true')
        if settings.certificate_file is None or settings.key_file is None:
            raise RemotingError(SETTINGS, 'auth = "certificate" needs `certificate_file` and `key_file`')
    if settings.auth in _WITH_PASSWORD and not (settings.user and settings.password_file):
        raise RemotingError(SETTINGS, f'auth = "{settings.auth}" needs `user` and `password_file`')
    if settings.auth == "kerberos":
        _check_kerberos(settings)
    if settings.hosts_at_once < 1:
        raise RemotingError(SETTINGS, "`hosts_at_once` must be at least 1")


def _check_kerberos(settings: RemotingSettings) -> None:
    if settings.password_file and not settings.user:
        raise RemotingError(SETTINGS, 'auth = "kerberos" with `password_file` needs `user`')
    if _sspi():
        return
    if "\\" in settings.user:
        reason = f'auth = "kerberos" needs `user` as name@REALM, such as admin@CORP.EXAMPLE.COM, not {settings.user}'
        raise RemotingError(SETTINGS, reason)
    missing = _missing()
    if missing:
        raise RemotingError(
            SETTINGS,
            f"auth = \"kerberos\" needs {missing}: pip install 'isthmus[kerberos]' (it is compiled; on Debian after "
            'apt-get install gcc python3-dev libkrb5-dev), or choose auth = "ntlm"',
        )


def read_password(settings: RemotingSettings) -> str | None:
    """The account's password, where there is one; of a client certificate, whose key the library reads itself, only who may
    read that is looked at. Raises RemotingError."""
    if settings.auth == "certificate" and settings.key_file is not None:
        try:
            check_secret_file(settings.key_file)
        except UnusableFile as error:
            raise RemotingError(SETTINGS, f"key_file {error}") from error
    if settings.password_file is None or settings.auth == "certificate":
        return None
    try:
        return read_secret(settings.password_file)
    except UnusableFile as error:
        raise RemotingError(SETTINGS, f"password_file {error}") from error


class HostCredential(NamedTuple):
    """What pypsrp is given for one host: `auth`, `username` (a text, or pyspnego's credentials) and `password`."""

    auth: str
    user: Any
    password: str | None


class RemotingAccount:
    """Of the settings; for all hosts. Safe to use from several threads."""

    def __init__(self, settings: RemotingSettings) -> None:
        check_settings(settings)
        self.password = read_password(settings)
        self._settings = settings
        self._asks_kdc = self.password is not None and settings.auth in {"kerberos", "negotiate"} and not _sspi()
        self._lock = threading.Lock()
        self._ticket: Ticket | None = None
        self._refused: CredentialRefused | None = None

    @property
    def hosts_judge(self) -> bool:
        """Whether it is the host that a password is shown to: a host that refuses may then refuse the password."""
        return self.password is not None and not (self._asks_kdc and self._settings.auth == "kerberos")

    def credential_for(self, host: str) -> HostCredential:
        """Raises NoTicket, CredentialRefused, which are about `host`."""
        auth, user = self._settings.auth, self._settings.user
        if not self._asks_kdc:
            return HostCredential(auth, user or None, self.password)
        if auth == "kerberos":
            return HostCredential(auth, spnego.KerberosCCache(self._current(host).cache), None)
        return self._negotiate(host, user, self.password or "")

    def _negotiate(self, host: str, user: str, password: str) -> HostCredential:
        """The KDC is not asked for CORP\\admin: that may be a host's own account."""
        if _missing():
            return HostCredential("negotiate", user, password)  # which is NTLM alone
        if "@" not in user:
            return HostCredential("ntlm", user, password)
        try:
            cache = self._current(host).cache
        except (NoTicket, _Unknown):
            return HostCredential("ntlm", user, password)
        return HostCredential("negotiate", [spnego.KerberosCCache(cache), spnego.Password(user, password)], None)

    def _current(self, host: str) -> Ticket:
        """The ticket that there is, or another. A password that was refused is not shown again."""
        with self._lock:
            if self._refused is not None:
                raise type(self._refused)(host, self._refused.reason) from self._refused
            if self._ticket is None or self._ticket.until - time.time() < _RENEW:
                try:
                    self._ticket = Ticket(host, self._settings.user, self.password or "")
                except CredentialRefused as error:
                    self._refused = error
                    raise
            return self._ticket

    def close(self) -> None:
        """Forget the ticket."""
        with self._lock:
            if self._ticket is not None:
                self._ticket.forget()
            self._ticket = None


class _Unknown(CredentialRefused):
    """The KDC has no such account, so that nothing was counted."""


class Ticket:
    """A ticket-granting ticket (RFC 4120 section 5.3) in this process's memory."""

    def __init__(self, host: str, user: str, password: str) -> None:
        """Ask the KDC, which counts a wrong password. `user` is name@REALM, or a userPrincipalName."""
        krb5: Any = importlib.import_module("krb5")
        try:
            context = krb5.init_context()
            # A name whose suffix is not in capitals is no realm, but Active Directory knows it: RFC 6806 section 5
            suffix = user.partition("@")[2]
            flags = krb5.PrincipalParseFlags.enterprise if suffix != suffix.upper() else krb5.PrincipalParseFlags.none
            principal = krb5.parse_name_flags(context, user.encode(), flags)
            options = krb5.get_init_creds_opt_alloc(context)
            krb5.get_init_creds_opt_set_canonicalize(options, True)
            got = krb5.get_init_creds_password(context, principal, options, password=password.encode())
            cache = krb5.cc_new_unique(context, b"MEMORY")
            krb5.cc_initialize(context, cache, got.client)
            krb5.cc_store_cred(context, cache, got)
        except krb5.Krb5Error as error:
            said = explain_kdc(host, user, error)
            if number_of(error) == UNKNOWN_CLIENT:
                said = _Unknown(host, said.reason)
            raise said from error
        self.cache = f"{cache.cache_type.decode()}:{cache.name.decode()}"
        """Its name, for libkrb5."""
        self.until = float(got.times.endtime)
        """Unix time."""
        self._krb5, self._context, self._cache = krb5, context, cache

    def forget(self) -> None:
        """Take it out of memory."""
        self._krb5.cc_destroy(self._context, self._cache)


def _sspi() -> bool:
    return sys.platform == "win32"


def _missing() -> str:
    """The first package that Kerberos needs and that is not there, or nothing."""
    for package in ("gssapi", "krb5"):
        try:
            importlib.import_module(package)
        except ImportError:
            return package
    return ""
