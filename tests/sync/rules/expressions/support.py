"""How these tests evaluate an expression."""

from __future__ import annotations

from sync.rules.expressions import Bindings, Expression, FlowResult, Place, Value, parse_expression

WHERE = Place("rules.toml", 12, 8)
PARAMETERS = {
    "Domain.FQDN": "sales.example.com",
    "Forest.LDAP": "DC=example,DC=com",
    "Replacements": "\u2019:,Å:A,Ä:A,Ö:O,å:a,ä:a,ö:o",
}
NOW = 1_775_000_000.5
"""2026-03-31 23:33:20.5 UTC."""


def parsed(text: str) -> Expression:
    return parse_expression(text, dialect="connect", where=WHERE)


def bindings(attributes: dict[str, Value], imported: dict[str, Value] | None = None) -> Bindings:
    return Bindings(
        attributes=attributes,
        imported=imported or {},
        parameters=PARAMETERS,
        now=NOW,
        random_below=lambda limit: limit - 1,
    )


def evaluated(text: str, /, **attributes: Value) -> FlowResult:
    return parsed(text).evaluate(bindings(attributes))
