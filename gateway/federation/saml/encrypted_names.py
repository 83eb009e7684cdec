"""Names that a party has encrypted for us (saml-core-2.0-os section 2.2.4), opened with the ring `decrypting`.

Only of messages whose signature holds: whoever may send any number of ciphertexts finds out what a CBC text says by what is
answered (section 6.2 as errata 05 has it, E93), and makes us work. Whatever is wrong, the party is told the same.
"""

from __future__ import annotations

import asyncio

from foundation.saml import NameIdentifier, decrypt_element, read_name_id
from gateway.federation.saml.context import SamlContext

_WHAT = "EncryptedID"


async def read_encrypted_name(context: SamlContext, encrypted: bytes, *, cbc: bool = False) -> NameIdentifier:
    """encrypted: the element, out of what was verified. Raises SamlError, whose text is for the log alone."""
    keys = context.decrypting_keys()

    def work() -> NameIdentifier:
        return read_name_id(decrypt_element(encrypted, keys, _WHAT, cbc=cbc))

    return await asyncio.to_thread(work)  # a millisecond for each key that is tried
