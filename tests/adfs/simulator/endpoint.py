"""Session configurations of a host: what each lets through before a cmdlet is looked for.

An ordinary one lets everything through that the host has; functions of our own are not there. A JEA endpoint lets through
what its role capability file makes visible (about_Role_Capabilities; System.Management.Automation's CommandMetadata): listed
commands; of each only the listed parameters, or all where none is listed; a value of a listed parameter only if it is in its
ValidateSet or matches its ValidatePattern, element by element, in any case. Common parameters always pass, and so do -WhatIf
and -Confirm, which belong to the command and not to its list of parameters.

The role file is read with PowerShell's grammar, as text: this is not the program that wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from tests.adfs.simulator.binding import command_not_found
from tests.adfs.simulator.errors import PsError

Guard = Callable[[str, str, Mapping[str, object]], None]
"""Host, command, parameters. Raises PsError."""

PARSER = Parser(Language(tree_sitter_powershell.language()))
_COMMON = {
    *("verbose", "debug", "erroraction", "warningaction", "informationaction", "errorvariable", "warningvariable"),
    *("informationvariable", "outvariable", "outbuffer", "pipelinevariable", "whatif", "confirm"),
}


def ordinary(_host: str, command: str, _parameters: Mapping[str, object]) -> None:
    """`Microsoft.PowerShell`: functions that a role file defines are in its endpoint only."""
    if "-isthmus" in command.lower():
        raise command_not_found(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A listed parameter."""

    choices: tuple[str, ...] = ()
    pattern: str = ""


class Role:
    """A role capability file."""

    def __init__(self, source: str) -> None:
        role = read_hashtable(source)
        self.commands: dict[str, dict[str, Allowed] | None] = {}
        """By lower-case name, as it is written: a module's name before it makes a function that nobody calls so. None:
        every parameter."""
        for table in tables(role["VisibleCmdlets"]):
            fields = entries(table)
            parameters = [entries(each) for each in tables(fields["Parameters"])]
            self.commands[literals(fields["Name"])[0].lower()] = dict(_allowed(each) for each in parameters)
        for name in _outside_tables(role["VisibleCmdlets"]):
            self.commands[name.lower()] = None
        for name in literals(role["VisibleFunctions"]):
            self.commands[name.lower()] = None

    def check(self, command: str, parameters: Mapping[str, object]) -> None:
        """Raise PsError for what the endpoint does not let through."""
        if command.lower() not in self.commands:
            raise command_not_found(command)
        listed = self.commands[command.lower()]
        for name, value in parameters.items() if listed is not None else ():
            if name.lower() in _COMMON:
                continue
            if listed is None or name.lower() not in listed:
                text = f"A parameter cannot be found that matches parameter name '{name}'."
                raise PsError(text, f"NamedParameterNotFound,{command}", "InvalidArgument")
            _check_value(command, name, listed[name.lower()], value)


def jea(roles: Mapping[str, Role]) -> Guard:
    """An endpoint of the same name on several hosts, each with its own role; hosts without one have none."""

    def guard(host: str, command: str, parameters: Mapping[str, object]) -> None:
        roles[host].check(command, parameters)

    return guard


def _check_value(command: str, name: str, allowed: Allowed, value: object) -> None:
    for each in value if isinstance(value, list) else [value]:
        text = str(each)
        outside = allowed.choices and text.lower() not in {choice.lower() for choice in allowed.choices}
        if outside or (allowed.pattern and not re.search(allowed.pattern, text, re.IGNORECASE)):
            message = f"Cannot validate argument on parameter '{name}'. The argument \"{text}\" is not allowed."
            raise PsError(message, f"ParameterArgumentValidationError,{command}", "InvalidData")


def _allowed(fields: Mapping[str, Node]) -> tuple[str, Allowed]:
    choices = tuple(literals(fields["ValidateSet"])) if "ValidateSet" in fields else ()
    pattern = literals(fields["ValidatePattern"])[0] if "ValidatePattern" in fields else ""
    return literals(fields["Name"])[0].lower(), Allowed(choices=choices, pattern=pattern.replace("\\z", "\\Z"))


# -- PowerShell's data files


def read_hashtable(source: str) -> dict[str, Node]:
    """Keys and values of a file that is one hashtable."""
    return entries(PARSER.parse(source.encode()).root_node)


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def text(node: Node) -> str:
    """As it is in the file."""
    return (node.text or b"").decode()


def literals(node: Node) -> list[str]:
    """The single-quoted texts below a node, in order."""
    found = [text(each)[1:-1].replace("''", "'") for each in walk(node) if each.type == "verbatim_string_characters"]
    if not found:
        raise ValueError(f"no text in {text(node)}")
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


def _outside_tables(node: Node) -> Sequence[str]:
    """Texts of an array that are not in one of its hashtables."""
    if node.type == "hash_literal_expression":
        return []
    if node.type == "verbatim_string_characters":
        return [text(node)[1:-1].replace("''", "'")]
    return [found for child in node.children for found in _outside_tables(child)]
