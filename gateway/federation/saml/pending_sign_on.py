"""A request that was checked and is not answered yet: what its answer needs, sealed in the address meanwhile."""

from __future__ import annotations

import msgspec


class PendingSignOn(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Kind of state: carried."""

    id: str
    """For InResponseTo; empty where nobody asked."""
    consumer: str
    """Where the answer goes."""
    relay_state: str = ""
    name_id_format: str
    encrypt_name_id: bool = False
    """Whether the request wants that, whatever the trust says."""
    context: str
    subject: str = ""
    """The NameID that the request names; empty: anybody."""

    def __repr__(self) -> str:
        return f"PendingSignOn({self.id!r}, …)"
