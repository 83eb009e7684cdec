"""Why an operation was not done, or an object is held: every cause by name, what happened, and what to do.

`sync.model.Confirmation.cause` is one of these names. They are said to people and counted by monitoring, so that a name
stays what it is; the detail of a single case stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct


class SyncCause(Struct, frozen=True):
    """One line of the table."""

    name: str
    what_happened: str
    remedy: str


INVALID_SOFT_MATCH: Final = "InvalidSoftMatch"
INVALID_HARD_MATCH: Final = "InvalidHardMatch"
OBJECT_TYPE_MISMATCH: Final = "ObjectTypeMismatch"
ATTRIBUTE_VALUE_MUST_BE_UNIQUE: Final = "AttributeValueMustBeUnique"
DUPLICATE_IN_SOURCE: Final = "DuplicateInSource"
AMBIGUOUS_JOIN: Final = "AmbiguousJoin"
TWO_FROM_ONE_SOURCE: Final = "TwoFromOneSource"
ANCHOR_CHANGED: Final = "AnchorChanged"
EXISTING_ADMIN_ROLE_CONFLICT: Final = "ExistingAdminRoleConflict"
DOMAIN_NOT_VERIFIED: Final = "DomainNotVerified"
IDENTITY_DATA_VALIDATION_FAILED: Final = "IdentityDataValidationFailed"
EXCEEDED_ALLOWED_LENGTH: Final = "ExceededAllowedLength"
MANDATORY_MISSING: Final = "MandatoryMissing"
REFERENCE_UNRESOLVED: Final = "ReferenceUnresolved"
GROUP_TOO_LARGE: Final = "GroupTooLarge"
READ_ONLY_IN_TARGET: Final = "ReadOnlyInTarget"
REFUSED_403: Final = "Refused403"
GONE_IN_TARGET: Final = "GoneInTarget"
CHANGED_IN_TARGET: Final = "ChangedInTarget"
EXPRESSION_ERROR: Final = "ExpressionError"
TARGET_BUSY: Final = "TargetBusy"
TARGET_UNREACHABLE: Final = "TargetUnreachable"
CREDENTIALS_REFUSED: Final = "CredentialsRefused"
ANSWER_UNUSABLE: Final = "AnswerUnusable"
NOT_DONE: Final = "NotDone"

_TABLE = (
    SyncCause(
        INVALID_SOFT_MATCH,
        "UPN or an SMTP address belongs to an object that has another anchor",
        "name both objects; remove the value from one, in the directory that owns it",
    ),
    SyncCause(
        INVALID_HARD_MATCH,
        "anchor belongs to an object that may not be taken over",
        "allow the take-over for this object, or give the new one an anchor of its own",
    ),
    SyncCause(
        OBJECT_TYPE_MISMATCH,
        "the value belongs to an object of another type (group, contact)",
        "name both; change one",
    ),
    SyncCause(
        ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
        "mail, proxyAddresses, userPrincipalName or sign-in name is taken",
        "name both; remove from one",
    ),
    SyncCause(
        DUPLICATE_IN_SOURCE,
        "two source objects give the same unique value",
        "name both; neither is written until decided; the one that had it keeps it",
    ),
    SyncCause(AMBIGUOUS_JOIN, "a join rule finds several", "name all candidates and the rule"),
    SyncCause(TWO_FROM_ONE_SOURCE, "two objects of one source join one person", "never allowed; name both"),
    SyncCause(
        ANCHOR_CHANGED,
        "the anchor of a known object has another value",
        "the object is held until the old value is back or an administrator re-anchors it",
    ),
    SyncCause(
        EXISTING_ADMIN_ROLE_CONFLICT,
        "soft match would take over an account with an administrator role",
        "never matched; remove the role or match by hand",
    ),
    SyncCause(
        DOMAIN_NOT_VERIFIED,
        "UPN suffix is not a verified domain",
        "verify it, or accept the replaced name (shown before and after)",
    ),
    SyncCause(
        IDENTITY_DATA_VALIDATION_FAILED,
        "a value has characters or a form that the target refuses",
        "correct the value in the directory that owns it, or the flow that makes it",
    ),
    SyncCause(
        EXCEEDED_ALLOWED_LENGTH,
        "a value or the object is too large (15 certificates, about 300 addresses)",
        "shorten the attribute that is named, or take it out of the flows",
    ),
    SyncCause(MANDATORY_MISSING, "a required attribute is empty", "give it a value; the rule that should is named"),
    SyncCause(
        REFERENCE_UNRESOLVED,
        "member or manager is not (yet) in the target",
        "nothing to do: it is kept and retried when the referenced object appears; until then it is shown as pending",
    ),
    SyncCause(
        GROUP_TOO_LARGE,
        "more members than the target takes",
        "split the group, or set a smaller number of members for each request",
    ),
    SyncCause(
        READ_ONLY_IN_TARGET,
        "the target does not let this attribute or kind of object be written",
        "remove the flow that is named, or choose another target",
    ),
    SyncCause(
        REFUSED_403,
        "permission of the application is missing",
        "grant the permission that is named to the application whose credential is used",
    ),
    SyncCause(
        GONE_IN_TARGET,
        "object was deleted in the target behind our back",
        "recreate, restore or leave: setting; shown in the plan",
    ),
    SyncCause(
        CHANGED_IN_TARGET,
        "an attribute of ours was changed in the target",
        "overwrite or leave: setting; shown as drift",
    ),
    SyncCause(
        EXPRESSION_ERROR,
        "Error() or a type error in a flow",
        "correct the flow; rule, column and values (redacted) are named",
    ),
    SyncCause(
        TARGET_BUSY,
        "429 or 5xx past the retries",
        "nothing to do: it is tried again at the time that is shown; if it stays, lower the rate in the settings",
    ),
    SyncCause(
        TARGET_UNREACHABLE,
        "no connection to the target, or none that can be trusted",
        "check its address, the proxy, the firewall and its certificate with isthmus sync check",
    ),
    SyncCause(
        CREDENTIALS_REFUSED,
        "the target, or the server that gives tokens for it, refuses our credential",
        "issue a new one, and put it into the file or variable that the settings name",
    ),
    SyncCause(
        ANSWER_UNUSABLE,
        "the target answered, but not as its protocol says",
        "check that the address in the settings is that of its interface, then report what is named to its maker",
    ),
    SyncCause(
        NOT_DONE,
        "the target answered that it was done, and reading it back shows that it was not",
        "check in the target's own log or console why; if it ignores the attribute, remove the flow",
    ),
)

CAUSES: Final[Mapping[str, SyncCause]] = MappingProxyType({cause.name: cause for cause in _TABLE})
"""By name, in the order in which documentation shows them."""
