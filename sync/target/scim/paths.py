"""Which SCIM attribute holds which attribute of ours: paths as RFC 7644 figure 7 spells them, and the tables of defaults.

Our names are those that Active Directory and the rules use; paths are checked by scim2-models against RFC 7643's schemas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from scim2_models import Email, EnterpriseUser, Group, Mutability, Path, SCIMException, User

from settings import Unfit, shown
from sync.model import ObjectKind

USER_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_SCHEMA: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

_PATH = re.compile(r'(?:(urn:\S+):)?([A-Za-z][\w-]*)(?:\[type eq "([^"\\]+)"\])?(?:\.([A-Za-z$][\w-]*))?')


class MailAddress(Email):
    """As text: the library refuses addresses in `corp.local`, which many directories have and services take."""

    value: str | None = None


class UserPayload(User[EnterpriseUser]):
    """A user as it is sent, with RFC 7643's enterprise extension."""

    emails: list[MailAddress] | None = None  # type: ignore[assignment]


class ScimPath(Struct, frozen=True):
    """One attribute. With a `type`, it is that sub-attribute of a multi-valued attribute's entries of this type."""

    attribute: str
    sub: str = ""
    type: str = ""
    schema: str = ""
    """URN of an extension; empty for the core schema."""

    def __str__(self) -> str:
        inner = f'[type eq "{self.type}"]' if self.type else ""
        return self.root + inner + (f".{self.sub}" if self.sub else "")

    @property
    def root(self) -> str:
        """The whole attribute, of which this may be a part."""
        return f"{self.schema}:{self.attribute}" if self.schema else self.attribute

    @property
    def searched(self) -> str:
        """As a filter names it: without the type, because `emails.value` is understood by more services."""
        return f"{self.root}.{self.sub}" if self.sub else self.root

    @property
    def takes_several(self) -> bool:
        """Whether several values are several entries. An address is one entry with several sub-attributes."""
        return bool(self.type) and self.sub == "value"


def parse_path(kind: ObjectKind, text: str) -> ScimPath:
    """A path of the settings. Raises Unfit: it is none, nothing that can be written, or not one value."""
    found = _PATH.fullmatch(text)
    if found is None:
        raise Unfit(f"{shown(text)} is not the path of a SCIM attribute", 'write it as in emails[type eq "work"].value')
    schema, attribute, type_, sub = (part or "" for part in found.groups())
    model = Group if kind is ObjectKind.GROUP else UserPayload
    schema = "" if schema.casefold() in {USER_SCHEMA.casefold(), GROUP_SCHEMA.casefold()} else schema
    if schema and (schema != ENTERPRISE_SCHEMA or kind is ObjectKind.GROUP):
        raise Unfit(f"{shown(schema)} is not a schema of a {kind.value}", f"of extensions, {ENTERPRISE_SCHEMA} is known")
    path = ScimPath(attribute, sub, type_, schema)
    try:
        binding = Path[model](str(path)).resolve()  # type: ignore[valid-type]
    except SCIMException:
        binding = None
    if binding is None:
        raise Unfit(f"{shown(text)} is not an attribute of a {kind.value}", "take one of RFC 7643 section 4")
    if binding.model.get_field_annotation(binding.field_name, Mutability) is Mutability.read_only:
        raise Unfit(f"{shown(text)} cannot be written")
    if path.attribute in {"externalId", "members", "manager", "password", "schemas", "id", "meta"}:
        raise Unfit(f"{shown(text)} is not for flows", "anchor, links and passwords have their own way")
    if binding.is_multivalued != bool(type_) or bool(sub) != (binding.sub_field_name is not None):
        raise Unfit(f"{shown(text)} is not one value", 'write it as in emails[type eq "work"].value')
    if _is_complex(binding.sub_field_type if sub else binding.field_type):
        raise Unfit(f"{shown(text)} is not one value", f"name one of its sub-attributes, as in {attribute}.value")
    return path


def _is_complex(type_: object) -> bool:
    return isinstance(type_, type) and hasattr(type_, "model_fields")


USER_PATHS: Final[Mapping[str, str]] = {
    "userPrincipalName": "userName",
    "accountEnabled": "active",
    "displayName": "displayName",
    "givenName": "name.givenName",
    "middleName": "name.middleName",
    "sn": "name.familyName",
    "title": "title",
    "mail": 'emails[type eq "work"].value',
    "telephoneNumber": 'phoneNumbers[type eq "work"].value',
    "mobile": 'phoneNumbers[type eq "mobile"].value',
    "homePhone": 'phoneNumbers[type eq "home"].value',
    "facsimileTelephoneNumber": 'phoneNumbers[type eq "fax"].value',
    "pager": 'phoneNumbers[type eq "pager"].value',
    "streetAddress": 'addresses[type eq "work"].streetAddress',
    "l": 'addresses[type eq "work"].locality',
    "st": 'addresses[type eq "work"].region',
    "postalCode": 'addresses[type eq "work"].postalCode',
    "c": 'addresses[type eq "work"].country',
    "preferredLanguage": "preferredLanguage",
    "employeeType": "userType",
    "wWWHomePage": "profileUrl",
    "employeeNumber": f"{ENTERPRISE_SCHEMA}:employeeNumber",
    "department": f"{ENTERPRISE_SCHEMA}:department",
    "division": f"{ENTERPRISE_SCHEMA}:division",
    "company": f"{ENTERPRISE_SCHEMA}:organization",
}
PHOTO_PATH: Final = ("thumbnailPhoto", 'photos[type eq "thumbnail"].value')
"""Only where it is asked for: it makes every account some 20 KB larger."""
GROUP_PATHS: Final[Mapping[str, str]] = {"displayName": "displayName"}
