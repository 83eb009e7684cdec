"""Files that are written once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from certs import KeyStoreError, write_new


def test_a_new_file_is_its_owners_and_never_replaces_another(tmp_path: Path) -> None:
    """Mode 0600; a second one of the same name is refused, the first stays."""
    path = tmp_path / "copy.json"
    write_new(path, b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_new(path, b"two")
    assert path.read_bytes() == b"one"


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    """With what to do next."""
    with pytest.raises(KeyStoreError, match=r"cannot be written.*free disk space"):
        write_new(tmp_path / "missing" / "copy.json", b"")
