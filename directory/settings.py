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
    """How domain controllers are authenticated."""

    ca_file: Path | None = None
    """CA certificates (PEM) for the domain controllers' certificates. Empty: the system's certificate store, for
    servers listed in `servers`."""

    pinned_sha256: tuple[Annotated[str, _FINGERPRINT], ...] = ()
    """SHA-256 fingerprints of server certificates. Alone, they replace the check of chain and name; together with
    `ca_file`, both must match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySettings:
    """One directory: an Active Directory domain, or an LDAP server."""

    name: Annotated[str, not_empty, _SUFFIX]
    """Name of the directory in identities and logs; for Active Directory, the DNS domain name."""

    kind: Literal["ad", "ldap"] = "ad"
    """`ad` for Active Directory (Windows or Samba), `ldap` for OpenLDAP, 389 Directory Server and similar
    servers."""

    servers: tuple[str, ...] = ()
    """Domain controllers as `dc1.example.com`, `host:port` or `ldaps://host:port`; the default port is 636."""

    domain: str = ""
    """DNS domain whose `_ldap._tcp` SRV records list the servers, used if `servers` is empty. Only servers below
    this domain are used, and only with `tls.ca_file` or `tls.pinned_sha256`, because DNS records alone cannot be
    trusted."""

    base_dn: Annotated[str, _DN]
    """Search base for users and groups, such as `DC=example,DC=com`."""

    upn_suffixes: tuple[Annotated[str, _SUFFIX], ...] = ()
    """UPN suffixes (the part after the @) of this directory's users; `name` is always included."""

    netbios_name: Annotated[str, OrEmpty(_NETBIOS)] = ""
    """NetBIOS name: the DOMAIN in DOMAIN\\name and in name@DOMAIN; `name` is always accepted there, too."""

    tls: TlsSettings = field(default_factory=TlsSettings)
    """How domain controllers are authenticated."""

    send_passwords_unencrypted_over_the_network: bool = False
    """Whether plain `ldap://` on port 389 is allowed. All passwords can then be read on the network: for test
    environments only."""

    service_user: str = ""
    """Account that reads the directory: a userPrincipalName or a DN. It needs only read access: see
    docs/operators/service-account.md."""

    service_password_file: SecretFile | None = None
    """File with that account's password, mode 0600; a line break at the end is ignored. Preferable to an
    environment variable, because it can be replaced while the agent runs."""

    service_password_env: str = ""
    """Environment variable with that password, used if no file is set."""

    login_attributes: tuple[Annotated[str, _ATTRIBUTE], ...] = ()
    """Attributes that are searched for the user name; empty means userPrincipalName (`ad`), uid and mail (`ldap`).
    If several accounts have the same name, the account with the name in the attribute listed first is used; if two
    have it in the same attribute, the sign-in is refused. Users must not have write access to the first attribute:
    by entering another user's name there, they could prevent that user from signing in."""

    user_filter: str = ""
    """LDAP filter (RFC 4515) for user entries; empty means `(&(objectCategory=person)(objectClass=user))` (`ad`),
    `(|(objectClass=person)(objectClass=account)(objectClass=posixAccount))` (`ldap`). Entries that do not match,
    such as contacts or second accounts, cannot sign in and do not conflict with users of the same name."""

    attributes: tuple[Annotated[str, _ATTRIBUTE], ...] = ()
    """Additional attributes to return to the relay; binary values are encoded in base64."""

    groups: bool = True
    """Whether to read group memberships, including nested ones. `false` saves the directory most of its work."""

    groups_cache_seconds: Annotated[float, Bounds(zero=True)] = 60.0
    """Maximum time to cache a user's nested group memberships, in seconds; 0 reads them at each sign-in. A change
    of a direct membership takes effect immediately in any case."""

    names_cache_seconds: Annotated[float, Bounds(zero=True)] = 3600.0
    """Maximum time to cache a group's name, in seconds; names change rarely, and each takes a search. 0 reads them
    each time."""

    cache_entries: int = 20_000
    """Maximum number of entries in each cache, so that a large directory does not fill the memory."""

    connections: Annotated[int, Bounds(most=1000)] = 8
    """Maximum number of simultaneous checks, each with one connection for the bind and one for searches. A domain
    controller has fewer processors than this; a higher number only makes its queue longer."""

    queue: Annotated[int, Bounds(zero=True)] = 256
    """Maximum number of checks that wait for a connection; further checks are answered `busy` immediately. 0:
    checks do not wait."""

    connect_timeout: Annotated[float, Bounds(most=600)] = 3.0
    """Maximum time to establish TCP and TLS, in seconds, for a local network; a server that takes longer counts as
    down."""

    search_timeout: Annotated[float, Bounds(most=600)] = 4.0
    """Maximum time for one search, in seconds."""

    bind_timeout: Annotated[float, Bounds(most=600)] = 8.0
    """Maximum time for one bind, in seconds: a domain controller may have to ask another one about a wrong
    password."""

    idle_seconds: float = 300.0
    """Time after which an unused connection is closed, in seconds; Active Directory itself closes connections after
    900."""

    check_seconds: Annotated[float, Bounds(most=60)] = 5.0
    """Time between two checks of a domain controller that answered nobody meanwhile, in seconds. One that is down is
    checked every `retry_seconds`. `/readyz` of agent and relay goes by it."""

    retry_seconds: float = 2.0
    """First pause before a failed domain controller is tried again, in seconds; it doubles up to
    `retry_seconds_most`."""

    retry_seconds_most: float = 60.0
    """Maximum pause, in seconds, so that a repaired domain controller is used again within a minute."""

    lockout_guard: bool = True
    """Whether to refuse attempts that could lock the account in the directory. Set it to `false` only if the
    directory may lock accounts."""

    lockout_margin: Annotated[int, Bounds(most=999, zero=True)] = 1
    """Number of wrong passwords that are always left for the user's own devices: with a threshold of 5 and a margin
    of 1, the fifth is never used here. 0 leaves none."""

    unreadable_policy_threshold: Annotated[int, Bounds(most=999)] = 3
    """Threshold that is assumed for users with a fine-grained policy that the service account cannot read."""

    policy_cache_seconds: Annotated[float, Bounds(zero=True)] = 300.0
    """Maximum time to cache lockout policies, in seconds. 0 reads them at each sign-in."""

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
