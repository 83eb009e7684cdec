"""Just Enough Administration: files that let a group run the catalogue's commands on a host, and nothing else.

A session of such an endpoint has no language (`NoLanguage`), no script text, no other cmdlets, and for each cmdlet of ours
only the parameters that we send, with their values where those are few. Common parameters and -Confirm come by themselves
with each. Source: *JEA role capabilities* and *JEA session configurations* of Microsoft's documentation; Windows PowerShell
5.1, which Windows Server 2012 R2 gets with WMF 5.1 (and .NET 4.6 for our functions).

It runs as a virtual account of the host (a local administrator, who is an AD FS administrator unless the farm says
otherwise), so that nobody needs to be one. On the network that account is the computer. Where the farm's administration is
delegated to a group (`DelegateServiceAdministration`, `AllowLocalAdminsServiceAdministration $false`), nodes need a gMSA of
that group instead: *Delegate AD FS PowerShell commandlet access to nonadmin users*. A proxy in a workgroup can have none.

A read-only cmdlet of which we use no parameter is visible whole: JEA has no way to say "none".

Names are written without their modules. For an entry with parameters PowerShell makes a proxy function of exactly the name
that is written, so that `ADFS\\Get-AdfsCertificate` could never be called as what it is; and for one without, a module that
a host has not (AD FS's, before the role is there) would keep every session from opening. Bare names are looked up in
whatever modules there are, and passed over where there is none (`InitialSessionState.ProcessCommandModifications`,
`GetModulesForUnResolvedCommands`). The modules that every Windows Server has are imported by name.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from adfs_mgmt.remoting.catalogue import CATALOGUE, Cmdlet, HostKind, Parameter
from adfs_mgmt.remoting.jea_functions import FUNCTIONS

_EVERYWHERE = ("CimCmdlets", "ServerManager")
"""Modules of ours that are on every Windows Server, role or not. Those of the engine are loaded anyway."""
JEA_MODULE = "IsthmusAdfs"
"""The PowerShell module that holds the role files: Windows looks for them by the modules' folders."""


def jea_role(kind: HostKind) -> str:
    """Of the role capability, and of the endpoint."""
    return f"{JEA_MODULE}{kind.value.title()}"


def role_file(kind: HostKind) -> str:
    """The role capability (.psrc) for a kind of host."""
    here = [cmdlet for cmdlet in CATALOGUE.values() if kind in cmdlet.hosts]
    return _hashtable(
        {
            "GUID": _quoted(_guid(f"role {kind}")),
            "Author": _quoted("Isthmus"),
            "Description": _quoted(f"What Isthmus runs on an AD FS {kind}"),
            "ModulesToImport": ", ".join(map(_quoted, _EVERYWHERE)),
            "VisibleCmdlets": _array(_visible(cmdlet) for cmdlet in here if cmdlet.module),
            "VisibleFunctions": _array(_quoted(cmdlet.name) for cmdlet in here if not cmdlet.module),
            "VisibleProviders": _quoted("Certificate"),
            "FunctionDefinitions": _array(_function(cmdlet) for cmdlet in here if not cmdlet.module),
        }
    )


def session_file(kind: HostKind, group: str, account: str = "") -> str:
    """The session configuration (.pssc) that gives the role to a group, such as `CORP\\AD FS operators`.

    `account`: a gMSA (`CORP\\adfs-jea`) that nodes run it as, instead of a virtual account.
    """
    managed = bool(account) and kind is HostKind.NODE
    return _hashtable(
        {
            "SchemaVersion": _quoted("2.0.0.0"),
            "GUID": _quoted(_guid(f"session {kind}")),
            "Author": _quoted("Isthmus"),
            "Description": _quoted(f"Isthmus on an AD FS {kind}"),
            "SessionType": _quoted("RestrictedRemoteServer"),
            "LanguageMode": _quoted("NoLanguage"),
            **({"GroupManagedServiceAccount": _quoted(account)} if managed else {"RunAsVirtualAccount": "$true"}),
            "TranscriptDirectory": _quoted("C:\\ProgramData\\Isthmus\\Transcripts"),
            "RoleDefinitions": f"@{{ {_quoted(group)} = @{{ RoleCapabilities = {_quoted(jea_role(kind))} }} }}",
        }
    )


def manifest() -> str:
    """The module's manifest (.psd1): Windows looks for roles in modules that have one."""
    return _hashtable(
        {
            "ModuleVersion": _quoted("1.0"),
            "GUID": _quoted(_guid("module")),
            "Author": _quoted("Isthmus"),
            "Description": _quoted("Role capabilities for Isthmus"),
            "FunctionsToExport": "@()",
            "CmdletsToExport": "@()",
            "AliasesToExport": "@()",
        }
    )


def files(group: str, account: str = "") -> dict[PurePosixPath, str]:
    """All files by their paths in the directory that is copied to a host."""
    made = {PurePosixPath(JEA_MODULE, f"{JEA_MODULE}.psd1"): manifest()}
    for kind in HostKind:
        made[PurePosixPath(JEA_MODULE, "RoleCapabilities", f"{jea_role(kind)}.psrc")] = role_file(kind)
        made[PurePosixPath(f"{jea_role(kind)}.pssc")] = session_file(kind, group, account)
    return made


def write_endpoint_files(directory: Path, group: str, account: str = "") -> list[Path]:
    """Write them all. Raises OSError. Windows PowerShell reads UTF-8 only with its mark, and ends lines with CR LF."""
    written = []
    for path, text in files(group, account).items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8-sig", newline="\r\n")
        written.append(target)
    return written


def _visible(cmdlet: Cmdlet) -> str:
    name = _quoted(cmdlet.name)
    if not cmdlet.parameters:
        return name
    parameters = ", ".join(_parameter(key, parameter) for key, parameter in cmdlet.parameters.items())
    return f"@{{ Name = {name}; Parameters = {parameters} }}"


def _parameter(name: str, parameter: Parameter) -> str:
    if parameter.choices:
        values = ", ".join(_quoted(choice) for choice in parameter.choices)
        return f"@{{ Name = {_quoted(name)}; ValidateSet = {values} }}"
    if parameter.pattern:
        whole = _quoted(f"\\A(?:{parameter.pattern})\\z")
        return f"@{{ Name = {_quoted(name)}; ValidatePattern = {whole} }}"
    return f"@{{ Name = {_quoted(name)} }}"


def _function(cmdlet: Cmdlet) -> str:
    return f"@{{ Name = {_quoted(cmdlet.name)}; ScriptBlock = {{{FUNCTIONS[cmdlet.name]}    }} }}"


def _hashtable(entries: Mapping[str, str]) -> str:
    return "@{\n" + "".join(f"    {name} = {value}\n" for name, value in entries.items()) + "}\n"


def _array(items: Iterator[str]) -> str:
    return "@(\n" + ",\n".join(f"        {item}" for item in items) + "\n    )"


def _quoted(text: str) -> str:
    """A literal: nothing in it is expanded. PowerShell takes typographic quotes for quotes, too."""
    for quote in "'\u2018\u2019\u201a\u201b":
        text = text.replace(quote, quote * 2)
    return f"'{text}'"


def _guid(of: str) -> str:
    """Always the same for the same file, so that a new version replaces the old one."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"isthmus {of}".encode()).digest()[:16], version=4))
