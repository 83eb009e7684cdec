"""The JEA files: PowerShell that parses, and exactly the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from adfs_mgmt.remoting import CATALOGUE, HostKind, jea
from adfs_mgmt.remoting.catalogue import ParameterKind
from adfs_mgmt.remoting.jea_functions import FUNCTIONS
from isthmus.cli.adfs.jea import command as jea_command
from tests.adfs.simulator.endpoint import PARSER, Role, entries, literals, read_hashtable, tables, text, walk
from tests.adfs.simulator.errors import PsError

GROUP = "CORP\\AD FS \u2019operators'"
FILES = jea.files(GROUP)


@pytest.mark.parametrize("path", list(FILES), ids=str)
def test_file_is_powershell(path: object) -> None:
    """The parser finds no error and nothing missing."""
    root = PARSER.parse(FILES[path].encode()).root_node  # type: ignore[index]
    assert [each for each in walk(root) if each.is_error or each.is_missing] == []


def test_parser_finds_errors() -> None:
    """The check above can fail."""
    for old, new in (
        ("VisibleProviders =", "VisibleProviders"),
        ("ScriptBlock = {", "ScriptBlock = "),
        ("finally {", "finally"),
    ):
        broken = jea.role_file(HostKind.NODE).replace(old, new, 1)
        assert PARSER.parse(broken.encode()).root_node.has_error, old


@pytest.mark.parametrize("kind", list(HostKind))
def test_role_is_the_catalogue(kind: HostKind) -> None:
    """The cmdlets, functions, parameters and values of the file are those of the catalogue for that kind of host."""
    role = read_hashtable(jea.role_file(kind))
    seen: dict[str, dict[str, tuple[str, ...]]] = {}
    for table in tables(role["VisibleCmdlets"]):
        fields = entries(table)
        [name] = literals(fields["Name"])
        parameters = [entries(each) for each in tables(fields["Parameters"])]
        seen[name] = {
            literals(each["Name"])[0]: tuple(literals(each["ValidateSet"])) if "ValidateSet" in each else ()
            for each in parameters
        }
    whole = [each for each in literals(role["VisibleCmdlets"]) if each in CATALOGUE and each not in seen]
    here = [cmdlet for cmdlet in CATALOGUE.values() if kind in cmdlet.hosts]
    wanted = {
        cmdlet.name: {name: parameter.choices for name, parameter in cmdlet.parameters.items()}
        for cmdlet in here
        if cmdlet.module
    }
    assert seen | {name: {} for name in whole} == wanted
    ours = [cmdlet.name for cmdlet in here if not cmdlet.module]
    assert literals(role["VisibleFunctions"]) == ours
    defined = [literals(entries(each)["Name"])[0] for each in tables(role["FunctionDefinitions"])]
    assert defined == ours


@pytest.mark.parametrize("kind", list(HostKind))
def test_no_name_has_a_module(kind: HostKind) -> None:
    """A proxy function called `Module\\Name` is not found as `Name`; a module that is missing would keep sessions shut."""
    role = read_hashtable(jea.role_file(kind))
    assert [each for each in literals(role["VisibleCmdlets"]) if "\\" in each and each.split("\\")[-1] in CATALOGUE] == []
    assert literals(role["ModulesToImport"]) == ["CimCmdlets", "ServerManager"]  # there before any role is


def test_nodes_run_as_the_managed_account_that_was_given(tmp_path: Path) -> None:
    """Proxies, in a workgroup, keep the virtual account."""
    done = CliRunner().invoke(jea_command, ["--directory", str(tmp_path), "--gmsa", "CORP\\jea$"])
    assert done.exit_code == 0
    node, proxy = (
        read_hashtable((tmp_path / f"IsthmusAdfs{kind}.pssc").read_text("utf-8-sig")) for kind in ("Node", "Proxy")
    )
    assert literals(node["GroupManagedServiceAccount"]) == ["CORP\\jea"]
    assert "RunAsVirtualAccount" not in node
    assert "GroupManagedServiceAccount" not in proxy
    assert text(proxy["RunAsVirtualAccount"]) == "$true"


def test_nothing_that_changes_is_visible_whole() -> None:
    """Only cmdlets that read may come without a list of parameters."""
    assert [cmdlet.name for cmdlet in CATALOGUE.values() if cmdlet.changes and not cmdlet.parameters] == []


@pytest.mark.parametrize("name", [name for name, cmdlet in CATALOGUE.items() if not cmdlet.module])
def test_function_takes_the_catalogues_parameters(name: str) -> None:
    """Its param block has the same names, in PowerShell's types."""
    body = FUNCTIONS[name]
    root = PARSER.parse(f"function F {{{body}}}".encode()).root_node
    found = [each for each in walk(root) if each.type == "script_parameter"][: len(CATALOGUE[name].parameters)]
    declared = {text(each).rpartition("$")[2].split()[0]: text(each).casefold() for each in found}
    types = {
        ParameterKind.TEXT: "[string]",
        ParameterKind.TEXTS: "[string[]]",
        ParameterKind.BYTES: "[byte[]]",
        ParameterKind.SECRET: "[securestring]",
    }
    assert list(declared) == list(CATALOGUE[name].parameters)
    for each, parameter in CATALOGUE[name].parameters.items():
        assert types[parameter.kind] in declared[each]
        assert ("mandatory" in declared[each]) is parameter.required


