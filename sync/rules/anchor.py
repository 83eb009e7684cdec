"""The source anchor: by what an account is found again, for as long as it lives. Base64 of 16 bytes, as in ImmutableID."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from sync.model import ObjectKind, Person, SourceObject
from sync.rules.errors import ObjectHeld
from sync.rules.schema import SOURCE_ANCHOR

LINKED_MAILBOX: Final = 2
"""msExchRecipientTypeDetails of a mailbox whose user is in another forest: it is that user who has the anchor."""


def source_anchor(found: SourceObject, attribute: str) -> str:
    """Of one object: of users the attribute where it has a value, else the key. Empty for a linked mailbox.

    An anchor that was moved from elsewhere keeps its GUID in mS-DS-ConsistencyGuid; groups and contacts do not have it
    (entra-docs, plan-connect-design-concepts).
    """
    if found.kind is ObjectKind.USER:
        if found.values.get("msExchRecipientTypeDetails") == LINKED_MAILBOX:
            return ""
        own = found.values.get(attribute) if attribute else None
        if isinstance(own, bytes) and own:
            return base64.b64encode(own).decode()
        if isinstance(own, str) and own:
            return own
    return base64.b64encode(found.key).decode()


def check_anchor(previous: Person, anchors: Mapping[tuple[str, bytes], str]) -> None:
    """Raises ObjectHeld where the object that gave a person its anchor has another one now.

    anchors: by source and key, of the objects that have part in the person. An object that left took no anchor with it: the
    person keeps what it has.
    """
    anchor = previous.values[SOURCE_ANCHOR]
    for lineage in previous.lineage.get(SOURCE_ANCHOR, ()):
        giver = (lineage.source, lineage.key)
        if anchors.get(giver, anchor) != anchor:
            raise ObjectHeld(
                "AnchorChanged",
                "the source anchor of an object whose accounts carry the previous one is another one now",
                "Put the previous value back, or have the accounts carry the new one",
                rule=lineage.rule,
                objects=[giver],
                persons=[previous.id],
                value=(anchor, anchors[giver]),
            )
