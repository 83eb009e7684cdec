"""What a rule can draw on: the fields of an identity, its attributes, templates of both. Pure."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gateway.federation.claims.model import ClaimsSubject
from gateway.federation.claims.subjects import source_anchor
from gateway.protocol import Identity
from settings import Unfit, shown

ATTRIBUTE = "attribute:"
ANCHOR = "source_anchor"
CONSISTENCY_GUID = "mS-DS-ConsistencyGuid"
FIELDS: Mapping[str, Callable[[ClaimsSubject], str]] = MappingProxyType(
    {
        "user_name": lambda subject: subject.user_name,
        "account_name": lambda subject: subject.account_name,
        "mail": lambda subject: subject.mail,
        "display_name": lambda subject: subject.display_name,
        "given_name": lambda subject: subject.given_name,
        "surname": lambda subject: subject.surname,
        "sid": lambda subject: subject.sid,
        "object_guid": lambda subject: subject.object_guid,
        "domain": lambda subject: subject.domain,
        "dn": lambda subject: subject.dn,
    }
)
"""Sources that are fields of the identity, each with one value or none."""
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}(?:;[A-Za-z0-9;-]{1,64})?|[0-9]+(?:\.[0-9]+)+")
"""An attribute description: a name with options, or an OID (RFC 4512 section 2.5)."""
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def subject_of(identity: Identity, address: str) -> ClaimsSubject:
    """A person as claims see them. address: of the client."""
    return ClaimsSubject(
        directory=identity.directory,
        object_guid=identity.object_guid,
        user_name=identity.user_name,
        domain=identity.domain,
        sid=identity.sid,
        account_name=identity.account_name,
        mail=identity.mail,
        display_name=identity.display_name,
        given_name=identity.given_name,
        surname=identity.surname,
        dn=identity.dn,
        groups=identity.groups,
        attributes=identity.attributes,
        address=address,
    )


def check_source(source: str) -> None:
    """Raises Unfit for one that is not known."""
    if source.startswith(ATTRIBUTE):
        name = source.removeprefix(ATTRIBUTE)
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise Unfit(f"{shown(name)} is not the name of an attribute", "write it as in attribute:department")
    elif source not in FIELDS and source != ANCHOR:
        known = ", ".join((*FIELDS, ANCHOR))
        raise Unfit(f"{shown(source)} is not a source", f"use one of {known}, or {ATTRIBUTE}NAME")


def values_of(subject: ClaimsSubject, source: str) -> tuple[str, ...]:
    """What the person has there, without empty values. Raises ValueError for a source anchor that is none."""
    field = FIELDS.get(source)
    if field is not None:
        value = field(subject)
        return (value,) if value else ()
    if source == ANCHOR:
        return (_anchor(subject),)
    return attribute(subject, source.removeprefix(ATTRIBUTE))


def attribute(subject: ClaimsSubject, name: str) -> tuple[str, ...]:
    """Its values without empty ones; names of attributes are equal whatever their case (RFC 4512 section 2.5)."""
    found = subject.attributes.get(name)
    if found is None:
        folded = name.lower()
        found = next((values for key, values in subject.attributes.items() if key.lower() == folded), ())
    return tuple([value for value in found if value])


def _anchor(subject: ClaimsSubject) -> str:
    kept = attribute(subject, CONSISTENCY_GUID)
    if len(kept) > 1:
        raise ValueError(f"{CONSISTENCY_GUID} has {len(kept)} values")
    return source_anchor(subject.object_guid, kept[0] if kept else None)


@functools.lru_cache(maxsize=1024)
def template_parts(template: str) -> tuple[tuple[str, str], ...]:
    """Text, and the source after it (empty: none); `{{` and `}}` are braces. Raises Unfit for a brace that is neither."""
    parts: list[tuple[str, str]] = []
    at, text = 0, ""
    for found in _PART.finditer(template):
        text += template[at : found.start()]
        at = found.end()
        if found[0] in {"{{", "}}"}:
            text += found[0][0]
        elif not found[1]:
            raise Unfit(f"has a brace without a source at character {found.start() + 1}", "write {{ or }} for a brace")
        else:
            parts.append((text, found[1]))
            text = ""
    return (*parts, (text + template[at:], ""))


def template_sources(template: str) -> tuple[str, ...]:
    """The sources in it, each once."""
    return tuple(dict.fromkeys(source for _, source in template_parts(template) if source))


def filled(subject: ClaimsSubject, template: str) -> tuple[str, ...]:
    """One text for each value of the one source that has several; nothing where a source has none. Raises ValueError where
    two have several: which belong together is not known."""
    values = {source: values_of(subject, source) for source in template_sources(template)}
    several = [source for source, found in values.items() if len(found) > 1]
    if len(several) > 1:
        raise ValueError(f"{several[0]} and {several[1]} have several values each")
    parts = template_parts(template)
    chosen = [dict(zip(values, choice, strict=True)) for choice in itertools.product(*values.values())]
    return tuple(["".join([text + (one[source] if source else "") for text, source in parts]) for one in chosen])