@pytest.mark.parametrize("name", [name for name, cmdlet in CATALOGUE.items() if not cmdlet.module])
def test_function_checks_the_catalogues_patterns(name: str) -> None:
    """A visible function is shown with all its parameters, so JEA itself checks none: each one checks for itself."""
    root = PARSER.parse(f"function F {{{FUNCTIONS[name]}}}".encode()).root_node
    found = [each for each in walk(root) if each.type == "script_parameter"][: len(CATALOGUE[name].parameters)]
    for node, parameter in zip(found, CATALOGUE[name].parameters.values(), strict=True):
        whole = f"'\\A{parameter.pattern}\\z'"
        assert (f"[ValidatePattern({whole})]" in text(node)) is bool(parameter.pattern)


def test_functions_call_no_cmdlet() -> None:
    """Whatever they need is .NET: nothing else has to be visible, and nothing of the session can be put in its place."""
    for body in FUNCTIONS.values():
        root = PARSER.parse(f"function F {{{body}}}".encode()).root_node
        names = {text(each).strip() for each in walk(root) if each.type == "command_name"}
        assert {name for name in names if "-" in name} == set()


def test_session_has_no_language_and_one_role() -> None:
    """The group's quotes, typographic ones too, end no text."""
    session = read_hashtable(jea.session_file(HostKind.PROXY, GROUP))
    assert literals(session["SessionType"]) == ["RestrictedRemoteServer"]
    assert literals(session["LanguageMode"]) == ["NoLanguage"]
    group, role = literals(session["RoleDefinitions"])
    assert group.replace("\u2019\u2019", "\u2019") == GROUP
    assert role == "IsthmusAdfsProxy"


def test_command_writes_the_files(tmp_path: Path) -> None:
    """`isthmus adfs jea` says what it wrote and what comes next."""
    done = CliRunner().invoke(jea_command, ["--directory", str(tmp_path / "out"), "--group", "CORP\\Ops"])
    assert done.exit_code == 0
    assert "Register-PSSessionConfiguration -Name IsthmusAdfsNode -Path IsthmusAdfsNode.pssc" in done.output
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.ps*")}
    assert written == {str(path) for path in FILES}
    data = (tmp_path / "out" / "IsthmusAdfsNode.pssc").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf@{\r\n")
    assert b"'CORP\\Ops'" in data


def test_command_for_programs(tmp_path: Path) -> None:
    """With --json, and again over what is there."""
    for _ in range(2):
        done = CliRunner().invoke(jea_command, ["--directory", str(tmp_path), "--json"])
        assert done.exit_code == 0
        assert str(tmp_path / "IsthmusAdfsProxy.pssc") in done.output


@pytest.mark.parametrize("kind", list(HostKind))
def test_role_lets_through_what_the_catalogue_makes(kind: HostKind) -> None:
    """As an endpoint reads it: values of every kind pass, others and other commands do not."""
    role = Role(jea.role_file(kind))
    role.check("get-service", {"Name": ["adfssrv"], "ErrorAction": "Stop"})
    role.check("Restart-Service", {"name": ["ADFSSRV"], "Force": True, "Confirm": False})
    for command, parameters in (
        ("Get-Process", {}),
        ("Invoke-Expression", {"Command": "whoami"}),
        ("Get-Service", {"Name": ["adfssrv", "lsass"]}),
        ("Get-Service", {"ComputerName": ["other"]}),
        ("Get-ChildItem", {"Path": ["C:\\"]}),
        ("Get-CimInstance", {"ClassName": "Win32_Process"}),
        ("Get-CimInstance", {"Query": "select * from Win32_Process"}),
        ("Install-WindowsFeature", {"Name": ["Telnet-Client"]}),
    ):
        with pytest.raises(PsError):
            role.check(command, parameters)


def test_role_of_a_node_checks_thumbprints_whole() -> None:
    """With something before or after, or a line end, they do not pass."""
    role = Role(jea.role_file(HostKind.NODE))
    good = {"CertificateType": "Token-Signing", "Thumbprint": "AB" * 20}
    role.check("Remove-AdfsCertificate", good)
    for thumbprint in ("AB" * 21, "AB" * 20 + "\n", "AB" * 19, "x" + "AB" * 20):
        with pytest.raises(PsError, match="Cannot validate"):
            role.check("Remove-AdfsCertificate", {**good, "Thumbprint": thumbprint})
