"""`isthmus sync rules`, and the page that explains the file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from isthmus.cli import cli, main
from settings import settings_of
from sync.rules import read_cases, read_rules, run_cases
from sync.rules.cases import Case, CaseObject, CasesFile, ExpectedAccount, ExpectedPerson
from sync.rules.model import (
    AnchorRule,
    Flow,
    InboundRule,
    JoinCondition,
    OutboundRule,
    RulesFile,
    ScopeCondition,
    TargetDomains,
)

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "sync-rules.md"
RULE = '[[inbound]]\nid = "in"\nkind = "user"\nprecedence = 1\nlink = "provision"\ncopy = ["sn", "title"]\n'
RULE += '[[outbound]]\nid = "out"\nkind = "user"\nprecedence = 1\nlink = "provision"\ncopy = ["sn"]\n'
CASE = '[[cases]]\nname = "first"\n[[cases.objects]]\nid = "a"\nvalues = { sn = "x" }\n'
CASE += '[[cases.persons]]\nobjects = ["a"]\nvalues = { sn = "x" }\n'


def ran(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["sync", "rules", *arguments])
    return result.exit_code, result.output


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Of a command that ends with a message."""
    with pytest.raises(SystemExit) as ended:
        main(["sync", "rules", *arguments])
    return int(str(ended.value.code)), capsys.readouterr().err


def written(folder: Path, text: str, name: str = "rules.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_check(tmp_path: Path) -> None:
    """Valid rules, and what of them is not computed."""
    path = written(tmp_path, RULE)
    code, text = ran("check", path)
    assert (code, text) == (
        0,
        f"{path}: valid rules (1 inbound rule, 1 outbound rule)\n"
        "Not computed: title in in, since no outbound rule or join reads it\n",
    )
    code, text = ran("check", path, "--json")
    assert json.loads(text)["unused"] == [{"rule": "in", "attribute": "title"}]


def test_check_of_wrong_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem with its place; exit code 1."""
    path = written(tmp_path, RULE.replace('"sn", "title"', '"nothing"'))
    code, text = failed(capsys, "check", path)
    assert code == 1
    assert f"Error: 2 problems:\n{path}:6:10: inbound[0].copy[0] (rule in): the source has no attribute nothing" in text
    code, text = ran("check", path, "--json")
    assert code == 1
    assert [problem["line"] for problem in json.loads(text)["problems"]] == [6, 12]


def test_functions() -> None:
    """All, or by a part of the name."""
    code, text = ran("functions", "datea")
    assert code == 0
    assert "DateAdd" in text
    assert "UCase" not in text
    code, text = ran("functions", "--json")
    assert len(json.loads(text)) > 80
    assert "No function has zzz in its name." in ran("functions", "zzz")[1]


def test_try(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Value and type; what is wrong, with its place."""
    path = written(tmp_path, 'values = { sn = "x" }\n')
    assert ran("try", "UCase([sn])", "--object", path) == (0, "'X'  (text)\n")
    assert json.loads(ran("try", "1 + 1", "--json")[1]) == {"value": "2", "type": "number"}
    code, text = failed(capsys, "try", "UCase(1)")
    assert (code, "expression:1:7: text of UCase is number" in text) == (1, True)


def test_test(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every difference; exit code 1 if there is one."""
    written(tmp_path, RULE)
    path = written(tmp_path, 'rules = "rules.toml"\n' + CASE, "cases.toml")
    assert ran("test", path) == (0, "ok   first\n1 case, 0 failed\n")
    other = CASE.replace('values = { sn = "x" }\n[[', 'values = { sn = "y" }\n[[')
    path = written(tmp_path, 'rules = "rules.toml"\n' + other, "cases.toml")
    code, text = ran("test", path)
    assert (code, text) == (1, "FAIL first\n     person of a: sn: expected 'x'; found 'y'\n1 case, 1 failed\n")
    code, text = ran("test", path, "--json")
    assert (code, [case["ok"] for case in json.loads(text)]) == (1, [False])
    assert failed(capsys, "test", str(tmp_path / "none.toml"))[0] == 1


# -- the page


def examples() -> Iterator[str]:
    yield from re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_every_example_of_the_page_works(tmp_path: Path) -> None:
    """Rules are valid; the cases hold."""
    found = list(examples())
    rules = [text for text in found if "default_rules" in text]
    assert len(rules) >= 6
    for text in rules:
        read_rules(Path("rules.toml"), content=text.encode())
    (cases,) = [text for text in found if "[[cases]]" in text]
    written(tmp_path, "default_rules = true\n")
    results = run_cases(read_cases(Path(written(tmp_path, cases, "cases.toml"))))
    assert [result.differences for result in results] == [()]
    (tried,) = [text for text in found if "default_rules" not in text and text is not cases and "[[cases]]" not in text]
    assert tomllib.loads(tried)["values"]["sn"] == "Adams"
    path = written(tmp_path, tried, "anna.toml")
    assert ran("try", "UCase([sn]) & %Domain.FQDN%", "--object", path)[1] == "'ADAMSexample.com'  (text)\n"


@pytest.mark.parametrize(
    "model",
    [
        *(RulesFile, AnchorRule, TargetDomains, InboundRule, OutboundRule, ScopeCondition, JoinCondition, Flow),
        *(CasesFile, Case, CaseObject, ExpectedPerson, ExpectedAccount),
    ],
)
def test_page_names_every_key(model: type[object]) -> None:
    """And every operator and choice."""
    text = PAGE.read_text(encoding="utf-8")
    for name, setting in settings_of(model).items():
        assert re.search(rf"\b{name}\b", text), name
        for choice in setting.shape.choices:
            assert str(choice) in text
