"""The container: age's own implementation opens what we write, and we what it writes; anything else is refused."""

from __future__ import annotations

import io

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backup.age import (
    DecryptingReader,
    EncryptingWriter,
    NewerAge,
    NotAge,
    NotOurs,
    Passphrase,
    PrivateKey,
    PublicKey,
)
from gateway.backup.bech32 import decode_bech32, encode_bech32

KEY = PrivateKey(bytes(range(32)))
PHRASE = Passphrase("correct horse battery", work=4)
CHUNK = 64 * 1024


def encrypted(content: bytes, lock: Passphrase | list[PublicKey]) -> bytes:
    file = io.BytesIO()
    writer = EncryptingWriter(file, lock)
    writer.write(content)
    writer.close()
    return file.getvalue()


def decrypted(data: bytes, opener: Passphrase | list[PrivateKey] | bytes) -> bytes:
    return DecryptingReader(io.BytesIO(data), opener).read()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_age_opens_what_we_write_and_we_what_it_writes(size: int) -> None:
    """To a key: whole chunks, a part of one, nothing."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    other = pyrage.x25519.Identity.generate()
    both = [KEY.public, PublicKey.parse(str(other.to_public()))]
    assert pyrage.decrypt(encrypted(content, both), [other]) == content
    assert decrypted(encrypted(content, both), [KEY]) == content
    theirs = pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(str(KEY.public))])
    assert decrypted(theirs, [PrivateKey.generate(), KEY]) == content


def test_age_opens_a_passphrase_of_ours() -> None:
    """The other way round costs seconds: its own work factor cannot be chosen."""
    assert pyrage.passphrase.decrypt(encrypted(b"content", PHRASE), PHRASE.text) == b"content"
    assert decrypted(encrypted(b"content", PHRASE), PHRASE) == b"content"


def test_a_key_is_written_as_age_writes_it() -> None:
    """And its public half is the one that age makes of it."""
    assert str(pyrage.x25519.Identity.from_str(KEY.text).to_public()) == str(KEY.public)
    assert PrivateKey.parse(KEY.text) == KEY
    assert KEY.text not in repr(KEY)
    assert PHRASE.text not in repr(PHRASE)


@pytest.mark.parametrize(
    ("lock", "opener", "kind"),
    [
        (PHRASE, Passphrase("another"), "a passphrase"),
        (PHRASE, [KEY], "a passphrase"),
        ([KEY.public], [PrivateKey.generate()], "keys"),
        ([KEY.public], PHRASE, "keys"),
    ],
    ids=["another passphrase", "a key for a passphrase", "another key", "a passphrase for a key"],
)
def test_what_does_not_open_it_is_told_from_what_is_damaged(
    lock: Passphrase | list[PublicKey], opener: Passphrase | list[PrivateKey], kind: str
) -> None:
    """And it says what would."""
    with pytest.raises(NotOurs, match=kind):
        decrypted(encrypted(b"content", lock), opener)


WHOLE = encrypted(b"x" * (CHUNK + 100), [KEY.public])


@given(st.integers(0, len(WHOLE) - 1))
def test_one_that_was_cut_short_is_refused(size: int) -> None:
    """Wherever it ends, at a chunk's end too."""
    with pytest.raises(NotAge):
        decrypted(WHOLE[:size], [KEY])


def test_one_that_ends_with_a_chunk_is_refused() -> None:
    """The first chunk is whole and genuine, but does not say that it is the last."""
    header = WHOLE.index(b"\n", WHOLE.index(b"--- ")) + 1 + 16
    with pytest.raises(NotAge, match="ends in the middle"):
        decrypted(WHOLE[: header + CHUNK + 16], [KEY])


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_that_was_changed_is_refused(place: int, change: int) -> None:
    """Any byte of it: no other content comes out."""
    changed = bytearray(WHOLE)
    changed[place] ^= change
    with pytest.raises((NotAge, NotOurs)):
        decrypted(bytes(changed), [KEY])


