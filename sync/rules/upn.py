"""Sign-in name and alias as Entra ID would make them (entra-docs, plan-connect-userprincipalname)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sync.model import Plain, Values

READ = frozenset({"mailNickname", "proxyAddresses", "mail", "userPrincipalName"})
"""Attributes of the person that both are made of."""


def mail_nickname(values: Values) -> str | None:
    """mailNickname, else what stands before the @ of the primary address, mail, the UPN, or the first other address."""
    addresses = [str(address) for address in _several(values.get("proxyAddresses"))]
    primary = next((address[5:] for address in addresses if address.startswith("SMTP:")), "")
    secondary = next((address[5:] for address in addresses if address.startswith("smtp:")), "")
    return _text(values.get("mailNickname")) or next(
        filter(None, map(_prefix, (primary, _text(values.get("mail")), _text(values.get("userPrincipalName")), secondary))),
        None,
    )


def user_principal_name(values: Values, verified: Collection[str], initial: str) -> str | None:
    """The person's own, if its suffix is one of those that the target takes (in lower case); else alias@initial domain."""
    own = _text(values.get("userPrincipalName"))
    name, at, suffix = own.rpartition("@")
    if not verified or (name and at and suffix.casefold() in verified):
        return own or None
    alias = mail_nickname(values)
    return f"{alias}@{initial}" if alias else None


def _prefix(address: str) -> str:
    return address.partition("@")[0]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _several(value: Plain | tuple[Plain, ...] | None) -> tuple[Plain, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)
