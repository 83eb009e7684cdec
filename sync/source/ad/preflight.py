"""What keeps a domain from being read whole, found before the first run: `isthmus sync check`.

Without these rights a reading does not fail, it is silently short: deletions above all
(docs/developers/directory-changes.md). Each finding has the command that fixes it, for Windows and for Samba.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Collection

from directory import ChangeReader, DirectoryRecord, Reading, ReadOutcome, ReadResult, domain_root, from_generalized_time
from findings import Finding, difference, failed, passed, undecided, warned
from sync.source.settings import AdDomainSettings

CLOCK_WARNING = 60.0
"""Seconds by which clocks may differ …"""
CLOCK_FAILURE = 300.0
"""… and where Kerberos, and so much of a domain, gives up."""
_RIGHT = "1131f6aa-9c07-11d1-f79f-00c04fc2dcd2"
"""DS-Replication-Get-Changes (MS-ADTS section 5.1.3.2.1)."""
_AT_ONCE = 100
"""Attributes that are looked for in one search of the schema."""


async def check_domain(
    where: str,
    reader: ChangeReader,
    settings: AdDomainSettings,
    names: Collection[str],
    *,
    own_rights: bool,
    now: Callable[[], float],
) -> list[Finding]:
    """Every check of one domain, in order; never raises. names: attributes that are read. now: Unix seconds."""
    root, result = await _single(reader.read_base("", attributes=("currentTime", "configurationNamingContext")))
    if root is None:
        remedy = "Check `servers`, `tls`, `service_user` and its password."
        return [failed("connection", where, result.reason or "the server says nothing of itself", remedy)]
    found = [passed("connection", where, f"{result.controller} answers"), _check_clock(where, root, now())]
    found.append(await _check_replication(where, reader, settings, own_rights=own_rights))
    found.append(await _check_deleted_objects(where, reader, settings))
    configuration = _text(root, b"configurationnamingcontext")
    if configuration:
        found.append(await _check_recycle_bin(where, reader, settings, configuration))
        found.append(await _check_schema(where, reader, configuration, names))
    else:
        seen = "the server does not say where its configuration is"
        found.append(undecided("schema", where, seen, "Let the service account read the root entry."))
    return found


def _check_clock(where: str, root: DirectoryRecord, now: float) -> Finding:
    theirs = from_generalized_time(_text(root, b"currenttime").encode())
    if theirs is None:
        return undecided("clock", where, "the server does not say its time", "Compare it yourself.")
    apart = theirs - now
    seen = f"the domain controller's clock is {difference(apart)} from this machine's"
    remedy = "Run `w32tm /resync` on a Windows domain controller, `chronyc makestep` on Linux."
    if abs(apart) >= CLOCK_FAILURE:
        return failed("clock", where, seen, remedy)
    return warned("clock", where, seen, remedy) if abs(apart) >= CLOCK_WARNING else passed("clock", where, seen)


async def _check_replication(where: str, reader: ChangeReader, settings: AdDomainSettings, *, own_rights: bool) -> Finding:
    """By beginning a DirSync: whoever may, is told the first object."""
    root = domain_root(settings.base_dn)
    reading = reader.read_dirsync(None, attributes=("instanceType",), base=root, own_rights=own_rights)
    async with reading:
        async for _ in reading:
            seen = "may read what changed" if not own_rights else "may read what changed, with its own rights"
            return passed("replication right", where, f"{_account(settings)} {seen}")
    reason = reading.result.reason or "nothing was told"
    remedy = (
        f'On Windows: dsacls "{root}" /G "{_account(settings)}:CA;Replicating Directory Changes". '
        f'On Samba: samba-tool dsacl set --action=allow --car=get-changes --objectdn="{root}" '
        "--trusteedn=DN-OF-THE-ACCOUNT. "
        "Or set `own_rights = true`."
    )
    return failed("replication right", where, reason, remedy)


async def _check_deleted_objects(where: str, reader: ChangeReader, settings: AdDomainSettings) -> Finding:
    container = f"CN=Deleted Objects,{domain_root(settings.base_dn)}"
    reading = reader.read_full(attributes=("isDeleted",), base=container, deleted=True)
    async with reading:
        async for _ in reading:
            return passed("deleted objects", where, f"{_account(settings)} may see deleted objects")
    remedy = (
        f'As a domain administrator on Windows: dsacls "{container}" /takeownership, then '
        f'dsacls "{container}" /G "{_account(settings)}:LCRP". On Samba: samba-tool dsacl set '
        f'--objectdn="{container}" --sddl="(A;;LCRP;;;SID-OF-THE-ACCOUNT)".'
    )
    seen = f"{_account(settings)} may not list {container}: deletions would be missed without an error"
    return failed("deleted objects", where, seen, remedy)


async def _check_recycle_bin(where: str, reader: ChangeReader, settings: AdDomainSettings, configuration: str) -> Finding:
    base = f"CN=Optional Features,CN=Directory Service,CN=Windows NT,CN=Services,{configuration}"
    reading = reader.read_full(
        attributes=("msDS-EnabledFeatureBL",), matching="(cn=Recycle Bin Feature)", base=base, extended_dn=False
    )
    record, result = await _single(reading)
    if record is None:
        reason = result.reason or "the feature is not there, or not to be seen"
        return undecided("recycle bin", where, reason, "Let the service account read the configuration partition.")
    if record.attributes.get(b"msds-enabledfeaturebl"):
        return passed("recycle bin", where, "it is on: restored objects have all that they had")
    forest = ".".join(re.findall(r"DC=([^,]+)", configuration, re.IGNORECASE))
    remedy = (
        f"Run Enable-ADOptionalFeature 'Recycle Bin Feature' -Scope ForestOrConfigurationSet -Target {forest} "
        "(this cannot be undone)."
    )
    seen = "it is off: whoever is restored after a deletion comes back without attributes and memberships"
    return warned("recycle bin", where, seen, remedy)


async def _check_schema(where: str, reader: ChangeReader, configuration: str, names: Collection[str]) -> Finding:
    wanted = sorted(name for name in {name.lower() for name in names} if re.fullmatch(r"[a-z0-9-]+", name))
    known: set[str] = set()
    for begin in range(0, len(wanted), _AT_ONCE):
        some = "".join(f"(lDAPDisplayName={name})" for name in wanted[begin : begin + _AT_ONCE])
        reading = reader.read_full(attributes=("lDAPDisplayName",), matching=f"(|{some})", base=f"CN=Schema,{configuration}")
        known |= {_text(record, b"ldapdisplayname").lower() async for record in _all(reading)}
        if reading.result.outcome is not ReadOutcome.COMPLETE:
            return undecided("schema", where, reading.result.reason, "Let the service account read the schema.")
    lacking = [name for name in names if name.lower() not in known]
    if not lacking:
        return passed("schema", where, f"it has all {len(wanted)} attributes that are read")
    seen = f"it has no {', '.join(sorted(lacking))}: for rules, these never have a value"
    return warned("schema", where, seen, "Correct the spelling in the rules, or extend the schema (Exchange's setup does).")


def _account(settings: AdDomainSettings) -> str:
    return settings.service_user or "whoever is not signed in"


async def _single(reading: Reading) -> tuple[DirectoryRecord | None, ReadResult]:
    records = [record async for record in _all(reading)]
    return (records[0] if records else None), reading.result


async def _all(reading: Reading) -> AsyncGenerator[DirectoryRecord, None]:
    async with reading:
        async for record in reading:
            yield record


def _text(record: DirectoryRecord, name: bytes) -> str:
    values = record.attributes.get(name)
    return values[0].decode("utf-8", "replace") if values else ""