@pytest.mark.parametrize("order", [(1, 0), (0, 0, 1), (1,)])
def test_chunks_in_another_order_are_refused(order: tuple[int, ...]) -> None:
    """Each is genuine by itself."""
    begin = WHOLE.index(b"\n", WHOLE.index(b"--- ")) + 1 + 16
    chunks = [WHOLE[begin : begin + CHUNK + 16], WHOLE[begin + CHUNK + 16 :]]
    with pytest.raises(NotAge):
        decrypted(WHOLE[:begin] + b"".join(chunks[number] for number in order), [KEY])


def test_a_header_that_asks_for_hours_of_work_is_refused() -> None:
    """Whoever hands us a file must not keep us busy: 2^60 would never end, 2^21 takes 2 GiB of memory."""
    for work in (b"60", b"21"):
        with pytest.raises(NotAge, match="more work"):
            decrypted(encrypted(b"", PHRASE).replace(b" 4\n", b" %s\n" % work), PHRASE)


def test_too_little_memory_for_a_passphrase_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a machine's for small services has."""

    def derive(_self: Passphrase, _salt: bytes, _work: int) -> bytes:
        raise MemoryError

    header = encrypted(b"", PHRASE)
    monkeypatch.setattr(Passphrase, "_key", derive)
    with pytest.raises(NotAge, match="MiB of memory"):
        decrypted(header, PHRASE)


def test_a_newer_version_is_no_damage() -> None:
    """It says that it is newer: of the format, and of a kind of key."""
    with pytest.raises(NewerAge):
        decrypted(WHOLE.replace(b"/v1\n", b"/v2\n", 1), [KEY])
    with pytest.raises(NewerAge):
        decrypted(WHOLE.replace(b"-> X25519 ", b"-> mlkem768x25519 ", 1), [KEY])


def test_a_header_with_one_more_in_it_is_refused() -> None:
    """Whoever could add a stanza could have it name another; the MAC covers all of the header."""
    with pytest.raises(NotAge, match="header was changed"):
        decrypted(WHOLE.replace(b"--- ", b"-> grease\n\n--- ", 1), [KEY])


def test_a_last_chunk_with_nothing_in_it_is_refused() -> None:
    """There is one way to write a content: the chunk before would have been the last."""
    file = io.BytesIO()
    writer = EncryptingWriter(file, [KEY.public])
    writer._put(bytearray(CHUNK), last=False)
    writer._put(bytearray(), last=True)
    with pytest.raises(NotAge, match="last part is empty"):
        decrypted(file.getvalue(), [KEY])


def test_a_passphrase_stands_alone() -> None:
    """Beside it another key could be slipped in, and the owner would not notice whose file it is."""
    stanza = WHOLE[WHOLE.index(b"-> ") : WHOLE.index(b"--- ")]
    both = encrypted(b"", PHRASE).replace(b"--- ", stanza + b"--- ")
    with pytest.raises(NotAge, match="another key beside"):
        decrypted(both, PHRASE)


@given(st.binary(max_size=300))
def test_anything_else_is_refused(data: bytes) -> None:
    """Whatever follows the first line; no other exception."""
    with pytest.raises((NotAge, NotOurs)):
        decrypted(b"age-encryption.org/v1\n" + data, [KEY])
    with pytest.raises((NotAge, NotOurs)):
        decrypted(data, PHRASE)


@given(st.binary(max_size=64))
def test_bech32_comes_back(data: bytes) -> None:
    """With its prefix; in capitals too."""
    text = encode_bech32("age", data)
    assert decode_bech32(text) == decode_bech32(text.upper()) == ("age", data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        "age",
        "1qqqqqqqq",
        str(KEY.public)[:-1],
        str(KEY.public).replace("age1", "agf1"),
        str(KEY.public)[:-1] + ("q" if str(KEY.public)[-1] != "q" else "p"),
        str(KEY.public)[:-1].upper() + str(KEY.public)[-1].lower() + "b",
        "age1ä" + "q" * 60,
        KEY.text.lower().replace("age-secret-key-", "age"),
    ],
)
def test_a_key_with_a_slip_in_it_is_refused(text: str) -> None:
    """A wrong, missing or foreign character; the error quotes nothing."""
    with pytest.raises(ValueError, match=r"character|case|begin|bits") as refused:
        PublicKey.parse(text)
    assert not text or text not in str(refused.value)
