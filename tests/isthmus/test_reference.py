"""The reference pages say what the code says, and every link of the documentation leads somewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner

from isthmus import reference
from isthmus.reference import broken_links, documents, stale, stale_mentions, write
from isthmus.reference.__main__ import main
from isthmus.reference.audit import MEANINGS, KindsDiffer, check_kinds, recorded_kinds
from isthmus.reference.links import anchors_of, links_of, slug
from isthmus.reference.markdown import paragraphs, table
from isthmus.reference.settings import settings_page

ROOT = Path(__file__).parents[2]
pages = cache(reference.pages)
"""Written once: that takes longer than all these tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table."""

    seconds: float = 1.5
    """Seconds."""
    kind: Literal["a", "b"] = "a"
    """Which | what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Settings."""

    name: str
    """What it is
    called."""
    rows: tuple[Table, ...] = ()
    """Some tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """Settings."""

    name: str = "it"
    """What it is called."""
    files: tuple[Path, ...] = ()
    """Files."""
    inner: Table = field(default_factory=Table)
    """One table."""


def written(folder: Path, **files: str) -> Path:
    """A folder of documentation with a README beside it."""
    docs = folder / "docs"
    docs.mkdir()
    for name, text in files.items():
        path = folder / "README.md" if name == "readme" else docs / f"{name}.md"
        path.write_text(text, encoding="utf-8")
    return docs


def problems(docs: Path) -> list[str]:
    return [
        f"{link.file.name}:{link.line} {link.target}: {link.problem}"
        for link in broken_links(documents(docs), root=docs.parent)
    ]


# -- the documentation of this repository


def test_pages_are_up_to_date() -> None:
    """Each page on disk is what the code says; where one is not, `make docs` writes it."""
    assert stale(ROOT / "docs" / "reference", pages()) == [], "run `make docs`"


def test_every_link_holds() -> None:
    """No page of the documentation, nor the README or the changelog, links to something that is not there."""
    assert [str(link) for link in broken_links(documents(ROOT / "docs"), root=ROOT)] == []


def test_every_file_test_and_module_named_is_there() -> None:
    """Whatever moves, the documents say where it is now."""
    assert [str(mention) for mention in stale_mentions(documents(ROOT / "docs"), root=ROOT)] == []


def test_every_kind_of_audit_event_is_explained() -> None:
    """A kind that some package records without an explanation, or an explanation of none, stops the page."""
    check_kinds(recorded_kinds())
    with pytest.raises(KindsDiffer, match=r"lacks \['agent.moved'\]"):
        check_kinds({*MEANINGS, "agent.moved"})
    with pytest.raises(KindsDiffer, match=r"explains \['signin'\] in vain"):
        check_kinds(set(MEANINGS) - {"signin"})


def test_recorded_kinds_are_collected_from_calls() -> None:
    """The collector sees what is recorded directly, through a helper, and as an alert."""
    assert {"signin", "admin.unlock", "agent.enrolled", "alert.agent.cloned"} <= recorded_kinds()


# -- what the pages are made of


def test_setting_that_changed_is_noticed(tmp_path: Path) -> None:
    """A page on disk is stale as soon as its model says something else, and fresh again once written."""
    before, after = ({"settings.md": settings_page("agent", model)} for model in (Before, After))
    assert write(tmp_path, before) == ["settings.md"]
    assert stale(tmp_path, before) == []
    assert stale(tmp_path, after) == ["settings.md"]
    assert write(tmp_path, after) == ["settings.md"]
    assert stale(tmp_path, after) == []


def test_settings_page_shows_kind_default_and_meaning() -> None:
    """Required settings, lists of tables, choices and text over several lines all come out in one table each."""
    text = settings_page("agent", Before)
    assert "| `name` | text | **required** | What it is called. |" in text
    assert "## `[[rows]]`\n\nSome tables." in text
    assert "| `seconds` | number | `1.5` | Seconds. |" in text
    assert '| `kind` | `"a"` or `"b"` | `"a"` | Which \\| what. |' in text


def test_settings_page_shows_defaults_and_single_tables() -> None:
    """A default stands as it would in the file; a table that there is once has single brackets."""
    text = settings_page("relay", After)
    assert '| `name` | text | `"it"` | What it is called. |' in text
    assert "| `files` | list of paths | `[]` | Files. |" in text
    assert "## `[inner]`\n\nOne table." in text


def test_examples_of_commands_become_code() -> None:
    r"""What click leaves as it stands (behind \b) is a block of code; other text flows."""
    assert (
        paragraphs("Do\nit.\n\n\b\nExample:\n  isthmus do\n    it\n") == "Do it.\n\nExample:\n\n```\nisthmus do\n  it\n```"
    )
    assert paragraphs("Do it.\n\n\b\nbash:  one\nzsh:   two") == "Do it.\n\n```\nbash:  one\nzsh:   two\n```"


