"""Where objects come from: Active Directory, LDAP servers, files, databases, behind one port (`Source`).

    source = open_source("corp", settings, ("mail", "member", "manager"))
    async with source.read(cookie) as reading:
        async for change in reading:              # sync.model.SourceChange
            ...
    result = reading.result                       # complete, partial, failed or cookie_refused; why; the next cookie

What belongs here: how a source is read, what its entries, lines or rows mean (kind, key, values by type, links), whether a
reading was whole, and what has to be asked for because a delta does not tell it. What does not: what follows from a change
for other objects (a deleted member leaves its groups, names of links, those below a renamed unit), which the state works
out (docs/developers/what-no-delta-tells.md); and which objects matter, which rules say.
"""

from sync.source.ad import PRIMARY_GROUP, AdSource
from sync.source.assembly import open_source
from sync.source.attributes import AttributeType
from sync.source.csv import CsvSource
from sync.source.ldap import LdapSource
from sync.source.port import Source, SourceOutcome, SourceReading, SourceResult, Tally, Wait
from sync.source.schema import Schema, SourceAttribute
from sync.source.settings import (
    AdDomainSettings,
    AdSourceSettings,
    ColumnSettings,
    CsvSourceSettings,
    LdapSourceSettings,
    SourceSettings,
    SqlListSettings,
    SqlQuerySettings,
    SqlSourceSettings,
)

__all__ = [
    "PRIMARY_GROUP",
    "AdDomainSettings",
    "AdSource",
    "AdSourceSettings",
    "AttributeType",
    "ColumnSettings",
    "CsvSource",
    "CsvSourceSettings",
    "LdapSource",
    "LdapSourceSettings",
    "Schema",
    "Source",
    "SourceAttribute",
    "SourceOutcome",
    "SourceReading",
    "SourceResult",
    "SourceSettings",
    "SqlListSettings",
    "SqlQuerySettings",
    "SqlSourceSettings",
    "Tally",
    "Wait",
    "open_source",
]
