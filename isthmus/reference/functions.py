"""The page of the functions that expressions of synchronisation rules have, from their declarations."""

from __future__ import annotations

from itertools import groupby

from isthmus.reference.markdown import code, page, table
from sync.rules import Catalogued, catalogue

_INTRODUCTION = """\
Functions of expressions in rules of synchronisation, with `dialect = "connect"`: the language of Azure AD Connect
(Microsoft Entra Connect Sync). Names of functions, attributes and constants are case-sensitive."""

_WRITTEN = (
    ("`[sn]`", "an attribute; NULL where the object does not have it"),
    ('`"text"`', 'a text. `\\"` is a quote in it, `\\\\` a backslash; before anything else a backslash stays as it is'),
    ("`512`, `-1`, `&H0F`", "a number of 64 bits; in hexadecimal, the highest bit is the sign"),
    ("`True`, `False`, `NULL`, `CRLF`", "constants; CRLF is a line break"),
    ("`AuthoritativeNull`", "result of a whole expression: no value, also not from rules of lower precedence"),
    ("`IgnoreThisFlow`", "result of a whole expression: leave the target as it is"),
    (
        "`%Domain.FQDN%`",
        "a parameter: `Connector.ID`; in Active Directory `Domain.` and `Forest.` with `FQDN`, `LDAP` or `Netbios`",
    ),
    ("`$item`", "a variable, declared by Select, Where or With"),
    ("`Left([sn], 3)`", "a function"),
)
_OPERATORS = (
    (
        "`&` `+` `-` `*`",
        "texts or bytes one after the other; arithmetic. From left to right, without priority among them: `2 + 3 * 4` is 20",
    ),
    ("`=` `<>` `<` `<=` `>` `>=`", "comparison of two values of one kind; texts with their case"),
    (
        "`&&` <code>&#124;&#124;</code>",
        "and, or. What no longer matters is not evaluated. Both in one sequence need brackets",
    ),
)
_VALUES = """\
Microsoft's documentation gives all operators one priority. The standard rules of Connect work only if comparison binds more
than and and or, and so it is here.

**Kinds of values** are text (`str`), number (`num`), boolean (`bool`), bytes (`bin`), reference to another object (`ref`)
and date (`dt`, always UTC). None becomes another without a function; `var` is any of them, `same` the kind of the first
argument. A date cannot be the result of an expression: FormatDateTime and NumFromDate make a text or number of it.

**NULL** as an argument makes the result NULL, unless a function says otherwise. It equals only NULL, `&` takes it for
nothing, and as a condition it is false.

**Several values.** A function of one value works on each value of a multi-valued attribute, and so do the operators and
IIF: `Word([proxyAddresses], 1, "@") & "@example.com"`. Where two arguments have several values, those at the same place are
taken together. Arguments of types named `mv...` are all values at once, and need an attribute or expression with several.

**Limits.** An expression has at most 65,536 characters and 100 functions in each other, a value at most 1,048,576
characters, all values of an attribute together 67,108,864. What goes beyond is an error of the object."""

_BASIS = """\
## Functions

The column *rests on* says how sure the behaviour is: on an **example** of Microsoft's reference with its result, which is
among our tests; on its **description**, where what it leaves open was decided here; on the **rules** that Connect brings,
where the reference does not have the function."""


def functions_page() -> str:
    """The language, every function, and the names that are refused."""
    rows = catalogue("connect")
    groups = [_group(group, list(found)) for group, found in groupby(rows, key=lambda row: row.group) if group]
    refused = [(code(row.name), row.summary, row.basis) for row in rows if not row.group]
    return page(
        "Functions of synchronisation rules",
        _INTRODUCTION,
        "## The language",
        table(("written", "meaning"), _WRITTEN),
        "Operators, from the one that binds most:",
        table(("operator", "meaning"), _OPERATORS),
        _VALUES,
        _BASIS,
        *groups,
        "## Refused names\n\nFunctions of other dialects; an error names what to write instead.",
        table(("name", "reason", "instead"), refused),
    )


def _group(group: str, rows: list[Catalogued]) -> str:
    cells = [(code(row.signature), row.summary, row.basis) for row in rows]
    return f"### {group}\n\n{table(('function', 'result', 'rests on'), cells)}"
