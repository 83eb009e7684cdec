"""Tables with names of the administrator's, tables of several kinds, and tables in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from settings import InFile, SettingsFileError, example, load_settings, settings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A table."""

    seconds: float = 1.0
    """Seconds."""
    file: Path | None = None
    """A file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Tables with names."""

    flows: Mapping[str, Flow] = field(default_factory=dict)
    """Tables."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scim:
    """A SCIM service."""

    kind: Literal["scim"]
    """Which target."""
    url: str
    """Its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ldap:
    """A directory."""

    kind: Literal["ldap", "ad"]
    """Which target."""
    servers: tuple[str, ...]
    """Where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """In a file of their own."""

    flows: tuple[Flow, ...]
    """Flows."""
    more: InFile[Rules] | None = None
    """Further ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """With everything that can be a table."""

    targets: Mapping[str, Scim | Ldap] = field(default_factory=dict)
    """Targets by name."""
    sources: tuple[Scim | Ldap, ...] = ()
    """Sources."""
    one: Scim | Ldap | None = None
    """One of them."""
    rules: InFile[Rules] | None = None
    """Rules."""


def read(tmp_path: Path, text: str, model: type[Any]) -> Any:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load_settings(path, model)


def problems(tmp_path: Path, text: str, model: type[Any]) -> list[str]:
    with pytest.raises(SettingsFileError) as caught:
        read(tmp_path, text, model)
    return [str(problem) for problem in caught.value.problems]


# -- names


def test_tables_with_names(tmp_path: Path) -> None:
    """`[flows.NAME]`, in the order of the file, read-only."""
    settings = read(tmp_path, '[flows.b]\nseconds=2\n[flows."a b"]\n[weights]\nu=1\nv=2\n', Named)
    assert list(settings.flows.items()) == [("b", Flow(seconds=2.0)), ("a b", Flow())]
    assert dict(settings.weights) == {"u": 1, "v": 2}
    with pytest.raises(TypeError):
        settings.flows["c"] = Flow()


def test_errors_in_tables_with_names(tmp_path: Path) -> None:
    """A name that has to be quoted in TOML is quoted in the error too."""
    text = '[flows."a b"]\nseconds="2"\n[flows.b]\nfiel=""\n[weights]\nu="1"\n'
    assert problems(tmp_path, text, Named) == [
        "flows.\"a b\".seconds (line 2): expected a number, found '2'; write it without quotes",
        "flows.b.fiel (line 4): no such setting; did you mean file?",
        "weights.u (line 6): expected a whole number, found '1'; write it without quotes",
    ]
    assert problems(tmp_path, "flows=1\nweights=[]\n", Named) == [
        "flows (line 1): expected tables [flows.NAME], found 1",
        "weights (line 2): expected a table [weights], found a list",
    ]


def test_a_setting_in_the_wrong_table_is_sent_to_the_right_one(tmp_path: Path) -> None:
    """Where there is one only."""
    assert problems(tmp_path, "seconds=1\n", Named) == ["seconds (line 1): no such setting; it belongs in [flows.NAME]"]
    assert problems(tmp_path, "flows=1\n", Sync) == ["flows (line 1): no such setting"]
    assert problems(tmp_path, 'url=""\n', Sync) == ["url (line 1): no such setting"]


# -- kinds


def test_kind_selects_the_model(tmp_path: Path) -> None:
    """In a table with a name, in a list of tables, in a single table."""
    text = 'one={kind="ad",servers=[]}\n[targets.x]\nkind="scim"\nurl="u"\n[[sources]]\nkind="ldap"\nservers=["s"]\n'
    settings = read(tmp_path, text, Sync)
    assert settings.targets == {"x": Scim(kind="scim", url="u")}
    assert settings.sources == (Ldap(kind="ldap", servers=("s",)),)
    assert settings.one == Ldap(kind="ad", servers=())
    assert read(tmp_path, 'one=""', Sync).one is None


def test_an_unknown_kind_names_the_kinds(tmp_path: Path) -> None:
    """And the nearest one; what else is in that table cannot be judged, the other tables can."""
    text = '[targets.x]\nkind="scmi"\nxyzzy=1\n[targets.y]\nurl="u"\n'
    text += '[targets.z]\nkind="scim"\nurls="u"\n[targets.w]\nkind=["ad"]\n'
    assert problems(tmp_path, text, Sync) == [
        "targets.x.kind (line 2): 'scmi' is none of 'scim', 'ldap', 'ad'; did you mean 'scim'?",
        "targets.y.kind (line 4): is missing; one of 'scim', 'ldap', 'ad'",
        "targets.z.url (line 6): is missing; Its address",
        "targets.z.urls (line 8): no such setting; did you mean url?",
        "targets.w.kind (line 10): a list is none of 'scim', 'ldap', 'ad'",
    ]


@dataclass(frozen=True)
class NoKind:
    """Cannot be told from others."""

    kind: str = "scim"


@dataclass(frozen=True)
class SameKind:
    """Cannot be told from `Scim`."""

    kind: Literal["scim"]


