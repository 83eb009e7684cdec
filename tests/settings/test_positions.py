"""Lines of keys, held against `tomllib` and against texts whose lines are known because they were made that way."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.positions import DEEPEST, Key, is_too_deep, lines_of, places_of


def keys_of(value: Any, key: Key = ()) -> Iterator[Key]:
    """Every key and every index of what `tomllib` read."""
    if key:
        yield key
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in items:
        yield from keys_of(inner, (*key, part))


def test_lines_of_keys() -> None:
    """Over several lines, quoted, dotted, in a list of tables, below a comment with brackets."""
    text = '# [no]\na = """\n[b]\nc = 1\n"""\n[t]\n"x y" = [\n 1, # ]\n 2]\nd.e = 1\n'
    text += "[[r]]\n[r.s]\nk = 1\n[[r]]\n[r.s]\nk = 2\n"
    assert lines_of(text) == {
        ("a",): 2, ("t",): 6, ("t", "x y"): 7, ("t", "x y", 0): 8, ("t", "x y", 1): 9, ("t", "d"): 10, ("t", "d", "e"): 10,
        ("r",): 11, ("r", 0): 11, ("r", 0, "s"): 12, ("r", 0, "s", "k"): 13,
        ("r", 1): 14, ("r", 1, "s"): 15, ("r", 1, "s", "k"): 16,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        'a = """x""\n["y"]"""\nb = 1\n',
        "a = '''x''\n['y']'''\nb = 1\n",
        'a = """x""y"""""\nb = 1\n',
        "a = '''x''y'''''\nb = 1\n",
        'a = "\\"\\\\"\nb = 1\n',
        "a = '\\'\nb = 1\n",
        'a = """\\\n  """\nb = 1\n',
        "a = 1.5e-3 # =[\nb = 2026-01-01 00:00:00\n",
        'a = "x\u2028\u0085y"\nb = 1\n',
        "\"a\\u0041\".'b.c' = 1\r\n3.14 = 2\r\n",
        "a = [[1, [2]], {b = [{c = 1}]}]\n",
        "[[a]]\n[[a.b]]\n[[a.b]]\nc = 1\n[[a]]\n[[a.b]]\nc = 2\n",
        "[ a . b ]\nc = 1\n[[ d ]]\n",
        "[a.b]\n[a]\nc = {}\nd = []\n",
    ],
)
def test_the_keys_are_those_that_tomllib_reads(text: str) -> None:
    """Strings of all four kinds with quotes in and behind them, line separators that are no line ends, quoted keys."""
    lines = lines_of(text)
    assert set(lines) == set(keys_of(tomllib.loads(text)))
    last = text.replace("\r", "").rstrip("\n").count("\n") + 1
    assert max(lines.values()) == last


NAMES = st.text("ab.-\"'\\ é\u2028#=[", min_size=0, max_size=4)
SCALARS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(["true", "1.5", "2026-01-01", "'[#]'", '"""\n[a]\nb = 1\n"""', "'''\n'''", '"\\"#"']),
)


def _value(depth: int) -> st.SearchStrategy[str]:
    if not depth:
        return SCALARS
    inner = _value(depth - 1)
    space = st.sampled_from(["", " ", "\n", " # ] }\n"])
    array = st.lists(st.tuples(space, inner, space), max_size=3).map(
        lambda items: "[" + ",".join(before + value + after for before, value, after in items) + "]"
    )
    table = st.dictionaries(NAMES, inner, max_size=2).map(
        lambda pairs: "{" + ", ".join(f"{quoted(name)} = {value}" for name, value in pairs.items()) + "}"
    )
    return st.one_of(SCALARS, array, table)


def quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Key, int]]:
    """A text, and the line of each key at the beginning of a statement in it."""
    text = ""
    lines: dict[Key, int] = {}
    tables = draw(st.permutations(["[[t0]]", "[[t0]]", "[[t1]]", "[t2]"]))[: draw(st.integers(0, 4))]
    for number, header in enumerate(["", *tables]):
        text += draw(st.sampled_from(["", "\n", "# [x]\n", " \t\n"]))
        table: Key = ()
        if header:
            table = (header.strip("[]"),)
            table = (*table, tables[: number - 1].count(header)) if header.startswith("[[") else table
            lines[table] = text.count("\n") + 1
            text += header + "\n"
        for key, value in draw(st.dictionaries(NAMES, _value(2), max_size=3)).items():
            lines[*table, key] = text.count("\n") + 1
            text += f"{quoted(key)} = {value}\n"
    return text, lines


@given(documents())
def test_every_key_of_a_made_text_is_found_on_its_line(made: tuple[str, dict[Key, int]]) -> None:
    """The same keys as `tomllib`, no others; lines as they were written."""
    text, expected = made
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # an inline table over several lines, which TOML 1.0 does not have
    lines = lines_of(text)
    assert set(lines) == set(keys_of(data))
    assert {key: lines[key] for key in expected} == expected


def test_time_grows_with_the_text() -> None:
    """A list of 20,000 lines; the fewest lines that `tomllib` accepts, tried one after the other, took minutes."""
    text = "a = [\n" + "  1,\n" * 20_000 + "]\n"
    began = time.process_time()
    lines = lines_of(text)
    assert lines["a", 19_999] == 20_001
    assert time.process_time() - began < 5


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a=", "}"), ("a.", "a")])
def test_depth(opening: str, closing: str) -> None:
    """Up to the limit and no further, in lists, tables and dotted keys; depth in strings and comments is none."""

    def nested(levels: int) -> str:
        return opening * levels + (closing if opening == "a." else "1" + closing * levels)

    assert not is_too_deep(f"x = {nested(DEEPEST)}\n" * 3)
    assert is_too_deep(f"x = {nested(DEEPEST + 1)}\n")
    assert not is_too_deep(f"x = '{nested(DEEPEST + 1)}' # {nested(DEEPEST + 1)}\n")


def test_places_of_values() -> None:
    """Line and column of what stands between the quotes; of lists and numbers, of the first character."""
    text = "a = 'x'\n  b = \"\"\"\nc\"\"\"\nd = '''e\nf''' # 'g'\nh = [ 'i', {j = 1} ]\n[[k]]\n"
    text += "l = \"\"\"\\\n  m\"\"\"\r\nn = '''\r\no'''\n"
    assert places_of(text) == {
        ("a",): (1, 6), ("b",): (3, 1), ("d",): (4, 8), ("h",): (6, 5), ("h", 0): (6, 8), ("h", 1): (6, 12),
        ("h", 1, "j"): (6, 17), ("k", 0, "l"): (8, 8), ("k", 0, "n"): (11, 1),
    }  # fmt: skip


@given(documents())
def test_a_text_begins_at_its_place(made: tuple[str, dict[Key, int]]) -> None:
    """Of every text without escapes, whatever stands around it."""
    text, _ = made
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = text.split("\n")
    for key, (line, column) in places_of(text).items():
        value: Any = data
        for part in key:
            value = value[part]
        if isinstance(value, str) and "\\" not in value and '"' not in value:
            assert "\n".join([lines[line - 1][column - 1 :], *lines[line:]]).startswith(value)
