"""The JEA files: PowerShell that parses, and exactly the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_powershell
from click.testing import CliRunner
from tree_sitter import Language, Node, Parser

from adfs_mgmt.remoting import jea
from adfs_mgmt.remoting.catalogue import CATALOGUE, HostKind, Kind
from adfs_mgmt.remoting.jea_functions import FUNCTIONS
from isthmus.cli.adfs.jea import command

GROUP = "CORP\\AD FS \u2019operators'"
PARSER = Parser(Language(tree_sitter_powershell.language()))
FILES = jea.files(GROUP)


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: Node) -> str:
    return (node.text or b"").decode()


def literals(node: Node) -> list[str]:
    """The single-quoted texts below a node, in order."""
    found = [text(each)[1:-1].replace("''", "'") for each in walk(node) if each.type == "verbatim_string_characters"]
    assert found
    return found


def entries(node: Node) -> dict[str, Node]:
    """Keys and values of the outermost hashtable at or below a node."""
    table = next(each for each in walk(node) if each.type == "hash_literal_body")
    pairs = [each for each in table.children if each.type == "hash_entry"]
    return {
        text(pair.children[0]).strip(): next(each for each in pair.children if each.type == "pipeline") for pair in pairs
    }


def tables(node: Node) -> list[Node]:
    """The hashtables below a node that are in no other hashtable below it."""
    if node.type == "hash_literal_expression":
        return [node]
    return [found for child in node.children for found in tables(child)]


def parse(source: str) -> dict[str, Node]:
    return entries(PARSER.parse(source.encode()).root_node)


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
    role = parse(jea.role_file(kind))
    seen: dict[str, dict[str, tuple[str, ...]]] = {}
    for table in tables(role["VisibleCmdlets"]):
        fields = entries(table)
        [name] = literals(fields["Name"])
        parameters = [entries(each) for each in tables(fields["Parameters"])]
        seen[name] = {
            literals(each["Name"])[0]: tuple(literals(each["ValidateSet"])) if "ValidateSet" in each else ()
            for each in parameters
        }
    whole = [
        each
        for each in literals(role["VisibleCmdlets"])
        if "\\" in each and each.rpartition("\\")[2] in CATALOGUE and each not in seen
    ]
    here = [cmdlet for cmdlet in CATALOGUE.values() if kind in cmdlet.hosts]
    wanted = {
        f"{cmdlet.module}\\{cmdlet.name}": {name: parameter.choices for name, parameter in cmdlet.parameters.items()}
        for cmdlet in here
        if cmdlet.module
    }
    assert seen | {name: {} for name in whole} == wanted
    ours = [cmdlet.name for cmdlet in here if not cmdlet.module]
    assert literals(role["VisibleFunctions"]) == ours
    defined = [literals(entries(each)["Name"])[0] for each in tables(role["FunctionDefinitions"])]
    assert defined == ours


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
    types = {Kind.TEXT: "[string]", Kind.TEXTS: "[string[]]", Kind.BYTES: "[byte[]]", Kind.SECRET: "[securestring]"}
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
    session = parse(jea.session_file(HostKind.PROXY, GROUP))
    assert literals(session["SessionType"]) == ["RestrictedRemoteServer"]
    assert literals(session["LanguageMode"]) == ["NoLanguage"]
    group, role = literals(session["RoleDefinitions"])
    assert group.replace("\u2019\u2019", "\u2019") == GROUP
    assert role == "IsthmusAdfsProxy"


def test_command_writes_the_files(tmp_path: Path) -> None:
    """`isthmus adfs jea` says what it wrote and what comes next."""
    done = CliRunner().invoke(command, ["--directory", str(tmp_path / "out"), "--group", "CORP\\Ops"])
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
        done = CliRunner().invoke(command, ["--directory", str(tmp_path), "--json"])
        assert done.exit_code == 0
        assert str(tmp_path / "IsthmusAdfsProxy.pssc") in done.output
