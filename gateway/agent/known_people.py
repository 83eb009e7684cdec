"""Whose password was right here lately: whom this agent tells about without a password.

    state_dir/known-people      8 bytes `ISTHKP1\\n`, then 20 for each note: digest of the account, day (big-endian)
    state_dir/known-people.key  32 bytes, the digests' key (RFC 7693): they tell nothing to who reads the file alone

A note is appended with one write, so a process that is killed loses none. Nothing is synchronised with the disk: what a
power failure takes is noted anew when the person signs in. What is damaged is nobody.

Kind of state: this agent's own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

import structlog

from gateway.protocol import AccountId

log = structlog.get_logger()

KNOWN_DAYS: Final = 30
"""Days after the last right password for which somebody is known."""
MOST_PEOPLE: Final = 200_000
"""People at most, about 30 MB; beyond that whoever signed in longest ago is forgotten."""

_HEADER: Final = b"ISTHKP1\n"
_NOTE: Final = struct.Struct(">16sI")
_WRITE: Final = os.O_WRONLY | getattr(os, "O_BINARY", 0)  # Windows would put a carriage return before each 10
_DAY: Final = 86_400
_SLACK: Final = 1_000
"""Notes beyond twice the people before the file is written anew."""


class KnownPeople:
    """The memory, and its file. clock: Unix seconds. most: people at most."""

    def __init__(self, state_dir: Path, clock: Callable[[], float], *, most: int = MOST_PEOPLE) -> None:
        self._path, self._clock, self._most = state_dir / "known-people", clock, most
        self._days: dict[bytes, int] = {}
        """Last day of a right password, by digest; the one noted longest ago first."""
        self._notes = 0
        """Notes in the file."""
        self._file: int | None = None
        self._key = self._load_key(state_dir / "known-people.key")
        self._load()

    def __len__(self) -> int:
        return len(self._days)

    def note(self, account: AccountId) -> None:
        """The account's password was right just now. A disk that does not take it costs later look-ups, no sign-in."""
        digest, today = self._digest(account), self._today()
        if self._days.get(digest) == today:  # one note a day is enough
            return
        self._remember(digest, today)
        self._append(_NOTE.pack(digest, today))

    def knows(self, account: AccountId) -> bool:
        """Whether its password was right here in the last `KNOWN_DAYS` days."""
        day = self._days.get(self._digest(account))
        return day is not None and self._is_recent(day)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _digest(self, account: AccountId) -> bytes:
        directory = account.directory.encode("utf-8", "replace")
        text = len(directory).to_bytes(4, "big") + directory + account.object.encode("utf-8", "replace")
        # not HMAC: at each sign-in it takes three times as long, most of it preparation in OpenSSL
        return blake2b(text, key=self._key, digest_size=16).digest()

    def _today(self) -> int:
        return max(0, int(self._clock()) // _DAY)

    def _is_recent(self, day: int) -> bool:
        """A day ahead is taken as well: the clock may have been set back."""
        return -1 <= self._today() - day <= KNOWN_DAYS

    def _remember(self, digest: bytes, day: int) -> None:
        self._days.pop(digest, None)
        self._days[digest] = day
        if len(self._days) > self._most:
            del self._days[next(iter(self._days))]

    # -- the file

    def _load_key(self, path: Path) -> bytes:
        """Where there is none, or it is none, all that was noted under it is nobody's."""
        with contextlib.suppress(OSError):
            key = path.read_bytes()
            if len(key) == 32:
                return key
        key = secrets.token_bytes(32)
        try:
            self._path.unlink(missing_ok=True)
            _write_private(path, [key])
        except OSError as error:
            self._complain(error)
        return key

    def _load(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            self._complain(error)
            return
        if data.startswith(_HEADER):
            whole = len(data) - (len(data) - len(_HEADER)) % _NOTE.size  # the last one may not have been written whole
            for digest, day in _NOTE.iter_unpack(data[len(_HEADER) : whole]):
                if self._is_recent(day):
                    self._remember(digest, day)
        self._rewrite()

    def _append(self, note: bytes) -> None:
        try:
            if self._file is None:
                self._rewrite()  # with this note
                return
            os.write(self._file, note)
            self._notes += 1
            if self._notes > 2 * len(self._days) + _SLACK:
                self._rewrite()
        except OSError as error:
            self._complain(error)
            self.close()  # half a note may stand there now: the next one begins a new file

    def _rewrite(self) -> None:
        """Each person once, in a new file that takes the old one's place."""
        self.close()
        self._days = {digest: day for digest, day in self._days.items() if self._is_recent(day)}
        try:
            _write_private(self._path, self._content())
            self._file = os.open(self._path, _WRITE | os.O_APPEND)
            self._notes = len(self._days)
        except OSError as error:
            self._complain(error)

    def _content(self) -> Iterator[bytes]:
        yield _HEADER
        yield b"".join(_NOTE.pack(digest, day) for digest, day in self._days.items())

    def _complain(self, error: OSError) -> None:
        log.warning("known_people.not_kept", path=str(self._path), reason=error.strerror or str(error))


def _write_private(path: Path, pieces: Iterator[bytes] | list[bytes]) -> None:
    """Replace a file as a whole, mode 0600. Raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with os.fdopen(os.open(temporary, _WRITE | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.writelines(pieces)
    temporary.replace(path)
