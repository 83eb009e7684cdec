"""What a service can do: ServiceProviderConfig, ResourceTypes and Schemas (RFC 7644 section 4), as far as it has them, and
settings, which win because services describe themselves wrongly. Pure, but for `discover`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from sync.model import AccountState, ObjectKind
from sync.target.errors import UnusableAnswer
from sync.target.port import Profile
from sync.target.scim.client import ScimClient
from sync.target.scim.paths import ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA, ScimPath
from sync.target.scim.resources import Json, folded
from sync.target.scim.settings import ScimSettings

MANAGER = "manager"
MEMBER = "member"
SCHEMA_OF: Mapping[ObjectKind, str] = {ObjectKind.USER: USER_SCHEMA, ObjectKind.GROUP: GROUP_SCHEMA}
_ENDPOINTS: Mapping[ObjectKind, str] = {ObjectKind.USER: "/Users", ObjectKind.GROUP: "/Groups"}


class Capabilities(Struct, frozen=True):
    """Of one service."""

    profile: Profile
    endpoints: Mapping[ObjectKind, str]
    paths: Mapping[ObjectKind, Mapping[str, ScimPath]]
    """Of attributes that can be written."""
    patch: bool
    filter: bool
    etag: bool
    page_size: int
    missing: tuple[str, ...] = ()
    """What it does not tell of itself: endpoints."""
    left_out: tuple[str, ...] = ()
    """Attributes of ours whose place its schemas lack, or do not let be written."""


async def discover(client: ScimClient, settings: ScimSettings) -> Capabilities:
    """Ask it. Raises TargetError."""
    told: dict[str, Any] = {}
    for endpoint in ("/ServiceProviderConfig", "/ResourceTypes", "/Schemas"):
        try:
            answer = await client.ask(client.address(endpoint), absent=True)
        except UnusableAnswer:  # 400, 405, HTML: it does not have it
            continue
        if answer.done:
            told[endpoint] = folded(answer.json())
    return capabilities(settings, told)


def capabilities(settings: ScimSettings, told: Mapping[str, Any]) -> Capabilities:
    """told: folded answers by endpoint, as they came."""
    config = told.get("/ServiceProviderConfig")
    config = config if isinstance(config, dict) else {}
    endpoints = {**_ENDPOINTS, **dict(_endpoints(told.get("/ResourceTypes")))}
    kinds = dict(_endpoints(told.get("/ResourceTypes"))).keys() or _ENDPOINTS.keys()
    schemas = {str(s.get("id", "")).casefold(): s for s in _resources(told.get("/Schemas"))}
    paths = {kind: settings.paths(kind) for kind in kinds}
    writable = {kind: {n: p for n, p in of.items() if _is_writable(schemas, kind, p)} for kind, of in paths.items()}
    maximum = _inner(config, "filter").get("maxresults")
    has_manager = _is_writable(schemas, ObjectKind.USER, ScimPath(MANAGER, schema=ENTERPRISE_SCHEMA))
    profile = Profile(
        attributes={kind: frozenset(of) for kind, of in writable.items()},
        unique={kind: frozenset(_unique(schemas, kind, writable[kind])) for kind in kinds},
        required={kind: frozenset(_required(schemas, kind, writable[kind])) for kind in kinds},
        links={
            kind: frozenset({MEMBER} if kind is ObjectKind.GROUP else {MANAGER} if has_manager else ()) for kind in kinds
        },
        single_links=frozenset({MANAGER} if has_manager and ObjectKind.USER in kinds else ()),
        states={ObjectKind.USER: frozenset({AccountState.DISABLED})} if ObjectKind.USER in kinds else {},
        links_a_request=settings.members_a_request,
    )
    return Capabilities(
        profile=profile,
        endpoints={kind: endpoints[kind] for kind in kinds},
        paths=writable,
        patch=_first(settings.patch, _supported(config, "patch"), True),
        filter=_first(settings.filter, _supported(config, "filter"), True),
        etag=_first(_supported(config, "etag"), False),
        page_size=min(settings.page_size, maximum) if isinstance(maximum, int) and maximum > 0 else settings.page_size,
        missing=tuple(e for e in ("/ServiceProviderConfig", "/ResourceTypes", "/Schemas") if e not in told),
        left_out=tuple(sorted(n for kind in kinds for n in paths[kind] if n not in writable[kind])),
    )


def _endpoints(answer: Any) -> Iterator[tuple[ObjectKind, str]]:
    """By the schemas of users and groups: what the types are called is the service's business."""
    for type_ in _resources(answer):
        for kind, schema in SCHEMA_OF.items():
            endpoint = type_.get("endpoint")
            if str(type_.get("schema", "")).casefold() == schema.casefold() and isinstance(endpoint, str):
                yield kind, "/" + endpoint.strip("/").rsplit("/", 1)[-1]


def _resources(answer: Any) -> list[Json]:
    """Of a list response, or a bare list, which some services give here."""
    found = answer.get("resources") if isinstance(answer, dict) else answer
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _attribute(schemas: Mapping[str, Json], kind: ObjectKind, path: ScimPath) -> Json | None:
    """As its schema describes it; None where the service does not have it, {} where it has no schemas to tell."""
    schema = schemas.get((path.schema or SCHEMA_OF[kind]).casefold())
    if schema is None:
        return None if schemas and path.schema else {}
    found = _child(schema.get("attributes"), path.attribute)
    if found is None or not path.sub:
        return found
    inner = _child(found.get("subattributes"), path.sub)
    return None if inner is None else {**inner, "outer": found.get("mutability")}


def _child(attributes: Any, name: str) -> Json | None:
    for attribute in attributes if isinstance(attributes, list) else ():
        if isinstance(attribute, dict) and str(attribute.get("name", "")).casefold() == name.casefold():
            return attribute
    return None


def _is_writable(schemas: Mapping[str, Json], kind: ObjectKind, path: ScimPath) -> bool:
    found = _attribute(schemas, kind, path)
    return found is not None and "readOnly" not in {found.get("mutability"), found.get("outer")}


def _unique(schemas: Mapping[str, Json], kind: ObjectKind, paths: Mapping[str, ScimPath]) -> Iterator[str]:
    """As the schema tells; without one, names of users (RFC 7643 section 4.1)."""
    for name, path in paths.items():
        told = (_attribute(schemas, kind, path) or {}).get("uniqueness")
        if told in {"server", "global"} or (told is None and path == ScimPath("userName")):
            yield name


def _required(schemas: Mapping[str, Json], kind: ObjectKind, paths: Mapping[str, ScimPath]) -> Iterator[str]:
    """As the schema tells, and what RFC 7643 sections 4.1 and 4.2 require whatever it tells."""
    identifying = ScimPath("displayName" if kind is ObjectKind.GROUP else "userName")
    for name, path in paths.items():
        told = (_attribute(schemas, kind, path) or {}).get("required")
        if path == identifying or (told is True and not path.sub):  # in an entry: required where there is one
            yield name


def _inner(config: Json, name: str) -> Json:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _supported(config: Json, name: str) -> bool | None:
    found = _inner(config, name).get("supported")
    if isinstance(found, str):
        return found.casefold() == "true"
    return found if isinstance(found, bool) else None


def _first(*answers: bool | None) -> bool:
    return next(answer for answer in answers if answer is not None)
