"""What is in the container: a tar archive of files, the first of which, `manifest.json`, says what the others are.

Members are plain files by simple paths; nothing else is taken out of an archive. Names and sizes come from whoever made
the backup: with a public key that can be anybody.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final, cast

import msgspec

from gateway.backup.age import DecryptingReader, EncryptingWriter, Lock, NewerAge, NotAge, NotOurs, Opener
from gateway.backup.errors import BackupLocked, BackupUnreadable
from gateway.backup.tar import Member, read_members
from settings import shown

FORMAT: Final = 1
"""Of what is in the container. A higher one is of a newer version."""
DATABASE: Final = "relay.db"
"""The database's name in every backup, whatever it is called at the relay."""
_MANIFEST: Final = "manifest.json"
_LARGEST_MANIFEST: Final = 16 * 1024 * 1024
_BLOCK: Final = 1024 * 1024
_END_OF_TIME: Final = 1e11
"""Unix seconds: in the year 5138. What is shown and written into the trail has to be a date."""
_NAMED: Final = 5
"""Of files that are missing."""
_NAME: Final = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,128}(/(?!\.)[A-Za-z0-9._-]{1,128}){0,3}", re.ASCII)

Moved = Callable[[int], None]
"""Told of each block how many bytes it has."""


class BackedUpFile(msgspec.Struct, frozen=True):
    """A file of a backup."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. Later versions may add members."""

    format: int
    made_at: float
    """Unix seconds."""
    software: str
    """The release that made it."""
    node: str
    """Name of the relay."""
    database: str
    """`sqlite`: it is in the backup; `postgresql`: it is not."""
    files: Mapping[str, BackedUpFile]
    """By their paths in `state_dir`."""


class _Version(msgspec.Struct):
    """What every version's manifest begins with."""

    format: int
    software: str = "a newer version"


def summarize(path: Path) -> BackedUpFile:
    """Size and digest of a file. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return BackedUpFile(size, digest.hexdigest())


def write_archive(file: BinaryIO, lock: Lock, manifest: Manifest, source: Path, moved: Moved) -> bytes:
    """Write a whole backup; returns what opens this one, to read it back with. source: where the manifest's files are.

    Raises OSError. Whether the files are still what the manifest says shows when it is read back.
    """
    writer = EncryptingWriter(file, lock)
    with tarfile.open(fileobj=cast(BinaryIO, writer), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        text = msgspec.json.encode(manifest)
        archive.addfile(_member(_MANIFEST, len(text), manifest.made_at), io.BytesIO(text))
        for name, expected in manifest.files.items():
            with (source / name).open("rb") as content:
                archive.addfile(_member(name, expected.size, manifest.made_at), cast(BinaryIO, _Counting(content, moved)))
    writer.close()
    return writer.file_key


def _member(name: str, size: int, time: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(time), 0o600
    return member


class _Counting:
    """A file that tells how much is read of it."""

    def __init__(self, file: BinaryIO, moved: Moved) -> None:
        self._file, self._moved = file, moved

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._moved(len(block))
        return block


def read_archive(
    path: Path,
    opener: Opener | bytes,
    into: Path | None,
    moved: Moved = lambda _size: None,
    *,
    opened: BinaryIO | None = None,
) -> Manifest:
    """Read a backup to its end; every file of it into the empty directory `into`, mode 0600, unless that is None.

    Nothing of what was written may be used before this has returned: whether it is whole shows at the end.
    opened: the file, where it was opened by somebody who may (root) before; it is closed here.
    Raises BackupUnreadable, BackupLocked; OSError where `into` takes no more.
    """
    try:
        file = opened or path.open("rb")
    except OSError as error:
        raise BackupUnreadable(path, f"cannot be opened ({error.strerror})", "check the path of the backup") from error
    with file:
        try:
            reader = DecryptingReader(file, opener)
            manifest = _read_members(read_members(reader), path, into, moved)
            while reader.read(_BLOCK):  # the rest is padding; but only its end proves that it was not cut short
                pass
        except NewerAge as error:
            raise BackupUnreadable(path, str(error), "read it with the version that made it, or a later one") from error
        except NotAge as error:
            raise BackupUnreadable(path, str(error), "use an earlier backup: nothing from this one is restored") from error
        except NotOurs as error:
            raise BackupLocked(
                path, _other(error, opener), "give the passphrase or private key that it was encrypted to"
            ) from error
        except (tarfile.TarError, msgspec.MsgspecError, RecursionError) as error:
            raise BackupUnreadable(
                path, "is encrypted, but is not a backup of a relay", "check that this is the right file"
            ) from error
    return manifest


def _other(error: NotOurs, opener: Opener | bytes) -> str:
    kind = str(error)
    if kind == "keys":
        return "is encrypted to a public key, " + (
            "not to this one's" if isinstance(opener, Sequence) else "not to a passphrase"
        )
    return "is encrypted to a passphrase, " + ("not to a key" if isinstance(opener, Sequence) else "not to this one")


def _read_members(members: Iterator[Member], path: Path, into: Path | None, moved: Moved) -> Manifest:
    first = next(members, None)
    if first is None or first.name != _MANIFEST or not first.plain or first.size > _LARGEST_MANIFEST:
        raise BackupUnreadable(path, "is encrypted, but is not a backup of a relay", "check that this is the right file")
    manifest = _read_manifest(b"".join(first.content), path)
    missing = dict(manifest.files)
    for member in members:
        expected = missing.pop(member.name, None)
        if expected is None or not member.plain or not _NAME.fullmatch(member.name):
            raise BackupUnreadable(path, f"holds {shown(member.name)}, which does not belong there", _NOTHING_USED)
        if member.size != expected.size or _take(member, into, moved) != expected:
            raise BackupUnreadable(path, f"{member.name} in it does not match its manifest", _NOTHING_USED)
    if missing:
        names = ", ".join(map(shown, sorted(missing)[:_NAMED])) + (" and more" if len(missing) > _NAMED else "")
        raise BackupUnreadable(path, f"{names} is missing in it", _NOTHING_USED)
    return manifest


_NOTHING_USED = "use an earlier backup: nothing from this one is restored"


def _read_manifest(text: bytes, path: Path) -> Manifest:
    version = msgspec.json.decode(text, type=_Version)
    if version.format > FORMAT:
        problem = f"was made by Isthmus {version.software[:40]}, in a newer format ({version.format})"
        raise BackupUnreadable(path, problem, "read it with that version, or a later one")
    manifest = msgspec.json.decode(text, type=Manifest)
    if not 0 <= manifest.made_at < _END_OF_TIME:
        raise BackupUnreadable(path, "says that it was made at no time that there is", _NOTHING_USED)
    return manifest


def _take(member: Member, into: Path | None, moved: Moved) -> BackedUpFile:
    """Read it to its end; write it, where there is a directory for it."""
    digest = hashlib.sha256()
    with ExitStack() as stack:
        written = stack.enter_context(_new_file(into / member.name)) if into is not None else None
        for piece in member.content:
            digest.update(piece)
            moved(len(piece))
            if written is not None:
                written.write(piece)
        if written is not None:
            written.flush()
            os.fsync(written.fileno())
    return BackedUpFile(member.size, digest.hexdigest())


def _new_file(target: Path) -> BinaryIO:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
