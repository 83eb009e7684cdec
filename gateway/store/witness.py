"""The witness of the audit trail: where its chains ended, kept outside the database.

One file in the relay's `state_dir`, mode 0600, a line for each chain as the log has it (`3-1204:9f31…`). Each node keeps
its own, of the chains of all nodes. It is never ahead of what the database would still have after a power cut.
Kind of state: this node's.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from certs import KeyStoreError, atomic_write, read_private
from gateway.store.audit import AuditAnchor, AuditHead
from gateway.store.errors import StoreUnavailable

WITNESS_NAME = "audit-heads"
"""Of the file in the state directory."""
_LARGEST = 64 * 1024 * 1024
"""Bytes: more chains than any relay begins."""
_LINE = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,17}):([0-9a-f]{64})", re.ASCII)

Heads = Mapping[int, AuditHead]
"""By chain."""


class HeadWitness:
    """The file. Blocks: for a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[int, AuditHead] | None:
        """What it says; None where there is no file. Raises StoreUnavailable for one that cannot be used."""
        try:
            text = read_private(self.path, most=_LARGEST).decode("ascii", "replace")
        except FileNotFoundError:
            return None
        except KeyStoreError as error:
            raise StoreUnavailable(str(self.path), error.problem, error.remedy) from error
        heads: dict[int, AuditHead] = {}
        for number, line in enumerate(text.splitlines(), 1):
            matched = _LINE.fullmatch(line)
            if matched is None:
                raise StoreUnavailable(str(self.path), f"line {number} is not the head of a chain", _RESTORE)
            chain = int(matched[1])
            heads[chain] = AuditHead(chain=chain, node="", seq=int(matched[2]), hash=matched[3])
        return heads

    def change(self, heads: Heads) -> None:
        """Put these in place of what it said of their chains. Raises StoreUnavailable."""
        with self._alone():
            self._write({**(self.read() or {}), **heads})

    def replace(self, heads: Heads) -> None:
        """Put these in place of everything, whatever it was. Raises StoreUnavailable."""
        with self._alone():
            self._write(heads)

    def _write(self, heads: Heads) -> None:
        lines = "".join(f"{heads[chain].noted}\n" for chain in sorted(heads))
        try:
            atomic_write(self.path, lines.encode())
            if os.geteuid() == 0:  # a command of root's: the relay has to read it
                owner = self.path.parent.stat()
                os.chown(self.path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        except (KeyStoreError, OSError) as error:
            problem = error.problem if isinstance(error, KeyStoreError) else f"cannot be written ({error.strerror})"
            raise StoreUnavailable(str(self.path), problem, "free some space, and check who owns state_dir") from error

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """A command and a relay that starts meanwhile must not undo each other's lines."""
        import fcntl  # Windows, where no relay runs, has none

        try:
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreUnavailable(str(self.path.parent), f"cannot be opened ({error.strerror})", "see state_dir") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


_RESTORE = "restore the file from the backup, or find out why it was changed and run `isthmus relay audit accept`"


def contradicted(
    noted: Iterable[AuditHead], found: Heads, hashes: Mapping[tuple[int, int], str]
) -> list[tuple[AuditHead, AuditHead | None]]:
    """Heads that were noted and do not hold any more, each with where its chain ends now (None: nowhere).

    hashes: of the entries at the places that were noted, for chains that have moved on since.
    """
    broken: list[tuple[AuditHead, AuditHead | None]] = []
    for head in noted:
        now = found.get(head.chain)
        if now is None or now.seq < head.seq:
            broken.append((head, now))
            continue
        there = now.hash if now.seq == head.seq else hashes.get((head.chain, head.seq))
        if there != head.hash:
            broken.append((head, now))
    return broken


def moved_heads(noted: Iterable[AuditHead], found: Heads) -> list[AuditHead]:
    """What was noted of chains that have moved on: whether the entry is still there has to be asked."""
    return [head for head in noted if head.chain in found and found[head.chain].seq > head.seq]


def pruned_hash(head: AuditHead, anchor: AuditAnchor | None) -> str:
    """The hash of a head that was noted and whose entry is gone, as far as pruning accounts for that; else empty.

    Of the last entry that was pruned the anchor has the hash. Of those before it nobody has; the anchor vouches for them.
    """
    if anchor is None or anchor.seq < head.seq:
        return ""
    return anchor.hash if anchor.seq == head.seq else head.hash
