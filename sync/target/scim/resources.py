"""SCIM resources and what they say: from our values to a resource or to PATCH operations, and back. Pure.

What a service answers is read leniently, because services differ from RFC 7643 in known ways: names of attributes in any
case (which section 2.1 allows), booleans as text ("False"), entries without a type. What is sent is checked by scim2-models.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

from pydantic import ValidationError
from scim2_models import Context, Group, PatchOp, SCIMException

from sync.model import AccountState, ObjectKind, Plain, Values
from sync.target.port import RemoteAccount
from sync.target.scim.paths import ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA, ScimPath, UserPayload

Json: TypeAlias = dict[str, Any]
PATCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_PHOTO: Final = "data:image/jpeg;base64,"


class UnsendableValue(Exception):
    """A value cannot be sent in SCIM. attribute: its name in the rules, else in SCIM. It never holds the value itself."""

    def __init__(self, attribute: str, problem: str) -> None:
        super().__init__(attribute, problem)
        self.attribute, self.problem = attribute, problem

    def __str__(self) -> str:
        return f"{self.attribute}: {self.problem}" if self.attribute else self.problem


def new_resource(kind: ObjectKind, anchor: str, paths: Mapping[str, ScimPath], values: Values, *, active: bool) -> Json:
    """For POST. Raises UnsendableValue.

    A user is told to be active or not unless a value says so: some services take one without `active` for a disabled one.
    """
    schemas = [GROUP_SCHEMA] if kind is ObjectKind.GROUP else [USER_SCHEMA]
    resource: Json = {"schemas": schemas, "externalId": anchor}
    if kind is ObjectKind.USER:
        resource["active"] = active
    for name, value in values.items():
        _put(resource, paths[name], _entries(name, paths[name], value))
    if ENTERPRISE_SCHEMA in resource:
        schemas.append(ENTERPRISE_SCHEMA)
    return _checked(kind, resource, Context.RESOURCE_CREATION_REQUEST)


def changed_resource(kind: ObjectKind, resource: Json, changes: Mapping[ScimPath, list[Any]]) -> Json:
    """For PUT: what the service has, with these changes, without what is read-only. An empty list clears."""
    changed = {name: value for name, value in resource.items() if name.casefold() not in {"meta", "groups"}}
    for path, values in changes.items():
        place = changed
        if path.schema:
            key = _key(changed, path.schema)
            place = changed[key] = dict(changed.get(key) or {})
            changed["schemas"] = [*dict.fromkeys((*changed.get("schemas", ()), path.schema))]
        key = _key(place, path.attribute)
        if path.type or not path.sub:
            new: Any = _merged(path, place.get(key), values) if path.type else (values[0] if values else None)
        else:
            inner = dict(place.get(key) or {})
            inner.pop(_key(inner, path.sub), None)
            new = {**inner, **({path.sub: values[0]} if values else {})}
        if new in (None, [], {}):
            place.pop(key, None)
        else:
            place[key] = new
    return changed


def patch_operations(current: Json | None, changes: Mapping[ScimPath, list[Any]]) -> list[Json]:
    """For PATCH. An empty list clears.

    Entries of other types stay: a multi-valued attribute is sent whole, made of what the service has (`current`). A path
    with a filter would be shorter, but a service answers `noTarget` where no entry has the type (RFC 7644 section 3.5.2.3),
    and some add an entry each time.
    """
    operations: list[Json] = []
    merged: dict[ScimPath, Any] = {}
    for path, values in changes.items():
        if path.type:
            root = ScimPath(path.attribute, schema=path.schema)
            before = merged[root] if root in merged else _get(current or {}, path.attribute)
            merged[root] = _merged(path, before, values)
        elif values:
            operations.append({"op": "replace", "path": str(path), "value": values[0]})
        else:
            operations.append({"op": "remove", "path": str(path)})
    for root, entries in merged.items():
        operations.append({"op": "replace", "path": str(root), "value": entries} if entries else _removal(root))
    return operations


def _removal(path: ScimPath) -> Json:
    return {"op": "remove", "path": str(path)}


def checked_patch(kind: ObjectKind, operations: list[Json]) -> Json:
    """The body of a PATCH. Raises UnsendableValue where scim2-models refuses it."""
    body = {"schemas": [PATCH_SCHEMA], "Operations": operations}
    model: Any = PatchOp[Group] if kind is ObjectKind.GROUP else PatchOp[UserPayload]
    try:
        model.model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST)
    except (ValidationError, SCIMException) as error:
        raise _unfit(error) from None  # its text holds the values
    return body


def changes_of(paths: Mapping[str, ScimPath], set_: Values, clear: Collection[str]) -> dict[ScimPath, list[Any]]:
    """What is to be at each path; an empty list clears. Raises UnsendableValue."""
    changes: dict[ScimPath, list[Any]] = {paths[name]: [] for name in clear}
    changes.update({paths[name]: _entries(name, paths[name], value) for name, value in set_.items()})
    return changes


def check_changes(kind: ObjectKind, changes: Mapping[ScimPath, list[Any]]) -> None:
    """Refuse values that RFC 7643 has no room for. Raises UnsendableValue."""
    resource: Json = {"schemas": [GROUP_SCHEMA if kind is ObjectKind.GROUP else USER_SCHEMA]}
    for path, values in changes.items():
        _put(resource, path, values)
    resource.setdefault("displayName" if kind is ObjectKind.GROUP else "userName", "any")
    _checked(kind, resource, Context.RESOURCE_CREATION_REQUEST)


def account_of(
    kind: ObjectKind, resource: Json, paths: Mapping[str, ScimPath], protected_roles: Collection[str] = ()
) -> RemoteAccount:
    """What a folded resource (see `folded`) says."""
    active = kind is not ObjectKind.USER or _boolean(resource.get("active", True))
    roles = {text for name in ("roles", "entitlements") for text in _texts(resource.get(name))}
    return RemoteAccount(
        kind,
        _text(resource.get("id")),
        _text(resource.get("externalid")),
        {name: value for name, path in paths.items() if (value := value_at(resource, path)) is not None},
        AccountState.ACTIVE if active else AccountState.DISABLED,
        bool(roles & {role.casefold() for role in protected_roles}),
    )


def value_at(resource: Json, path: ScimPath) -> Plain | tuple[Plain, ...] | None:
    """What a folded resource has at a path; None where that is nothing."""
    found = tuple(value for value in values_at(resource, path) if value is not None)
    if not found:
        return None
    return found[0] if len(found) == 1 or not path.takes_several else found


def values_at(resource: Json, path: ScimPath) -> Iterator[Plain | None]:
    """All of them. An entry without a type counts as one of the type that is asked for."""
    place: Any = resource.get(path.schema.casefold()) if path.schema else resource
    value = place.get(path.attribute.casefold()) if isinstance(place, dict) else None
    if not path.sub:
        yield _plain(path, value)
    elif not path.type:
        yield _plain(path, value.get(path.sub.casefold()) if isinstance(value, dict) else None)
    else:
        for entry in value if isinstance(value, list) else ():
            if isinstance(entry, dict) and _text(entry.get("type")).casefold() in {"", path.type.casefold()}:
                yield _plain(path, entry.get(path.sub.casefold()))


def folded(value: Any) -> Any:
    """A JSON value with the names of attributes in lower case: they have none that counts (RFC 7643 section 2.1)."""
    if isinstance(value, dict):
        return {name.casefold(): folded(inner) for name, inner in value.items()}
    return [folded(inner) for inner in value] if isinstance(value, list) else value


def _entries(name: str, path: ScimPath, value: Plain | tuple[Plain, ...]) -> list[Any]:
    """As JSON has it. Raises UnsendableValue."""
    values = value if isinstance(value, tuple) else (value,)
    if len(values) > 1 and not path.takes_several:
        raise UnsendableValue(name, f"it has {len(values)} values, and {path} takes one")
    return [_sent(name, path, one) for one in values]


def _sent(name: str, path: ScimPath, value: Plain) -> Any:
    if isinstance(value, bytes):
        if path.attribute != "photos":
            raise UnsendableValue(name, f"it is binary, and {path} takes text")
        return _PHOTO + base64.b64encode(value).decode("ascii")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise UnsendableValue(name, f"character {error.start + 1} is half of a surrogate pair") from None
    return value


def _plain(path: ScimPath, value: Any) -> Plain | None:
    if path.attribute == "active":
        return None if value is None else _boolean(value)
    if isinstance(value, str) and path.attribute == "photos" and value.startswith(_PHOTO):
        try:
            return base64.b64decode(value.removeprefix(_PHOTO), validate=True)
        except binascii.Error:
            return value
    return value if isinstance(value, str | int | bool) and value != "" else None


def _put(resource: Json, path: ScimPath, values: list[Any]) -> None:
    """Into a resource of ours, whose names are spelled as the schema does."""
    place = resource.setdefault(path.schema, {}) if path.schema else resource
    if path.type:
        place[path.attribute] = _merged(path, place.get(path.attribute), values)
    elif values and path.sub:
        place.setdefault(path.attribute, {})[path.sub] = values[0]
    elif values:
        place[path.attribute] = values[0]


def _merged(path: ScimPath, before: Any, values: list[Any]) -> list[Any]:
    """The entries of a multi-valued attribute, those of this type replaced. The others stay as the service has them."""
    entries = [dict(entry) for entry in before if isinstance(entry, dict)] if isinstance(before, list) else []
    ours = [entry for entry in entries if _text(_get(entry, "type")).casefold() in {"", path.type.casefold()}]
    others = [entry for entry in entries if entry not in ours]
    if not path.takes_several:  # one entry with several sub-attributes: an address
        entry = {name: value for name, value in (ours[0] if ours else {}).items() if name.casefold() != path.sub.casefold()}
        made = [{**entry, "type": path.type, path.sub: values[0]}] if values else [entry]
        return [*others, *(entry for entry in made if entry.keys() - {"type", "primary"})]
    made = [{path.sub: value, "type": path.type} for value in values]
    primary = any(_get(entry, "primary") is True for entry in others)
    if made and path.attribute == "emails" and not primary and (path.type == "work" or not others):
        made[0]["primary"] = True
    return [*others, *made]


def _get(resource: Json, name: str) -> Any:
    return resource.get(_key(resource, name))


def _key(resource: Json, name: str) -> str:
    """As the service spells it, where it has it."""
    return next((key for key in resource if key.casefold() == name.casefold()), name)


def _checked(kind: ObjectKind, resource: Json, context: Context) -> Json:
    model = Group if kind is ObjectKind.GROUP else UserPayload
    try:
        return model.model_validate(resource, scim_ctx=context).model_dump(scim_ctx=context)
    except (ValidationError, SCIMException) as error:
        raise _unfit(error) from None  # its text holds the values


def _unfit(error: ValidationError | SCIMException) -> UnsendableValue:
    if isinstance(error, SCIMException):
        return UnsendableValue("", "scim2-models refuses it")
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return UnsendableValue(".".join(map(str, first["loc"])), first["msg"])


def _boolean(value: Any) -> bool:
    """Some services have booleans as text: "True", "False"."""
    return value.strip().casefold() == "true" if isinstance(value, str) else bool(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _texts(value: Any) -> Iterator[str]:
    """Every text in an attribute, whatever its form: what a role is called."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value.casefold()
