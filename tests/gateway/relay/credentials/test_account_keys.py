"""Digests of accounts."""

from __future__ import annotations

import hashlib
import hmac

from gateway.protocol import AccountId, encode
from gateway.relay.credentials.accounts import AccountKey

SECRETS = bytes(range(32)), bytes(32)
KEYS = AccountKey("2", SECRETS[0]), AccountKey("1", SECRETS[1])


def test_a_digest_is_hmac_sha_256_of_the_pair() -> None:
    """Cut to 16 bytes; no two pairs have one text, however their parts are cut."""
    account = AccountId("9d1c", "3f1c")
    text = b"isthmus account" + encode(["9d1c", "3f1c"])
    assert KEYS[0].digest(account) == hmac.digest(SECRETS[0], text, hashlib.sha256)[:16]
    assert KEYS[0].digest(account) == KEYS[0].digest(account)
    others = [AccountId("9d1", "c3f1c"), AccountId("", "9d1c3f1c"), AccountId("9d1c3f1c", "")]
    assert len({key.digest(pair) for pair in (account, *others) for key in KEYS}) == 8


def test_a_key_is_in_no_repr() -> None:
    """Its id is."""
    assert repr(AccountKey("7", b"s" * 32)) == "AccountKey('7', …)"
