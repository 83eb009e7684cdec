"""This machine's side of a relay: keys, database, disk, backup, what its page is called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from certs import CertsError
from findings import Finding, failed, passed, warned
from foundation.times import DAY, day, minute
from gateway.app import ServerError, ServerSettings, check_relay_store, load_keys, store_file
from gateway.signin import SignInSettings, unnamed_warning
from gateway.store import StoreError

MIB = 1024 * 1024
DISK_FAILURE, DISK_WARNING = 100 * MIB, 1024 * MIB
"""Bytes: without any nobody can sign in, since each sign-in is in the trail before it is answered."""
BACKUP_WARNING = 7 * DAY
AUTHORITY_WARNING = 365 * DAY
"""A new authority means to enrol every agent again."""


def check_keys(settings: ServerSettings, now: float) -> Finding:
    """The authority that agents pin, this node's identity, the secret that opens the database. Nothing is renewed."""
    try:
        keys = load_keys(settings, now, renew=False)
    except (ServerError, CertsError, OSError) as error:
        return failed("keys", "", str(error), "Until then the relay does not start.")
    ends = keys.authority.certificate.not_valid_after_utc.timestamp()
    seen = f"of {keys.identity.name}; the authority that agents pin ends {day(ends)}"
    if now > ends:
        remedy = "Make a new one (isthmus relay init in an empty state_dir), and enrol every agent there."
        return failed("keys", "", f"{seen}: agents no longer trust this relay", remedy)
    if ends - now < AUTHORITY_WARNING:
        return warned("keys", "", seen, "Plan to set up a new relay beside this one, and to enrol every agent there.")
    return passed("keys", "", seen)


def check_database(settings: ServerSettings) -> Finding:
    """Whether the relay could work with it. Nothing is written. Blocks."""
    file = store_file(settings)
    try:
        shown = check_relay_store(settings)
    except StoreError as error:
        return failed("database", "", str(error))
    if file is None:
        return passed("database", "", f"{shown} answers")
    size = file.stat().st_size / MIB if file.exists() else 0.0
    return passed("database", "", f"{file}, {size:.0f} MiB")


def check_page(settings: SignInSettings) -> Finding:
    """Whether it bears the organisation's name, which users check before they type a password."""
    seen, _, remedy = unnamed_warning(settings).partition(": ")
    if seen:
        return warned("page", "", seen, f"{remedy[:1].upper()}{remedy[1:]}.")
    return passed("page", "", f"of {settings.organisation}")


def check_disk(state_dir: Path) -> Finding:
    """How much room the file system of the state directory has."""
    try:
        free = shutil.disk_usage(state_dir).free
    except OSError as error:
        return failed("disk", "", f"{state_dir} cannot be looked at ({error.strerror})")
    return judge_disk(state_dir, free)


def judge_disk(state_dir: Path, free: int) -> Finding:
    """free: bytes."""
    seen = f"{free / MIB:,.0f} MiB free at {state_dir}"
    if free < DISK_FAILURE:
        return failed("disk", "", seen, "Make room now: once it is full, nobody can sign in.")
    if free < DISK_WARNING:
        return warned("disk", "", seen, "Make room: once it is full, nobody can sign in.")
    return passed("disk", "", seen)


def check_backup(state_dir: Path, now: float, *, shared: bool) -> Finding:
    """When `isthmus relay backup` was last run here. shared: the database is a server's, and is not in it."""
    remedy = "Make one: isthmus relay backup FILE. Without it, a lost disk means to enrol every agent again."
    also = "; the PostgreSQL database is backed up separately" if shared else ""
    try:
        at = float(json.loads((state_dir / "last-backup").read_bytes())["at"])
    except FileNotFoundError:
        return warned("backup", "", f"none was made here{also}", remedy)
    except (OSError, ValueError, TypeError, KeyError) as error:
        return warned("backup", "", f"{state_dir / 'last-backup'} cannot be read ({type(error).__name__})", remedy)
    if now - at > BACKUP_WARNING:
        return warned("backup", "", f"the last is {(now - at) / DAY:.0f} days old ({minute(at)}){also}", remedy)
    return passed("backup", "", f"the last was made {minute(at)}{also}")