def test_table_without_rows_is_nothing() -> None:
    """A command without options has no empty table."""
    assert table(("option", "meaning"), []) == ""


def test_pages_hold_what_people_look_for() -> None:
    """One thing of each kind is on its page: a setting, an option, a metric with its labels, an event, an operation."""
    found = pages()
    assert "| `lockout_margin` | whole number | `1` |" in found["settings-agent.md"]
    assert "| `public_url` | text | **required** |" in found["settings-relay.md"]
    assert "## isthmus relay audit list" in found["commands.md"]
    assert "| `--token` `TEXT` | Token from `isthmus relay token`. (environment: `ISTHMUS_TOKEN`) |" in found["commands.md"]
    assert "| `isthmus_signin_total` | counter | `kind`, `outcome` |" in found["metrics.md"]
    assert "| `isthmus_controller_up` | gauge | `directory`, `controller` |" in found["metrics.md"]
    assert "| `agent.enrolled` |" in found["audit-events.md"]
    assert "## POST /api/v1/authenticate" in found["http-api.md"]


# -- links


def test_broken_link_is_found(tmp_path: Path) -> None:
    """A link to a file that is not there is named with its file and line, wherever it stands."""
    docs = written(tmp_path, readme="# A\n\n[b](docs/b.md) [c](docs/c.md)", b='[r][x]\n\n[x]: ../no.md\n<img src="no.svg">')
    assert problems(docs) == [
        "README.md:3 docs/c.md: no such file",
        "b.md:3 ../no.md: no such file",
        "b.md:4 no.svg: no such file",
    ]


def test_broken_anchor_is_found(tmp_path: Path) -> None:
    """A link to a heading that its page does not have is named, in the same page and in another."""
    docs = written(tmp_path, a="# One\n[good](#one) [bad](#two)", b="[good](a.md#one) [bad](a.md#three)")
    assert problems(docs) == ["a.md:2 #two: a.md has no heading for it", "b.md:1 a.md#three: a.md has no heading for it"]


def test_link_out_of_the_repository_is_broken(tmp_path: Path) -> None:
    """What lies beside the repository is not there for others, even where it is here."""
    (tmp_path / "secret.md").write_text("# Secret")
    inside = tmp_path / "repository"
    inside.mkdir()
    assert problems(written(inside, a="[out](../../secret.md)")) == ["a.md:1 ../../secret.md: leads out of the repository"]


def test_folders_titles_and_escapes_are_links_too(tmp_path: Path) -> None:
    """A folder may be linked to; a link may have a title, angle brackets or escaped blanks."""
    docs = written(tmp_path, a='[f](../docs/) [t](a.md "Title") [b](<a.md>) [e](with%20blank.md)')
    (docs / "with blank.md").write_text("")
    assert problems(docs) == []


def test_examples_and_other_hosts_are_not_checked() -> None:
    """Code, comments and addresses elsewhere are no links to this repository."""
    text = (
        "```\n[a](a.md)\n```\n`[b](b.md)` <!-- [c](c.md) --> [d](https://example.com) [e](mailto:e@example.com)\n[f](f.md)"
    )
    assert list(links_of(text)) == [(5, "f.md")]


def test_lonely_backtick_hides_no_link() -> None:
    """A backtick without a partner in its paragraph does not swallow the links up to the next one."""
    assert list(links_of("a ` b\n\n[c](c.md) ` d")) == [(3, "c.md")]


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("What it is", "what-it-is"),
        ("`[[directories]]`", "directories"),
        ("POST /api/v1/authenticate", "post-apiv1authenticate"),
        ("`service_user`, and why", "service_user-and-why"),
        ("A [link](there.md) in it", "a-link-in-it"),
        ("Größe & Übersicht", "größe--übersicht"),
    ],
)
def test_anchor_of_a_heading(heading: str, anchor: str) -> None:
    """Headings are named as GitHub names them."""
    assert slug(heading) == anchor


def test_repeated_headings_are_numbered() -> None:
    """The second heading of the same text gets a number; ids count, headings inside code do not."""
    text = '# One\n## One\n```\n# Two\n```\n<a id="three"></a>\n'
    assert anchors_of(text) == {"one", "one-1", "three"}


