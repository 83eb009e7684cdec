"""What is taken out of an archive: files that its manifest names, and nothing else, whoever made it.

With a public key anybody can make a backup that the private one opens: what is in it is a stranger's until it was looked at.
"""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.backup import BackupUnreadable, PrivateKey
from gateway.backup.age import EncryptingWriter
from gateway.backup.archive import BackedUpFile, Manifest, read_archive
from gateway.backup.tar import read_members

KEY = PrivateKey(bytes(range(32)))
CONTENT = b"content"


def manifest(*names: str, form: int = 1) -> bytes:
    files = {name: BackedUpFile(len(CONTENT), hashlib.sha256(CONTENT).hexdigest()) for name in names}
    return msgspec.json.encode(
        Manifest(format=form, made_at=1.0, software="0.1.0", node="relay1", database="sqlite", files=files)
    )


def member(name: str, content: bytes = CONTENT, kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = len(content), kind, "/etc/passwd" if kind != tarfile.REGTYPE else ""
    made.mode = 0o4777
    return made, content


def forged(path: Path, *members: tuple[tarfile.TarInfo, bytes], behind: int = 0) -> Path:
    """A backup as somebody could make it who has the public key. behind: zeros after the archive's end."""
    with path.open("wb") as file:
        writer = EncryptingWriter(file, [KEY.public])
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for made, content in members:
                archive.addfile(made, io.BytesIO(content))
        writer.write(packed.getvalue() + bytes(behind))
        writer.close()
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    made = tmp_path / "into"
    made.mkdir()
    return made


def test_what_the_manifest_names_comes_out(tmp_path: Path, into: Path) -> None:
    """For its owner's eyes, whatever mode the archive says."""
    path = forged(tmp_path / "x", member("manifest.json", manifest("a", "b/c.key")), member("a"), member("b/c.key"))
    assert read_archive(path, [KEY], into).node == "relay1"
    assert (into / "b" / "c.key").read_bytes() == CONTENT
    assert stat.S_IMODE((into / "a").stat().st_mode) == 0o600


NAMES = ["../a", "/etc/a", "a/../../b", ".hidden", "b/.ssh", "", "a//b", "a\\b", "ä", "x" * 200, "a/b/c/d/e"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, into: Path, name: str) -> None:
    """Out of the directory, or hidden in it."""
    path = forged(tmp_path / "x", member("manifest.json", manifest(name)), member(name))
    with pytest.raises(BackupUnreadable, match=r"does not belong there|no backup"):
        read_archive(path, [KEY], into)
    assert sorted(into.rglob("*")) == []
    assert {found.name for found in tmp_path.iterdir()} == {"x", "into"}


KINDS = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused(tmp_path: Path, into: Path, kind: bytes) -> None:
    """A link would be followed by what comes after it."""
    made = member("a", b"", kind)
    path = forged(tmp_path / "x", member("manifest.json", manifest("a")), made)
    with pytest.raises(BackupUnreadable, match="does not belong there"):
        read_archive(path, [KEY], into)
    assert list(into.iterdir()) == []


MISMATCHES: dict[str, tuple[tuple[tarfile.TarInfo, bytes], ...]] = {
    "one more": (member("manifest.json", manifest("a")), member("a"), member("b")),
    "one twice": (member("manifest.json", manifest("a")), member("a"), member("a")),
    "one missing": (member("manifest.json", manifest("a", "b")), member("a")),
    "another content": (member("manifest.json", manifest("a")), member("a", b"CONTENT")),
    "no manifest": (member("a"),),
    "manifest last": (member("a"), member("manifest.json", manifest("a"))),
    "a manifest that is none": (member("manifest.json", b"{}"), member("a")),
    "a manifest of another type": (member("manifest.json", b"[1]"), member("a")),
}


@pytest.mark.parametrize("mismatch", MISMATCHES)
def test_what_its_manifest_does_not_say_is_refused(tmp_path: Path, into: Path, mismatch: str) -> None:
    """More, less, or something else."""
    with pytest.raises(BackupUnreadable):
        read_archive(forged(tmp_path / "x", *MISMATCHES[mismatch]), [KEY], into)


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for made, content in members:
            archive.addfile(made, io.BytesIO(content))
    return file.getvalue()


def sparse(name: str, size: int) -> bytes:
    """A header of a file that is nothing but a hole (GNU tar): 512 bytes."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def in_pax(**records: str) -> bytes:
    """A header, after one with these records about it."""
    made = tarfile.TarInfo("manifest.json")
    made.pax_headers = {key.replace("_", "."): value for key, value in records.items()}
    return made.tobuf(tarfile.PAX_FORMAT)


BEGIN = packed(member("manifest.json", manifest("a")))[:1024]
RECORDS = in_pax(comment="x")[:1024]
BOMBS = {
    "a hole": BEGIN + sparse("a", 1 << 40),
    "a hole for a manifest": sparse("manifest.json", 1 << 23),
    "a map of holes": in_pax(GNU_sparse_map="1,2,x"),
    "a map of holes in the content": in_pax(GNU_sparse_major="1", GNU_sparse_minor="0") + b"9" * 512,
    "records about records": RECORDS * 3000 + BEGIN,
    "names of names": packed(member("@", b"a", tarfile.GNUTYPE_LONGNAME))[:1024] * 3000 + BEGIN,
    "records for all": packed(member("@", b"11 path=ab\n", tarfile.XGLTYPE))[:1024] * 3000 + BEGIN,
    "large records": packed(member("@", b"a" * 5000, tarfile.XHDTYPE)),
    "records of another form": packed(member("@", b"11 path=ab", tarfile.XHDTYPE)) + BEGIN,
    "a size that is none": in_pax(size="-1"),
    "a size of many digits": in_pax(size="1" * 3000),
    "more than the manifest says": BEGIN + packed(member("a", bytes(3 << 20))),
    "another time than there is": packed(member("manifest.json", manifest().replace(b"1.0", b"1e300"))),
    "a time before time": packed(member("manifest.json", manifest().replace(b"1.0", b"-1e300"))),
    "depths": packed(member("manifest.json", b"[" * 1_000_000)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_does_not_become_a_large_one(tmp_path: Path, into: Path, bomb: str) -> None:
    """Nor a traceback: what `tarfile` would follow, unfold or take into memory is refused where it stands."""
    with (tmp_path / "x").open("wb") as file:
        writer = EncryptingWriter(file, [KEY.public])
        writer.write(BOMBS[bomb] + bytes(1024))
        writer.close()
    with pytest.raises(BackupUnreadable):
        read_archive(tmp_path / "x", [KEY], into)
    assert sum(path.stat().st_size for path in into.iterdir()) == 0


def test_a_database_of_many_gigabytes_has_its_size() -> None:
    """As `tarfile` writes it, beyond what eight octal digits can say; and a name that is longer than its field."""
    large, long = tarfile.TarInfo("relay.db"), tarfile.TarInfo("a/" * 60 + "b")
    large.size = 9 << 30
    assert next(read_members(io.BytesIO(large.tobuf(tarfile.PAX_FORMAT)))).size == 9 << 30
    assert next(read_members(io.BytesIO(long.tobuf(tarfile.PAX_FORMAT)))).name == long.name


def test_what_a_stranger_wrote_is_told_in_a_few_words(tmp_path: Path) -> None:
    """Of thousands of names some, each shortened, and none with control characters."""
    names = [f"\x1b[2J{'a' * 100}{number}" for number in range(1000)]
    with pytest.raises(BackupUnreadable) as caught:
        read_archive(forged(tmp_path / "x", member("manifest.json", manifest(*names))), [KEY], None)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("cut", [1, 70_000, 150_000])
def test_an_archive_is_read_to_the_container_s_end(tmp_path: Path, into: Path, cut: int) -> None:
    """All files are out by then; that nothing was cut off behind them only the end says."""
    path = forged(tmp_path / "x", member("manifest.json", manifest("a")), member("a"), behind=200_000)
    read_archive(path, [KEY], None)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(BackupUnreadable, match="ends in the middle"):
        read_archive(path, [KEY], into)


@pytest.mark.parametrize("damage", [lambda text: text[:300], lambda _text: b"x" * 2000, lambda _text: b""])
def test_an_archive_that_is_none_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Encrypted to the right key, and something else."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        made, content = member("manifest.json", manifest("a"))
        archive.addfile(made, io.BytesIO(content))
    with (tmp_path / "x").open("wb") as file:
        writer = EncryptingWriter(file, [KEY.public])
        writer.write(damage(packed.getvalue()))
        writer.close()
    with pytest.raises(BackupUnreadable, match="is not a backup of a relay"):
        read_archive(tmp_path / "x", [KEY], None)
