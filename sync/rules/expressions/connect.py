"""The dialect of Azure AD Connect: names of its functions and constants, and those of other dialects, which are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sync.rules.expressions.forms import FORMS
from sync.rules.expressions.functions import TABLES
from sync.rules.expressions.signatures import Form, Function
from sync.rules.expressions.values import AuthoritativeNull, FlowResult, IgnoreThisFlow


@dataclass(frozen=True, slots=True)
class RefusedName:
    """A function that this dialect does not have, and why not."""

    reason: str
    remedy: str


CONNECT_FUNCTIONS: Final[Mapping[str, Function | Form]] = {
    function.name: function for table in (*TABLES, *FORMS) for function in table
}
CONNECT_CONSTANTS: Final[Mapping[str, FlowResult]] = {
    "NULL": None,
    "True": True,
    "False": False,
    "CRLF": "\r\n",
    "AuthoritativeNull": AuthoritativeNull,
    "IgnoreThisFlow": IgnoreThisFlow,
}
_ENTRA: Final = "it reads or writes what only Entra ID has"
_CLOUD: Final = "it belongs to the expressions of cloud sync and app provisioning"

CONNECT_REFUSED: Final[Mapping[str, RefusedName]] = {
    "AppRoleAssignmentsComplex": RefusedName(_ENTRA, "Have a group or attribute of the directory say who has which role"),
    "SingleAppRoleAssignment": RefusedName(_ENTRA, "Have a group or attribute of the directory say who has which role"),
    "SelectUniqueValue": RefusedName(_CLOUD, "Compute one value; a conflict at the target is reported with both objects"),
    "Append": RefusedName(_CLOUD, 'Write [a] & "suffix"'),
    "Coalesce": RefusedName(_CLOUD, "Write Switch(IsPresent([a]), [a], IsPresent([b]), [b])"),
    "DateDiff": RefusedName(_CLOUD, "Compute with NumFromDate, in steps of 100 ns"),
    "IgnoreFlowIfNullOrEmpty": RefusedName(_CLOUD, "Write IIF(IsPresent([a]), [a], IgnoreThisFlow)"),
    "NormalizeDiacritics": RefusedName(_CLOUD, 'Write ReplaceChars([a], "ä:a,ö:o")'),
    "Not": RefusedName(_CLOUD, "Write [a] = False"),
    "RandomString": RefusedName(_CLOUD, "Write Guid()"),
    "Redact": RefusedName(_CLOUD, "Leave it out: values are in no log unless a setting says so"),
    "StripSpaces": RefusedName(_CLOUD, 'Write Replace([a], " ", "")'),
    "ToLower": RefusedName(_CLOUD, "Write LCase([a])"),
    "ToUpper": RefusedName(_CLOUD, "Write UCase([a])"),
}
