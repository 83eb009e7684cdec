"""Tests of rules: what administrators write, and what they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from settings import SettingsFileError
from sync.rules import CaseResult, ExpressionTrialFailed, read_cases, run_cases, try_expression, write_literal
from sync.rules.literals import read_literal

ANNA = (
    'id = "anna"\nvalues = { sAMAccountName = "anna", userPrincipalName = "anna@example.com", userAccountControl = 512 }\n'
)
ONE = '[[cases]]\nname = "n"\n[[cases.objects]]\n'


def results(folder: Path, text: str) -> list[CaseResult]:
    path = folder / "cases.toml"
    path.write_text(text, encoding="utf-8")
    return run_cases(read_cases(path))


def differences(folder: Path, text: str) -> list[str]:
    """Of one case of the default rules."""
    return list(results(folder, f'[[cases]]\nname = "one"\n[[cases.objects]]\n{ANNA}{text}')[0].differences)


def person(text: str) -> str:
    return f'[[cases.persons]]\nobjects = ["anna"]\n{text}\n'


def test_case_that_holds(tmp_path: Path) -> None:
    """Values, absent ones, accounts."""
    text = person('values = { userPrincipalName = "anna@example.com", accountEnabled = true }\nabsent = ["mail"]')
    text += '[cases.persons.accounts.cloud]\nvalues = { mailNickname = "anna" }\nabsent = ["mail"]\nenabled = true\n'
    assert differences(tmp_path, text + 'links = ["manager"]\n') == []


def test_every_difference_is_told(tmp_path: Path) -> None:
    """What was expected, and what is there."""
    text = person('values = { title = "boss", sAMAccountName = "Anna" }\nabsent = ["userPrincipalName"]')
    text += '[cases.persons.accounts.cloud]\nvalues = { userPrincipalName = 1 }\nenabled = false\nlinks = ["member"]\n'
    text += "[cases.persons.accounts.other]\nnone = true\n"
    assert differences(tmp_path, text) == [
        "person of anna: title: expected 'boss'; found no value",
        "person of anna: sAMAccountName: expected 'Anna'; found 'anna'",
        "person of anna: userPrincipalName: expected no value; found 'anna@example.com'",
        "anna at cloud: userPrincipalName: expected 1; found 'anna@example.com'",
        "anna at cloud: expected it disabled; it is enabled",
        "anna at cloud: member: expected links; there are none",
        "anna at other: expected no account; there is one",
    ]


def test_objects_that_come_to_nothing(tmp_path: Path) -> None:
    """Out of scope, held: expected or not, with the reason."""
    assert differences(tmp_path, "") == ["there is a person of anna; expected none"]
    service = '[[cases.objects]]\nid = "svc"\nvalues = { sAMAccountName = "MSOL_1" }\n'
    told = differences(tmp_path, service + person(""))
    assert told == ["svc: out of scope (in-user: sAMAccountName NOTSTARTSWITH MSOL_)"]
    unread = '[[cases.objects]]\nid = "x"\nvalues = { sAMAccountName = "x" }\n'
    told = differences(tmp_path, unread + person(""))
    assert told == [
        "x: held by ExpressionError: rule in-user: the rule stops this object by Error. Change the object, or the rule that"
        " does not allow it"
    ]
    head = '[[cases]]\nname = "n"\nout_of_scope = ["svc"]\nheld = { x = "ExpressionError" }\n[[cases.objects]]\n'
    assert results(tmp_path, head + ANNA + service + unread + person(""))[0].differences == ()
    head = '[[cases]]\nname = "n"\nout_of_scope = ["anna", "x"]\nheld = { svc = "AmbiguousJoin", x = "AmbiguousJoin" }\n'
    told = list(results(tmp_path, head + "[[cases.objects]]\n" + ANNA + service + unread + person(""))[0].differences)
    assert [line.partition(";")[0].partition(" (")[0] for line in told] == [
        "anna: expected to be out of scope",
        "x: expected to be out of scope",
        "svc: out of scope",
        "svc: expected to be held by AmbiguousJoin",
        "x: expected to be held by AmbiguousJoin",
    ]


def test_joined_objects(tmp_path: Path) -> None:
    """In the order in which they come; of several sources."""
    contact = '[[cases.objects]]\nid = "c"\nsource = "b"\nkind = "contact"\nvalues = { mail = "a@x", name = "A" }\n'
    head = '[[cases]]\nname = "n"\n[[cases.objects]]\n' + ANNA.replace("{ ", '{ mail = "A@x", ')
    both = '[[cases.persons]]\nobjects = ["c", "anna"]\nvalues = { mail = "A@x" }\n'
    assert results(tmp_path, head + contact + both)[0].differences == ()
    assert results(tmp_path, head + contact + person(""))[0].differences == (
        "expected a person of anna; there is none",
        "there is a person of anna, c; expected none",
    )


def test_own_rules_with_groups_places_and_parameters(tmp_path: Path) -> None:
    """The file of rules is named beside the cases; DNs need no keys."""
    (tmp_path / "rules.toml").write_text(
        """
