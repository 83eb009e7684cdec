"""The page of the HTTP API, from its OpenAPI description."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from typing import Any

from isthmus.reference.markdown import code, page, table

Schema = Mapping[str, Any]


def api_page() -> str:
    """Operations, then the objects that they take and give."""
    text = importlib.resources.files("gateway.signin").joinpath("static", "openapi.json").read_text(encoding="utf-8")
    description = json.loads(text)
    operations = [
        _operation(path, method, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    objects = [_object(name, schema) for name, schema in description["components"]["schemas"].items()]
    introduction = f"{description['info']['description']}\n\nThe relay serves this description at `/api/v1/openapi.json`."
    keys = f"API keys: {description['components']['securitySchemes']['apiKey']['description']}."
    return page("HTTP API", introduction, keys, *operations, "## Objects", *objects)


def _operation(path: str, method: str, operation: Schema) -> str:
    parts = [f"## {method.upper()} {path}", operation["summary"] + "."]
    parts.append("Needs an API key: `Authorization: Bearer isk_…`." if operation.get("security") else "Needs no API key.")
    if "requestBody" in operation:
        parts.append(f"Body: {_content(operation['requestBody'])}.")
    rows = [(code(status), answer["description"], _content(answer)) for status, answer in operation["responses"].items()]
    return "\n\n".join([*parts, table(("status", "meaning", "body"), rows)])


def _content(holder: Schema) -> str:
    return ", ".join(f"{_kind(body['schema'])} as {code(media)}" for media, body in holder.get("content", {}).items())


def _object(name: str, schema: Schema) -> str:
    closed = "No other member is taken." if schema.get("additionalProperties") is False else ""
    rows = list(_members(schema, ""))
    return "\n\n".join(
        part for part in [f"### {name}", table(("member", "type", "required", "meaning"), rows), closed] if part
    )


def _members(schema: Schema, prefix: str) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, member in schema.get("properties", {}).items():
        required = "yes" if name in schema.get("required", ()) else "no"
        rows.append((code(prefix + name), _kind(member), required, _meaning(member)))
        rows += _members(member, f"{prefix}{name}.")
    return rows


def _kind(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "prefixItems" in schema:
        return "[" + ", ".join(item.get("description", item["type"]) for item in schema["prefixItems"]) + "]"
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema["type"])


def _meaning(schema: Schema) -> str:
    words = [schema["description"]] if "description" in schema else []
    if "minLength" in schema and "maxLength" in schema:
        words.append(f"{schema['minLength']} to {schema['maxLength']} characters.")
    elif "maxLength" in schema:
        words.append(f"At most {schema['maxLength']} characters.")
    if "default" in schema:
        words.append(f"Default: {code(json.dumps(schema['default']))}.")
    if "enum" in schema:
        words.append("One of " + ", ".join(code(value) for value in schema["enum"]) + ".")
    return " ".join(words)
