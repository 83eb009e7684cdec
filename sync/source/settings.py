"""Settings of sources: `[sources.NAME]`, told apart by `kind`. Times are seconds, sizes are counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from directory import DirectorySettings, ReadLimits, TlsSettings
from settings import Bounds, Lines, SecretFile, Unfit, distinct, not_empty

Kind: TypeAlias = Literal["user", "group", "contact", "other"]
Type: TypeAlias = Literal["text", "number", "boolean", "binary", "link"]

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""Of a query: what needs no quotes anywhere in SQL."""
_PASSWORD = re.compile(r"[^/?]*//[^/?@:]*:[^/?]*@|.*[?&]password=")
"""A URL with `user:password@`, or a password among its options."""
DATABASES = ("sqlite:", "postgresql:")
"""How the URL of a database begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryServerSettings:
    """How a directory is reached, and as whom."""

    servers: tuple[str, ...] = ()
    """Servers as `dc1.example.com`, `host:port` or `ldaps://host:port`; the default port is 636. Delta readings stay with
    the first one that answers: another one takes a full reading."""

    domain: str = ""
    """DNS domain whose `_ldap._tcp` SRV records list the servers, used if `servers` is empty. Only servers below this domain
    are used, and only with `tls.ca_file` or `tls.pinned_sha256`."""

    base_dn: Annotated[str, not_empty]
    """DN below which objects are read, such as `DC=corp,DC=example,DC=com`. Of Active Directory, the whole domain is read:
    which of its organisational units are in scope is said by rules."""

    tls: TlsSettings = field(default_factory=TlsSettings)
    """How servers are authenticated."""

    send_passwords_unencrypted_over_the_network: bool = False
    """Whether plain `ldap://` on port 389 is allowed. Everything can then be read on the network: for test environments
    only."""

    service_user: str = ""
    """Account that reads the directory: a userPrincipalName or a DN. `isthmus sync check` says which rights it lacks."""

    service_password_file: SecretFile | None = None
    """File with that account's password, mode 0600; a line break at the end is ignored."""

    connect_timeout: Annotated[float, Bounds(most=600)] = 5.0
    """Maximum time to establish TCP and TLS, in seconds."""

    search_timeout: Annotated[float, Bounds(most=600)] = 30.0
    """Maximum time for a question about single objects, in seconds."""

    silence_seconds: Annotated[float, Bounds(most=3600)] = 120.0
    """Time without a byte after which a reading ends as partial, in seconds. Active Directory itself ends a search after
    120."""

    reading_seconds: float = 21_600.0
    """Maximum time for a whole reading, in seconds: six hours. A million users take less than one."""

    def limits(self) -> ReadLimits:
        """Of a reading."""
        return ReadLimits(silence=self.silence_seconds, seconds=self.reading_seconds)

    def connection(self, kind: Literal["ad", "ldap"], name: str) -> DirectorySettings:
        """What `directory` reads by."""
        return DirectorySettings(
            name=name,
            kind=kind,
            servers=self.servers,
            domain=self.domain,
            base_dn=self.base_dn,
            tls=self.tls,
            send_passwords_unencrypted_over_the_network=self.send_passwords_unencrypted_over_the_network,
            service_user=self.service_user,
            service_password_file=self.service_password_file,
            connect_timeout=self.connect_timeout,
            search_timeout=self.search_timeout,
        )

    def contradictions(self) -> Iterator[Unfit]:
        """No server; half of a credential."""
        if not self.servers and not self.domain:
            yield Unfit("names no server", "give servers, or domain for those that DNS lists", setting="servers")
        if self.service_user and self.service_password_file is None:
            yield Unfit("has no password", "set service_password_file, too", setting="service_user")
        if self.service_password_file is not None and not self.service_user:
            yield Unfit("is nobody's password", "set service_user, too", setting="service_password_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdDomainSettings(DirectoryServerSettings):
    """One domain of a forest."""

    name: Annotated[str, not_empty]
    """DNS name of the domain, such as `corp.example.com`. It stays: under another name, the domain is read in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdSourceSettings:
    """Domains of one Active Directory forest, read by DirSync. Several forests are several sources."""

    kind: Literal["ad"] = "ad"
    """Active Directory, of Windows or Samba."""

    domains: Annotated[tuple[AdDomainSettings, ...], not_empty]
    """Its domains. Each is read from a domain controller of its own."""

    own_rights: bool = False
    """Whether to read with the account's own rights only, instead of the right Replicating Directory Changes. What the
    account may not see is then missing without an error."""

    attribute_types: Mapping[str, Type] = field(default_factory=dict)
    """Types of attributes that the built-in table does not have or has otherwise: `text`, `number`, `boolean`, `binary`
    (octet string) or `link` (names other objects)."""

    def contradictions(self) -> Iterator[Unfit]:
        """One domain twice."""
        try:
            distinct([domain.name for domain in self.domains])
        except Unfit as error:
            yield Unfit(error.problem, error.remedy, setting="domains")


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSourceSettings(DirectoryServerSettings):
    """One LDAP server, such as OpenLDAP or 389 Directory Server."""

    kind: Literal["ldap"] = "ldap"
    """Any LDAP server but Active Directory."""

    method: Literal["auto", "syncrepl", "full"] = "auto"
    """`syncrepl` reads what changed by content synchronisation (RFC 4533); `full` reads everything each time; `auto` takes
    the former if the server offers it."""

    key: Literal["entryUUID", "nsUniqueId"] = "entryUUID"
    """Attribute that identifies an entry: `nsUniqueId` on 389 Directory Server where it has no entryUUID plug-in."""

    matching: str = ""
    """LDAP filter (RFC 4515) of entries to read; empty means all. Entries that stop to match are deleted for the source."""

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """Kinds of further object classes, such as `acmeRobot = "other"`. They precede the built-in ones."""

    attribute_types: Mapping[str, Type] = field(default_factory=dict)
    """As of `kind = "ad"`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSettings:
    """Where the values of one attribute come from."""

    column: Annotated[str, not_empty]
    """Name in the header of the file, or in the result of the query."""

    type: Type = "text"
    """`text`, `number`, `boolean` (true or false, yes or no, 1 or 0), `binary` (base64 in text) or `link` (keys of other
    objects of this source)."""

    separator: str = ""
    """What stands between several values; empty: there is only one."""

    to: Kind = "user"
    """Of `type = "link"` in a database: the kind of object that it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSourceSettings:
    """A file with one object on each line (RFC 4180)."""

    kind: Literal["csv"] = "csv"
    """Comma-separated values."""

    file: Path
    """The file. Whoever writes it should write another one and rename it: then it is never read half written."""

    object: Kind = "user"
    """What each line is."""

    key: Annotated[str, not_empty]
    """Name of the column that identifies an object for good, such as a personnel number: never a name or an e-mail
    address."""

    columns: Annotated[Mapping[str, ColumnSettings], not_empty]
    """Attributes by name, each with its column."""

    encoding: str = "utf-8"
    """Character encoding, such as `utf-8`, `windows-1252` or `utf-16`. A byte order mark that says otherwise is an error."""

    delimiter: Literal[",", ";", "|", ":", "tab"] = ","
    """What stands between two columns."""

    quote: Literal['"', "'", "none"] = '"'
    """What encloses values with delimiters or line breaks; twice, it stands for itself."""

    ends_with_line_break: bool = True
    """Whether the last line must end with a line break. A file without one may have been cut off: if yours always lacks it,
    set this to `false`, and `trailer` if possible."""

    trailer: str = ""
    """Text of the last line, which is no object; `{rows}` in it stands for the number of objects: `#END {rows}`. A file that
    ends otherwise is not complete."""

    minimum_rows: Annotated[int, Bounds(zero=True)] = 1
    """Fewest objects that a complete file has. 0: an empty file means that there are none."""

    settle_seconds: Annotated[float, Bounds(zero=True, most=3600)] = 5.0
    """Time for which the file must have been left alone, in seconds: one that was changed more recently may still be
    written to, and is not read. 0: files are always replaced whole."""

    def contradictions(self) -> Iterator[Unfit]:
        """An encoding that there is not."""
        try:
            "".encode(self.encoding)
        except LookupError:
            yield Unfit(f"{self.encoding!r} is no encoding", "write it as in utf-8 or windows-1252", setting="encoding")
        yield from _unfit_columns(self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlListSettings:
    """Several values of one attribute, by a query of their own: one row for each."""

    query: Annotated[Lines, not_empty]
    """SELECT statement with two columns."""

    key: Annotated[str, not_empty]
    """Column with the key of the object that has the value."""

    value: Annotated[str, not_empty]
    """Column with the value."""

    type: Type = "link"
    """As of a column."""

    to: Kind = "user"
    """Of `type = "link"`: the kind of object that it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlQuerySettings:
    """All objects of one kind."""

    query: Annotated[Lines, not_empty]
    """SELECT statement, one row for each object, without ORDER BY. Never with a value of a user's in it."""

    key: Annotated[str, not_empty]
    """Column that identifies an object for good: never a name or an e-mail address."""

    columns: Mapping[str, ColumnSettings] = field(default_factory=dict)
    """Attributes by name, each with its column."""

    lists: Mapping[str, SqlListSettings] = field(default_factory=dict)
    """Attributes with several values, each with its query: a group's members."""

    minimum_rows: Annotated[int, Bounds(zero=True)] = 1
    """Fewest objects that a complete answer has. 0: an empty one means that there are none."""

    def contradictions(self) -> Iterator[Unfit]:
        """Names that are no plain columns; an attribute that comes from two places; what needs no query of its own."""
        for setting, column in self._columns():
            if not _COLUMN.fullmatch(column):
                remedy = "give it a plain one in the query: SELECT mail_address AS mail"
                yield Unfit(f"{column!r} is not a name of letters, digits and underscores", remedy, setting=setting)
        for name in self.lists.keys() & self.columns.keys():
            yield Unfit("is among the columns, too", "name it once", setting=("lists", name))
        yield from _unfit_columns(self.columns)

    def _columns(self) -> Iterator[tuple[tuple[str, ...], str]]:
        yield ("key",), self.key
        yield from ((("columns", name, "column"), one.column) for name, one in self.columns.items())
        for name, one in self.lists.items():
            yield from ((("lists", name, "key"), one.key), (("lists", name, "value"), one.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSourceSettings:
    """Tables of a database: SQLite or PostgreSQL."""

    kind: Literal["sql"] = "sql"
    """A database that speaks SQL."""

    url: str = ""
    """`sqlite:///path` or `postgresql://user@host:port/database` without a password; else use `url_file`."""

    url_file: SecretFile | None = None
    """File with the URL, mode 0600, if it has a password in it."""

    users: SqlQuerySettings | None = None
    """Query of users."""

    groups: SqlQuerySettings | None = None
    """Query of groups."""

    contacts: SqlQuerySettings | None = None
    """Query of contacts."""

    query_seconds: Annotated[float, Bounds(most=86_400)] = 600.0
    """Maximum time that the database may take for one step of a query, in seconds."""

    def contradictions(self) -> Iterator[Unfit]:
        """None or two databases; a password in the open; no query."""
        if bool(self.url) == (self.url_file is not None):
            remedy = "a URL with a password belongs into url_file"
            yield Unfit("must be given, or url_file, and not both", remedy, setting="url")
        if self.url and _PASSWORD.match(self.url):
            yield Unfit("holds a password, which everybody who reads this file sees", "put it into url_file", setting="url")
        if self.url and not self.url.startswith(DATABASES):
            yield Unfit("is no database that can be read", f"it must begin with {' or '.join(DATABASES)}", setting="url")
        if not self.queries():
            yield Unfit("are missing, and groups and contacts, too", "give at least one query", setting="users")

    def queries(self) -> dict[Kind, SqlQuerySettings]:
        """By kind of object, in the order in which they are read."""
        all_: tuple[tuple[Kind, SqlQuerySettings | None], ...] = (
            ("user", self.users),
            ("contact", self.contacts),
            ("group", self.groups),
        )
        return {kind: query for kind, query in all_ if query is not None}


def _unfit_columns(columns: Mapping[str, ColumnSettings]) -> Iterator[Unfit]:
    """One attribute in two spellings."""
    try:
        distinct(tuple(columns))
    except Unfit as error:
        yield Unfit(error.problem, error.remedy, setting="columns")


SourceSettings: TypeAlias = AdSourceSettings | LdapSourceSettings | CsvSourceSettings | SqlSourceSettings
"""One `[sources.NAME]`."""