AMBIGUOUS = ["Scim | NoKind", "Scim | SameKind", "Scim | Flow", "Scim | str", "int | str"]
UNSAYABLE = ["list[str]", "tuple[int, str]", "Mapping[int, str]"]


@pytest.mark.parametrize("hint", AMBIGUOUS + UNSAYABLE)
def test_a_model_that_no_file_can_say_is_refused(hint: str) -> None:
    """A mistake of ours, found when the model is first used and not by whoever writes the file."""
    model: type[Any] = dataclass(type("Bad", (), {"__annotations__": {"field": hint}, "__module__": __name__}))
    with pytest.raises(TypeError):
        settings_of(model)


def test_the_example_has_a_table_for_each_kind() -> None:
    """Which an administrator can copy."""
    required = {"targets.NAME.url": '"https://scim.test"', "sources.servers": "[]", "sources.url": '"u"'}
    text = example(Sync, "Sync.", required)
    assert [line for line in text.splitlines() if line.startswith(("[", "kind", "url"))] == [
        "[targets.scim]", 'kind = "scim"', 'url = "https://scim.test"', "[targets.ldap]", 'kind = "ldap"',
        "[[sources]]", 'kind = "scim"', 'url = "u"', "[[sources]]", 'kind = "ldap"',
        "[one]", 'kind = "scim"', "[one]", 'kind = "ldap"',
    ]  # fmt: skip
    assert '# rules = ""' in text


# -- other files


@dataclass(frozen=True)
class Group:
    """Holds itself."""

    name: str = ""
    """Its name."""
    all_of: tuple[Group, ...] = ()
    """Groups in it."""


def test_a_model_may_hold_itself(tmp_path: Path) -> None:
    """As conditions do; a wrong key in it ends in an error like any other."""
    assert read(tmp_path, '[[all_of]]\n[[all_of.all_of]]\nname="x"\n', Group).all_of[0].all_of[0].name == "x"
    assert problems(tmp_path, "[[all_of]]\nxyzzy=1\n", Group) == ["all_of[0].xyzzy (line 2): no such setting"]


@dataclass(frozen=True)
class Checked:
    """Looks at its table when it is made."""

    rules: InFile[Rules]
    """Rules."""

    def __post_init__(self) -> None:
        assert self.rules.flows is not None


def test_a_model_is_made_of_what_was_read_only(tmp_path: Path) -> None:
    """Never with a hole where the other file has a problem."""
    (tmp_path / "rules.toml").write_text("flows = 1\n")
    assert problems(tmp_path, 'rules = "rules.toml"\n', Checked) == ["flows (line 1): expected tables [[flows]], found 1"]


def test_a_table_in_another_file(tmp_path: Path) -> None:
    """Its path is relative to the file that names it; paths in it to itself."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "rules.toml").write_text('more = "more.toml"\n[[flows]]\nfile = "key"\n')
    (tmp_path / "sub" / "more.toml").write_text("flows = []\n")
    rules = read(tmp_path, 'rules = "sub/rules.toml"', Sync).rules
    assert rules == Rules(flows=(Flow(file=tmp_path / "sub" / "key"),), more=Rules(flows=()))


def test_problems_of_both_files_at_once(tmp_path: Path) -> None:
    """Each with its file."""
    rules = tmp_path / "rules.toml"
    rules.write_text("[[flows]]\nsecond = 1\n")
    with pytest.raises(SettingsFileError) as caught:
        read(tmp_path, 'rules = "rules.toml"\nx = 1\n', Sync)
    assert str(caught.value) == (
        f"{tmp_path / 'settings.toml'} cannot be used:\n  x (line 2): no such setting\n"
        f"  {rules}: flows[0].second (line 2): no such setting; did you mean seconds?"
    )


@pytest.mark.parametrize(
    ("content", "key", "said"),
    [
        (None, "rules", "rules.toml cannot be read (No such file or directory)"),
        ("flows = \n", "rules", "rules.toml is not TOML (Invalid value (at line 1, column 9))"),
        ('flows = []\nmore = "rules.toml"\n', "more", "rules.toml leads back to itself"),
        ('flows = []\nmore = "settings.toml"\n', "more", "settings.toml leads back to itself"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_where_it_is_named(
    tmp_path: Path, content: str | None, key: str, said: str
) -> None:
    """Missing, broken, or a ring of files."""
    if content is not None:
        (tmp_path / "rules.toml").write_text(content)
    [told] = problems(tmp_path, 'rules = "rules.toml"\n', Sync)
    assert told.startswith(f"{key} (line ")
    assert told.endswith(f"{tmp_path}/{said}")


def test_a_link_to_itself_is_told_where_it_is_named(tmp_path: Path) -> None:
    """Such a path cannot be resolved."""
    (tmp_path / "rules.toml").symlink_to("rules.toml")
    [told] = problems(tmp_path, 'rules = "rules.toml"\n', Sync)
    assert told.endswith("rules.toml cannot be read (Too many levels of symbolic links)")
