"""What a directory says of itself: the half of an account's identity that no setting can change. Pure.

Active Directory: objectGUID of the domain (MS-ADTS section 3.1.1.1.5). Others: the naming context (RFC 4512 section 5.1),
written in one way, since servers that replicate each other may write it differently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_DOMAIN_ROOT = re.compile(r"(?:^|(?<!\\),)\s*(dc=[^,]+(?:,\s*dc=[^,]+)*)$", re.IGNORECASE)
_SPACES = re.compile(r"\s*([,=+])\s*")


def normalise_dn(dn: str) -> str:
    """Lower case, no blanks around separators: enough to tell whether two servers mean the same naming context."""
    return _SPACES.sub(r"\1", dn.strip()).lower()


def naming_context(base_dn: str, contexts: Sequence[bytes]) -> str:
    """The longest of a server's naming contexts that `base_dn` lies in; empty where there is none."""
    base = normalise_dn(base_dn)
    found = [normalise_dn(context.decode("utf-8", "replace")) for context in contexts]
    return max((context for context in found if context and f",{base}".endswith(f",{context}")), key=len, default="")


def domain_root(base_dn: str) -> str:
    """The domain that a DN of Active Directory lies in: its last `DC=` parts. The DN itself where it has none."""
    found = _DOMAIN_ROOT.search(base_dn)
    return found[1] if found else base_dn
