"""How a SCIM service is reached, and what it does otherwise than RFC 7643 and 7644 say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from settings import Bounds, OrEmpty, Pattern, SecretFile, Unfit, not_empty, shown, web_address
from sync.model import ObjectKind
from sync.target.scim.paths import GROUP_PATHS, PHOTO_PATH, USER_PATHS, ScimPath, parse_path


def service_address(value: str) -> None:
    """`https://…`; `http://` on this machine alone, because a token goes there."""
    parts = urlsplit(value)
    if parts.username is not None or parts.query or parts.fragment:
        raise Unfit("has a user name, a query or a fragment", "write it as in https://scim.example.com/v2")
    if parts.scheme == "http":
        if not _is_loopback(parts.hostname or ""):
            raise Unfit(f"{shown(value)} is not encrypted, and a token goes there", "write it with https://")
        return
    web_address(value)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_VARIABLE = OrEmpty(Pattern(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable, as in ISTHMUS_SCIM_TOKEN"))


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """Tokens by client credentials (RFC 6749 section 4.4)."""

    token_url: Annotated[str, service_address]
    """Token endpoint, as in `https://login.example.com/oauth2/token`."""
    client_id: Annotated[str, not_empty]
    """Identifier of the client."""
    client_secret_file: SecretFile
    """File with the client's secret, mode 0600."""
    scope: str = ""
    """Scopes to ask for, separated by blanks. Empty: those that the server gives by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimSettings:
    """One SCIM service. Of `token_file`, `token_variable` and `oauth`, exactly one."""

    kind: Literal["scim"] = "scim"
    """Which target it is."""
    url: Annotated[str, service_address]
    """Address that `/Users` and `/Groups` are appended to, as in `https://scim.example.com/v2`."""
    token_file: SecretFile | None = None
    """File with the bearer token, mode 0600; read anew when the service refuses it, so that it may be replaced."""
    token_variable: Annotated[str, _VARIABLE] = ""
    """Environment variable with the bearer token."""
    oauth: OAuthSettings | None = None
    """Tokens are fetched from a server instead."""
    tls_ca_file: Path | None = None
    """CA certificates (PEM) that the service's certificate chains to. Empty: the system's certificate store."""
    timeout: float = 30.0
    """Maximum time for one request, in seconds. Afterwards a write's outcome is unknown, and the service is asked."""
    requests_a_second: float = 50.0
    """Never more than that. It is halved after 429 and when answers get slow, and grows back by a twentieth a second."""
    concurrency: Annotated[int, Bounds(least=1, most=256)] = 8
    """Requests at one time."""
    slow: float = 5.0
    """Time after which an answer halves the rate, as if the service had said that it is busy, in seconds."""
    members_a_request: Annotated[int, Bounds(least=1, most=10_000)] = 500
    """Members of a group that are sent at a time. AWS takes 100."""
    member_removal: Literal["filter", "values"] = "filter"
    """How members are removed: `filter` names them in paths, as RFC 7644 says; `values` lists them, as Entra ID does."""
    page_size: Annotated[int, Bounds(least=1, most=10_000)] = 100
    """Accounts that are asked for at a time, at most as many as the service gives."""
    largest_answer_mb: Annotated[int, Bounds(least=1, most=4096)] = 64
    """In MiB. A group of 250,000 members takes some 30 where the service lists them with names."""
    patch: bool | None = None
    """Whether it takes PATCH. Empty: as it says itself (ServiceProviderConfig)."""
    put: bool = False
    """Without PATCH, changes are written as whole resources (PUT). What somebody else changes at the same moment is lost."""
    filter: bool | None = None
    """Whether it can search. Empty: as it says itself. Without, every search reads all accounts."""
    photos: bool = False
    """Whether `thumbnailPhoto` is written, as a data: address in `photos`."""
    protected_roles: tuple[str, ...] = ("admin", "administrator", "owner")
    """Accounts with one of these in `roles` or `entitlements` are never adopted by an attribute, whatever their case."""
    user_attributes: Mapping[str, str] = field(default_factory=dict)
    """More attributes of users by name, each with its SCIM path; one that is there already is replaced, or removed by ""."""
    group_attributes: Mapping[str, str] = field(default_factory=dict)
    """The same for groups."""

    def contradictions(self) -> Iterator[Unfit]:
        """Credentials that are missing or doubled, paths that are none, two attributes in one place."""
        given = sum((self.token_file is not None, bool(self.token_variable), self.oauth is not None))
        if given != 1:
            problem = "no credential is given" if not given else "several credentials are given"
            yield Unfit(problem, "name token_file, token_variable or [oauth], and only one", setting="token_file")
        if self.patch is False and not self.put:
            yield Unfit("nothing could be changed without PATCH", "set put = true, and read what it costs", setting="put")
        for kind, setting in ((ObjectKind.USER, "user_attributes"), (ObjectKind.GROUP, "group_attributes")):
            yield from self._unfit_paths(kind, setting)

    def _unfit_paths(self, kind: ObjectKind, setting: str) -> Iterator[Unfit]:
        names: dict[ScimPath, str] = {}
        for name, text in self._texts(kind).items():
            try:
                path = parse_path(kind, text)
            except Unfit as error:
                yield error.under(setting, name)
                continue
            if path in names:
                yield Unfit(f"{text} holds {names[path]} already", "give each its own", setting=(setting, name))
            names.setdefault(path, name)

    def paths(self, kind: ObjectKind) -> Mapping[str, ScimPath]:
        """Where each attribute is, by its name in the rules. Raises Unfit for a path that is none."""
        return {name: parse_path(kind, text) for name, text in self._texts(kind).items()}

    def _texts(self, kind: ObjectKind) -> Mapping[str, str]:
        if kind is ObjectKind.GROUP:
            texts = {**GROUP_PATHS, **self.group_attributes}
        else:
            texts = {**USER_PATHS, **(dict([PHOTO_PATH]) if self.photos else {}), **self.user_attributes}
        return {name: text for name, text in texts.items() if text}