[[inbound]]
id = "in"
kind = "user"
precedence = 1
link = "provision"
scope = [[
  { operator = "ISMEMBEROF", value = "CN=Cloud,DC=example,DC=com", nested = true },
  { operator = "ISBELOW", value = "OU=Staff,DC=example,DC=com" },
]]
copy = ["objectSid", "title"]
flows = [{ to = "where", expression = '%Domain.FQDN% & FormatDateTime(Now(), "yyyy")' }]

[[outbound]]
id = "out"
kind = "user"
precedence = 1
link = "provision"
scope = [[{ attribute = "title", operator = "ISNOTNULL" }]]
copy = ["where", "objectSid"]
""",
        encoding="utf-8",
    )
    text = """
rules = "rules.toml"
parameters = { corp = { "Domain.FQDN" = "corp.example" } }
[[cases]]
name = "in both"
out_of_scope = ["else"]
[[cases.objects]]
id = "a"
source = "corp"
guid = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
dn = "CN=a,OU=x,OU=Staff,DC=example,DC=com"
nested_groups = ["cn=cloud,dc=example,dc=com"]
values = { objectSid = { base64 = "AQID" }, title = "t" }
[[cases.objects]]
id = "else"
source = "corp"
dn = "CN=else,OU=Other,DC=example,DC=com"
groups = ["CN=Cloud,DC=example,DC=com"]
[[cases.persons]]
objects = ["a"]
values = { objectSid = { hex = "010203" }, where = "corp.example2026", sourceAnchor = "/xmWb4aLEdC0LQDAT8lk/w==" }
[cases.persons.accounts.cloud]
values = { objectSid = { base64 = "AQID" } }
"""
    assert results(tmp_path, text)[0].differences == ()
    without = text.replace('title = "t"', 'sn = "t"')
    assert results(tmp_path, without)[0].differences == (
        "a at cloud: expected an account; there is none (out of scope; out: title ISNOTNULL)",
    )
    none = without.replace('values = { objectSid = { base64 = "AQID" } }', 'none = true\nreason = "title"')
    assert results(tmp_path, none)[0].differences == ()
    assert "because of 'mail'" in results(tmp_path, none.replace('reason = "title"', 'reason = "mail"'))[0].differences[0]


def test_value_that_is_not_computed_is_said_to_be(tmp_path: Path) -> None:
    """Since nobody reads it."""
    rules = '[[inbound]]\nid = "in"\nkind = "user"\nprecedence = 1\nlink = "provision"\ncopy = ["title"]\n'
    (tmp_path / "rules.toml").write_text(rules, encoding="utf-8")
    text = 'rules = "rules.toml"\n[[cases]]\nname = "n"\n[[cases.objects]]\nid = "anna"\nvalues = { title = "t" }\n'
    found = results(tmp_path, text + person('values = { title = "t" }'))[0].differences
    assert found == ("person of anna: title: expected 't'; found no value (it is not computed: no outbound rule reads it)",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "cases: is missing"),
        ('[[cases]]\nname = "n"\nobjects = []\n', "cases[0].objects (line 3): is empty"),
        (
            f"{ONE}{ANNA}{person('')}".replace('["anna"]', '["ana"]'),
            "there is no object ana",
        ),
        (f'[[cases]]\nname = "n"\nheld = {{ ana = "x" }}\n[[cases.objects]]\n{ANNA}', "there is no object ana"),
        (
            f"{ONE}{ANNA}[[cases.objects]]\n{ANNA}",
            "the id anna is that of another object",
        ),
        ('[[cases]]\nname = "n"\n[[cases.objects]]\nid = "a"\nguid = "x"\n', "is not a GUID"),
        ('[[cases]]\nname = "n"\n[[cases.objects]]\nid = "a"\nvalues = { b = { base64 = "?" } }\n', "is not base64"),
        ('[[cases]]\nname = "n"\n[[cases.objects]]\nid = "a"\nvalues = { b = { base65 = "" } }\n', "write bytes as"),
        (
            f"{ONE}{ANNA}{person('')}[cases.persons.accounts.c]\nnone = true\nenabled = true\n",
            "no account has none of these",
        ),
        (
            f'{ONE}{ANNA}{person("")}[cases.persons.accounts.c]\nreason = "x"\n',
            "write none = true",
        ),
    ],
)
def test_wrong_cases(tmp_path: Path, text: str, expected: str) -> None:
    """A case that cannot fail is no test."""
    with pytest.raises(SettingsFileError) as error:
        results(tmp_path, text)
    assert expected in str(error.value)


def test_literals() -> None:
    """Bytes in three forms; what is written reads as the same."""
    assert read_literal({"guid": "6f9619ff-8b86-d011-b42d-00c04fc964ff"}) == bytes.fromhex(
        "ff19966f868b11d0b42d00c04fc964ff"
    )
    assert read_literal(["a", 1, True]) == ("a", 1, True)
    assert write_literal(("a", b"\1\2\3", True, 5)) == "['a', { base64 = \"AQID\" }, true, 5]"
    assert write_literal(None) == "no value"


# -- one expression


def tried(folder: Path, expression: str, text: str = "") -> tuple[object, str]:
    path = folder / "object.toml"
    path.write_text(text, encoding="utf-8")
    attempt = try_expression(expression, path, now=0.0)
    return attempt.value, attempt.type


def test_expression_with_an_object(tmp_path: Path) -> None:
    """Values, DN, parameters; an unknown attribute has the type of its value."""
    text = 'dn = "CN=a"\nvalues = { sn = "x", badge = 5, description = "d" }\nparameters = { "Domain.FQDN" = "corp" }\n'
    assert tried(tmp_path, "UCase([sn])", text) == ("X", "text")
    assert tried(tmp_path, "[badge] + 1", text) == (6, "number")
    assert tried(tmp_path, "[dn] & %Domain.FQDN%", text) == ("CN=acorp", "text")
    assert tried(tmp_path, "Count([description])", text) == (1, "number")
    assert tried(tmp_path, 'ImportedValue("sn")', text) == ("x", "text")
    assert tried(tmp_path, 'ImportedValue("sn")', text + 'imported = { sn = "y" }\n') == ("y", "text")
    assert try_expression("BitAnd(&HF, &HF7)", None, now=0.0).value == 7


def test_expression_that_does_not_work(tmp_path: Path) -> None:
    """Its syntax, its types, or the values of this object."""
    for expression, expected in (
        ("UCase([sn]", "expression:1:11: the expression ends too early"),
        ("UCase([userAccountControl])", "expression:1:7: text of UCase is number; expected text"),
        ("CNum([sn])", "expression:1:1: CNum: .*\nThe value in question: 'x'"),
    ):
        with pytest.raises(ExpressionTrialFailed, match=expected):
            tried(tmp_path, expression, 'values = { sn = "x" }\n')
