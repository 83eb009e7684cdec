"""Settings of the directories that an agent asks. Times are seconds, sizes are counts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from directory.errors import SettingsProblem
from settings import Bounds, OrEmpty, Pattern, SecretFile, Unfit, UnusableFile, not_empty, read_secret

_FINGERPRINT = Pattern(
    "(?:[0-9A-Fa-f][: ]*){64}", "a SHA-256 fingerprint, as `openssl x509 -noout -fingerprint -sha256` shows it"
)
_ATTRIBUTE = Pattern(r"[A-Za-z][A-Za-z0-9-]*(?:;[A-Za-z0-9-]+)*|\d+(?:\.\d+)+", "an attribute's name, such as mail")
_RDN = r"(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= *(?:[^,+\"\\<>;]|\\.)+"
_DN = Pattern(rf"{_RDN}(?:[,+] *{_RDN})*", "a distinguished name, such as DC=corp,DC=example,DC=com")
"""RFC 4514 section 3, without the forms that nobody writes by hand."""
_SUFFIX = Pattern(r"[^\s@\\/]+", "what stands after the @ of a name, such as example.com")
_NETBIOS = Pattern(r'[^\s@\\/:*?"<>|]{1,15}', "a NetBIOS name of at most 15 characters, such as CORP")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """Whom to believe to be a domain controller."""

    ca_file: Path | None = None
    """PEM file with the authorities that issue the domain controllers' certificates; without it the system's store, for
    `servers` that are listed."""

    pinned_sha256: tuple[Annotated[str, _FINGERPRINT], ...] = ()
    """SHA-256 fingerprints of server certificates. Alone they replace chain and name; beside `ca_file` both must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySettings:
    """One directory: an Active Directory domain, or an LDAP server."""

    name: Annotated[str, not_empty, _SUFFIX]
    """What the directory is called in identities and logs; the DNS domain name for Active Directory."""

    kind: Literal["ad", "ldap"] = "ad"
    """`ad` for Active Directory (Windows or Samba), `ldap` for OpenLDAP, 389 Directory Server and the like."""

    servers: tuple[str, ...] = ()
    """Domain controllers as `dc1.example.com`, `host:port` or `ldaps://host:port`; the port is 636 unless given."""

    domain: str = ""
    """DNS domain whose `_ldap._tcp` SRV records list the servers; used where `servers` is empty. Only servers below it are
    used, and only with `tls.ca_file` or `tls.pinned_sha256`: the DNS does not say whom to believe."""

    base_dn: Annotated[str, _DN]
    """Where people and groups are searched for, as `DC=example,DC=com`."""

    upn_suffixes: tuple[Annotated[str, _SUFFIX], ...] = ()
    """Suffixes after the @ that are signed in here; `name` is always one."""

    netbios_name: Annotated[str, OrEmpty(_NETBIOS)] = ""
    """The DOMAIN of DOMAIN\\name and of name@DOMAIN that is signed in here; `name` is always taken there, too."""

    tls: TlsSettings = field(default_factory=TlsSettings)
    """Whom to believe to be a domain controller."""

    send_passwords_unencrypted_over_the_network: bool = False
    """Allows plain `ldap://` on port 389. Everyone on the way can then read every password: for laboratories only."""

    service_user: str = ""
    """Account that reads the directory: a userPrincipalName or a DN. It needs no more than to read: see
    docs/operators/service-account.md."""

    service_password_file: SecretFile | None = None
    """File with that account's password, mode 0600; one line end is cut off. Better than a variable: it can
    be replaced while the agent runs."""

    service_password_env: str = ""
    """Environment variable with that password, where no file is given."""

    login_attributes: tuple[Annotated[str, _ATTRIBUTE], ...] = ()
    """Attributes that may hold what a person types; empty means userPrincipalName (`ad`), uid and mail (`ldap`). Where
    several accounts have one name, the one that has it in the attribute that stands first is meant; two in the same one are
    refused. People must not be able to write into the first: who takes another's name there keeps that person out."""

    user_filter: str = ""
    """Which entries are users, as an LDAP filter (RFC 4515); empty means `(&(objectCategory=person)(objectClass=user))`
    (`ad`), `(|(objectClass=person)(objectClass=account)(objectClass=posixAccount))` (`ldap`). What does not match, as
    contacts or second accounts, cannot sign in and is in nobody's way who has the same name."""

    attributes: tuple[Annotated[str, _ATTRIBUTE], ...] = ()
    """More attributes to hand to the gateway; binary values travel in base64."""

    groups: bool = True
    """Whether to read group memberships, nested ones included. Off spares the directory most of its work."""

    groups_cache_seconds: Annotated[float, Bounds(zero=True)] = 60.0
    """How long a person's nested group memberships may be reused, in seconds; 0 reads them at each sign-in. A change of a
    direct membership is seen immediately in any case."""

    names_cache_seconds: Annotated[float, Bounds(zero=True)] = 3600.0
    """How long a group's name may be reused, in seconds: names change rarely and cost a search each. 0 reads them anew each
    time."""

    cache_entries: int = 20_000
    """Bound on each cache, in entries, so that a large directory cannot fill the memory."""

    connections: Annotated[int, Bounds(most=1000)] = 8
    """Checks at once, each with a connection of its own to bind on and one to search on. A domain controller has
    fewer processors than this; more only makes its queue longer."""

    queue: Annotated[int, Bounds(zero=True)] = 256
    """Checks that may wait for a connection; past that the answer is `busy`, immediately. 0: none waits."""

    connect_timeout: Annotated[float, Bounds(most=600)] = 3.0
    """Seconds for TCP and TLS to be up, on a local network; a server that needs longer counts as down."""

    search_timeout: Annotated[float, Bounds(most=600)] = 4.0
    """Seconds for one search."""

    bind_timeout: Annotated[float, Bounds(most=600)] = 8.0
    """Seconds for one bind: a domain controller may have to ask another one about a wrong password."""

    idle_seconds: float = 300.0
    """A connection unused for so long is closed; Active Directory closes them after 900 by itself."""

    check_seconds: Annotated[float, Bounds(most=60)] = 5.0
    """Time between two checks of a domain controller that answered nobody meanwhile, in seconds. One that is down is
    checked every `retry_seconds`. `/readyz` of agent and relay goes by it."""

    retry_seconds: float = 2.0
    """First pause before a failed domain controller is tried again; doubles up to `retry_seconds_most`."""

    retry_seconds_most: float = 60.0
    """Longest pause, so that a repaired domain controller is back within a minute."""

    lockout_guard: bool = True
    """Whether to refuse an attempt that could lock the account in the directory; off only where that is wanted."""

    lockout_margin: Annotated[int, Bounds(most=999, zero=True)] = 1
    """Wrong passwords that are always left to the person's own machines: with a threshold of 5 and a margin of 1,
    the fifth is never spent here. 0 leaves none."""

    unreadable_policy_threshold: Annotated[int, Bounds(most=999)] = 3
    """Threshold assumed for people under a fine-grained policy that the service account may not read."""

    policy_cache_seconds: Annotated[float, Bounds(zero=True)] = 300.0
    """How long lockout policies may be reused, in seconds. 0 reads them at each sign-in."""

    def contradictions(self) -> Iterator[Unfit]:
        """Half of a credential; a longest pause that is shorter than the first. What `directory.contradictions` adds needs
        to read LDAP's notation."""
        if self.service_user and not self.service_password_file and not self.service_password_env:
            yield Unfit("has no password", "set service_password_file, too", setting="service_user")
        if self.service_password_file and not self.service_user:
            yield Unfit("is nobody's password", "set service_user, too", setting="service_password_file")
        if self.retry_seconds_most < self.retry_seconds:
            problem = f"{self.retry_seconds_most:g} is less than the first pause (retry_seconds, {self.retry_seconds:g})"
            yield Unfit(problem, "give at least as much", setting="retry_seconds_most")

    def service_password(self) -> str:
        """The service account's password, read anew (it may have been changed); raises `SettingsProblem`."""
        if self.service_password_file:
            try:
                return read_secret(self.service_password_file)
            except UnusableFile as error:
                raise SettingsProblem("service_password_file", str(error)) from error
        if self.service_password_env:
            try:
                return os.environ[self.service_password_env]
            except KeyError as error:
                raise SettingsProblem("service_password_env", f"{self.service_password_env} is not set") from error
        return ""