# -- what is named in backticks


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a package, a test and a folder of documents for developers."""
    files = {
        "certs/__init__.py": 'from certs.policy import KeyPolicy\n_LATER = {"Pfx": "certs.pfx"}\n',
        "certs/policy.py": "class KeyPolicy: ...\nLIFETIME = 1.0\n",
        "certs/acme/client.py": "",
        "certs/event.py": 'log.info("certs.renewed")\n',
        "tests/certs/test_policy.py": "def test_it() -> None: ...\nclass TestMore:\n    async def test_that(self): ...\n",
        "build/old.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "docs" / "developers").mkdir(parents=True)
    return tmp_path


def stale_in(repository: Path, text: str, place: str = "developers/page.md") -> list[str]:
    (repository / "docs" / place).write_text(text, encoding="utf-8")
    return [
        f"{found.line} {found.target}: {found.problem}"
        for found in stale_mentions(documents(repository / "docs"), root=repository)
    ]


@pytest.mark.parametrize(
    "mention",
    [
        "certs/policy.py",
        "certs/",
        "policy.py",
        "certs/pol*",
        "acme/client.py",
        "tests/certs/test_policy.py::test_it",
        "tests/certs/test_policy.py::test_it[7-a::b]",
        "tests/certs/test_policy.py::TestMore::test_that",
        "python -m pytest tests/certs/test_policy.py",
        "certs.policy",
        "certs.policy.LIFETIME",
        "certs.KeyPolicy",
        "certs.renewed",
        "state_dir/keys",
        "/etc/certs/ca.pem",
        "agent.connected",
    ],
)
def test_what_is_there_may_be_named(repository: Path, mention: str) -> None:
    """Files and folders, tests with class and parameters, modules and what they define; log events, and files of others."""
    assert stale_in(repository, f"See `{mention}`.") == []


@pytest.mark.parametrize(
    ("mention", "problem"),
    [
        ("certs/rules.py", "no such file"),
        ("certs/rules/", "no such file"),
        ("rules.py", "no such file"),
        ("old.py", "no such file"),
        ("acme/server.py", "no such file"),
        ("certs/rul*", "no such file"),
        ("tests/certs/test_rules.py::test_it", "tests/certs/test_rules.py: no such file"),
        ("tests/certs/test_policy.py::test_other", "no such test in tests/certs/test_policy.py"),
        ("certs.rules", "certs has no rules"),
        ("certs.policy.Rules", "certs.policy has no Rules"),
    ],
)
def test_what_moved_is_found(repository: Path, mention: str, problem: str) -> None:
    """It is named with its line and what is wrong with it."""
    assert stale_in(repository, f"# A\n\nSee `{mention}`.") == [f"3 {mention}: {problem}"]


def test_a_test_without_its_file_is_in_the_one_named_last(repository: Path) -> None:
    """As tables of tests have it."""
    text = "`tests/certs/test_policy.py::test_it`, `::test_that`,\n`::test_other`"
    assert stale_in(repository, text) == ["2 ::test_other: no such test in tests/certs/test_policy.py"]


def test_files_in_examples_are_checked_too(repository: Path) -> None:
    """In a block of code whatever has a slash; what stands in a comment is none."""
    text = "```\nmodule.name certs.rules\ncp certs/rules.py /etc\n```\n<!-- `certs/rules.py` -->\n\n`certs/rules.py`"
    assert stale_in(repository, text) == ["3 certs/rules.py: no such file", "7 certs/rules.py: no such file"]


def test_dotted_names_are_events_to_operators(repository: Path) -> None:
    """What operators read names no modules, but log events and metrics; files are checked there as well."""
    assert stale_in(repository, "`certs.rules`, `certs/rules.py`", "agents.md") == ["1 certs/rules.py: no such file"]


# -- the command


def test_command_writes_then_finds_nothing_to_do(tmp_path: Path) -> None:
    """The first run writes every page, a check afterwards is content."""
    docs = written(tmp_path)
    first = CliRunner().invoke(main, [str(docs)])
    assert (first.exit_code, first.output.count("written")) == (0, len(pages()))
    assert CliRunner().invoke(main, [str(docs), "--check"]).exit_code == 0


def test_check_writes_nothing_and_fails_on_a_stale_page(tmp_path: Path) -> None:
    """A page that somebody edited by hand is named and left as it is."""
    docs = written(tmp_path)
    write(docs / "reference", pages())
    edited = docs / "reference" / "metrics.md"
    edited.write_text("# Mine")
    result = CliRunner().invoke(main, [str(docs), "--check"])
    assert result.exit_code == 1
    assert "metrics.md: not what the code says; run `make docs`" in result.output
    assert edited.read_text() == "# Mine"


def test_command_fails_on_a_broken_link(tmp_path: Path) -> None:
    """Exit code 1, and the link with its file and line."""
    docs = written(tmp_path, a="\n[gone](gone.md)")
    result = CliRunner().invoke(main, [str(docs)])
    assert result.exit_code == 1
    assert "a.md:2: gone.md: no such file" in result.output


def test_command_fails_on_a_stale_mention(repository: Path) -> None:
    """Exit code 1, and what is not there any more with its file and line."""
    stale_in(repository, "\n`certs/rules.py`")
    result = CliRunner().invoke(main, [str(repository / "docs")])
    assert result.exit_code == 1
    assert "page.md:2: certs/rules.py: no such file" in result.output
