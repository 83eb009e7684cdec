"""Which slot of a domain may be written: a pure decision.

    live key in      wanted certificate       written
    signing          in neither               next
    next             in neither               signing
    either           already there            nothing
    neither          is the live key          an empty one, else the one whose certificate ends sooner
    neither          anything else            nothing: Entra ID must know the live key first

The slot that holds the live key is never written.
"""

from __future__ import annotations

import math

from adfs_mgmt.trust.errors import TrustRefused
from adfs_mgmt.trust.model import Configuration, Slot
from certs import normal_thumbprint


def slot_for(domain: str, configuration: Configuration, wanted: str, live: str) -> Slot | None:
    """Where a certificate (thumbprint) goes; None where it is already there. `live` is the one that signs now.

    Raises TrustRefused where no slot may be written.
    """
    if configuration.slot_of(wanted) is not None:
        return None
    holding = configuration.slot_of(live)
    if holding is not None:
        return holding.other
    if normal_thumbprint(wanted) != normal_thumbprint(live):
        reason = (
            f"Entra ID does not have {live}, the current token-signing certificate, so sign-in to "
            f"{domain} is already broken. "
            "Publish that one first: `isthmus adfs trust update`"
        )
        raise TrustRefused(f"publishing {wanted} to {domain}", [reason])
    return min(Slot, key=lambda slot: _end(configuration, slot))


def _end(configuration: Configuration, slot: Slot) -> float:
    """Minus infinity for an empty slot."""
    return configuration.certificates[slot].left(0.0) if slot in configuration.certificates else -math.inf


def slot_to_retire(domain: str, configuration: Configuration, old: str, live: str) -> Slot | None:
    """The slot that holds an old certificate, to be overwritten with the live one; None where it is in neither.

    The live key is put there instead of nothing because Graph documents no way to empty `signingCertificate`, and because
    the same value in both slots is as good as one. Raises TrustRefused.
    """
    what = f"retiring {old} from {domain}"
    if normal_thumbprint(old) == normal_thumbprint(live):
        raise TrustRefused(what, ["it is the current token-signing certificate. Promote another one first"])
    holding = configuration.slot_of(old)
    if holding is None:
        return None
    if configuration.slot_of(live) is None:
        raise TrustRefused(what, [f"Entra ID does not have {live}, the current token-signing certificate. Publish it first"])
    return holding
