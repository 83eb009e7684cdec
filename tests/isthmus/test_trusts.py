"""`isthmus relay trust`, where no relay runs: from adding an application to removing it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.foundation.saml.test_party_metadata import FULL
from tests.isthmus.conftest import Run


class Commands:
    """`isthmus relay trust …` on one relay."""

    def __init__(self, run: Run, config: Path) -> None:
        self._run, self._config = run, config

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        return self._run("relay", "trust", *map(str, arguments), "--config", str(self._config))

    def json(self, *arguments: object) -> Any:
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def trust(run: Run, ready: Path) -> Commands:
    return Commands(run, ready)


GRAFANA = ("add", "--preset", "grafana", "--set", "host=grafana.example.com", "--yes")


def test_a_preset_is_added_and_says_what_to_paste(trust: Commands) -> None:
    """With the secret, which is kept as its digest only."""
    code, out, err = trust(*GRAFANA)
    assert code == 0
    assert err.endswith("\ngrafana is added. Enter this in the application; the secret is not shown again:\n\n")
    secret = next(line.partition(" = ")[2] for line in out.splitlines() if line.startswith("client_secret"))
    assert "auth_url = https://signin.test/oidc/authorize" in out
    shown = trust.json("show", "grafana")
    assert (shown["state"], shown["version"], shown["origin"]) == ("live", 1, "command")
    assert hashlib.sha256(secret.encode()).hexdigest() in shown["document"]
    assert secret not in shown["document"]
    assert "grafana" in trust("list")[1]
    code, _, err = trust(*GRAFANA)
    assert (code, "there is a trust 'grafana' already" in err) == (1, True)


def test_what_a_preset_lacks_is_told(trust: Commands) -> None:
    """With an example; and what does not go together is a matter of usage."""
    code, _, err = trust("add", "--preset", "grafana", "--yes")
    assert (code, "--set host=…  Host of Grafana, such as grafana.example.com" in err) == (1, True)
    for wrong in (
        ("wiki",),
        ("--redirect-uri", "https://a.example"),
        (*GRAFANA[1:3], "--entity-id", "x"),
        ("w", "--set", "a"),
    ):
        assert trust("add", *wrong)[0] == 2


def test_a_client_and_a_party_by_options(trust: Commands) -> None:
    """What has to be entered over there is printed."""
    added = trust.json("add", "wiki", "--redirect-uri", "https://wiki.example.com/cb", "--name", "Wiki", "--yes")
    assert added["secret"].startswith("isc_")
    assert "issuer = https://signin.test" in added["paste"]
    public = trust.json("add", "spa", "--redirect-uri", "https://spa.example.com/cb", "--public", "--yes")
    assert (public["secret"], "client_secret" in public["paste"]) == (None, False)
    acs = ("--acs", "https://crm.example.com/acs", "--acs", "https://crm.example.com/acs2")
    party = trust.json("add", "crm", "--entity-id", "https://crm.example.com", *acs, "--yes")
    assert "sign-in URL (redirect, POST) = https://signin.test/saml/sso" in party["paste"]
    assert [(view["id"], view["protocol"]) for view in trust.json("list")] == [
        ("crm", "saml"),
        ("spa", "oidc"),
        ("wiki", "oidc"),
    ]
    code, _, err = trust("add", "evil", "--redirect-uri", "http://evil.example/cb", "--yes")
    assert (code, "evil cannot be added:\n  oidc.redirect_uris[0]: 'http://evil.example/cb' is not encrypted" in err) == (
        1,
        True,
    )
    _, _, err = trust("add", "erp", "--entity-id", "https://erp.example.com", *acs, "--yes")
    assert err.endswith("\nerp is added. Enter this in the application:\n\n")


def test_nothing_is_done_unasked(trust: Commands) -> None:
    """Nobody is at a terminal here: only --yes will do."""
    for act in (GRAFANA[:-1], ("remove", "grafana")):
        code, _, err = trust(*act)
        assert (code, "nothing was changed" in err) == (1, True) if act[0] == "add" else code == 1
    assert "grafana is new" in trust(*GRAFANA[:-1])[1]
    assert trust.json("list") == []


def test_exported_edited_imported(trust: Commands, tmp_path: Path) -> None:
    """The plan first; a mistake in one file changes nothing of the others."""
    trust(*GRAFANA)
    file = tmp_path / "grafana.toml"
    assert trust("export", "grafana", "--output", file)[0] == 0
    assert trust.json("import", file)[0]["action"] == "none"
    assert "Nothing to change." in trust("import", file, "--yes")[1]
    file.write_text(file.read_text().replace('name = "Grafana"', 'name = "Dashboards"'))
    (plan,) = trust.json("import", file)
    assert (plan["action"], plan["version"], plan["changed"]) == ("change", 2, ["name"])
    bad = tmp_path / "bad.toml"
    bad.write_text('id = "bad"\nnam = "x"\n')
    code, _, err = trust("import", file, bad, "--yes")
    assert (code, f"{bad} cannot be used" in err, "nam (line 2)" in err) == (1, True, True)
    assert trust.json("show", "grafana")["version"] == 1
    assert plan["difference"] == '- name = "Grafana"\n+ name = "Dashboards"'
    code, out, _ = trust("import", file, "--yes")
    assert '\n  - name = "Grafana"\n  + name = "Dashboards"\n' in out
    assert (code, "grafana changes (name)" in out, "grafana: version 2 is in force." in out) == (0, True, True)
    copy = tmp_path / "copy.toml"
    copy.write_text(file.read_text())
    code, _, err = trust("import", file, copy, "--yes")
    assert (code, "two of the files are of the same trust" in err) == (1, True)
    assert trust("import", tmp_path / "none.toml")[0] == 1


def test_all_are_exported_into_a_folder(trust: Commands, tmp_path: Path) -> None:
    """Each is a file that can be imported; nothing is overwritten, and then nothing is written."""
    trust(*GRAFANA)
    trust("add", "wiki", "--redirect-uri", "https://wiki.example.com/cb", "--yes")
    folder = tmp_path / "trusts"
    assert "2 trusts" in trust("export", "--all", "--output", folder)[1]
    files = sorted(folder.iterdir())
    assert [(file.name, file.stat().st_mode & 0o777) for file in files] == [("grafana.toml", 0o600), ("wiki.toml", 0o600)]
    assert [plan["action"] for plan in trust.json("import", *files)] == ["none", "none"]
    assert [told["document"] for told in trust.json("export", "--all")] == [file.read_text() for file in files]
    files[0].unlink()
    code, _, err = trust("export", "--all", "--output", folder)
    assert (code, "wiki.toml exists already" in err, files[0].exists()) == (1, True, False)
    assert [trust("export", *given)[0] for given in ((), ("--all",), ("wiki", "--all"))] == [2, 2, 2]


def test_two_secrets_are_valid_at_a_time(trust: Commands) -> None:
    """A third has to wait until one is removed; the last one stays."""
    trust(*GRAFANA)
    first = trust.json("show", "grafana")["document"].partition('digest = "')[2][:64]
    second = trust.json("secret", "add", "grafana")
    assert second["secret"] not in trust.json("show", "grafana")["document"]
    code, _, err = trust("secret", "add", "grafana")
    assert (code, "grafana has 2 secrets already; remove one first:" in err) == (1, True)
    assert all(
        f"isthmus relay trust secret remove grafana {digest[:8]}   # of 2" in err for digest in (first, second["digest"])
    )
    assert trust("secret", "remove", "grafana", first[:8])[0] == 0
    assert first not in trust.json("show", "grafana")["document"]
    assert "the one before" in trust("secret", "add", "grafana")[2]
    for wrong, found in (("", "2 secrets of grafana"), (first, "no secrets of grafana")):
        code, _, err = trust("secret", "remove", "grafana", wrong)
        assert (code, found in err, f"remove grafana {second['digest'][:8]}" in err) == (1, True, True)
    trust("add", "crm", "--entity-id", "https://crm.example.com", "--acs", "https://crm.example.com/acs", "--yes")
    assert "crm uses SAML, which has no client secrets" in trust("secret", "add", "crm")[2]
    trust("add", "spa", "--redirect-uri", "https://spa.example.com/cb", "--public", "--yes")
    assert "spa has no secret: its `oidc.authentication` is none" in trust("secret", "add", "spa")[2]


def test_a_secret_for_a_file(run: Run) -> None:
    """Nothing is stored, and no relay is needed."""
    made = json.loads(run("relay", "trust", "secret", "make", "--json")[1])
    assert hashlib.sha256(made["secret"].encode()).hexdigest() == made["digest"]
    assert "[[oidc.secrets]]" in run("relay", "trust", "secret", "make")[1]


def test_test_users_and_disabling(trust: Commands) -> None:
    """Each is a version of its own."""
    trust(*GRAFANA)
    assert "Only ada@corp.example.com can sign in" in trust("test-users", "grafana", "ada@corp.example.com")[1]
    assert trust.json("show", "grafana")["state"] == "test users only"
    assert trust("test-users", "grafana")[0] == 2
    trust(
        "add", "wiki", "--redirect-uri", "https://wiki.example.com/cb", "--test-user", "ada", "--test-user", "ben", "--yes"
    )
    assert 'test_users = ["ada", "ben"]' in trust("show", "wiki")[1]
    assert "grafana is live" in trust("test-users", "grafana", "--live")[1]
    assert "disabled" in trust("disable", "grafana")[1]
    assert trust.json("show", "grafana")["state"] == "disabled"
    assert "enabled" in trust("enable", "grafana")[1]
    shown = trust("show", "grafana")[1]
    assert ("grafana: live" in shown, "from a command\n\nid = " in shown, "version 5" in shown) == (True, True, True)


def test_a_removed_trust_is_gone(trust: Commands) -> None:
    """Its last document is in the answer."""
    trust(*GRAFANA)
    assert 'name = "Grafana"' in trust.json("remove", "grafana", "--yes")["document"]
    assert trust.json("list") == []
    code, _, err = trust("show", "grafana")
    assert (code, "`isthmus relay trust list` lists them" in err) == (1, True)


def test_a_trust_from_metadata(trust: Commands, tmp_path: Path) -> None:
    """A file becomes a new trust, then the next version of it; what is wrong is told, and changes nothing."""
    file = tmp_path / "grafana.xml"
    file.write_text(FULL)
    code, _, err = trust("import", "--metadata", file, "--yes")
    assert (code, "give the new trust's id with --id" in err) == (1, True)
    planned = trust.json("import", "--metadata", file, "--id", "grafana")
    assert planned["plan"]["action"] == "add"
    assert trust.json("list") == []
    code, out, err = trust("import", "--metadata", file, "--id", "grafana", "--yes")
    assert (code, "grafana: version 1 is in force" in out + err) == (0, True)
    code, out, _ = trust("import", "--metadata", file)
    assert (code, "Nothing to change" in out, "Not taken:" in out) == (0, True, True)
    file.write_text(FULL.replace("/saml/acs", "/saml/acs2"))
    changed = trust.json("import", "--metadata", file, "--yes")
    assert (changed["plan"]["version"], changed["plan"]["changed"]) == (2, ["saml.consumers"])
    for arguments, words in (
        (("--metadata", tmp_path / "gone.xml"), "gone.xml"),
        (("--metadata", "http://grafana.example.com/m"), "not an https"),
        (("--metadata", "https://127.0.0.1:9/m"), "application_networks"),
        (("--metadata", file, "--id", "other"), "is that of the trust 'grafana'"),
        (("--metadata", file, "--signer", "0" * 64), "not signed"),
    ):
        code, _, err = trust("import", *arguments, "--yes")
        assert (code, words in err) == (1, True), err
    assert trust("import", file, "--metadata", file)[0] == trust("import")[0] == trust("import", file, "--id", "x")[0] == 2


def test_nothing_hidden_comes_from_metadata_to_the_terminal(trust: Commands, tmp_path: Path) -> None:
    """Neither from the document nor, later, from the trust; and no file is named after what a stranger wrote."""
    file = tmp_path / "grafana.xml"
    file.write_text(FULL.replace(">Grafana<", ">\u202eGra\x9b/../fana\u2069<"))
    shown = [trust("import", "--metadata", file, "--id", "grafana", "--yes"), trust("list"), trust("show", "grafana")]
    shown.append(trust("export", "grafana"))
    assert [code for code, _, _ in shown] == [0, 0, 0, 0]
    text = "".join(out + err for _, out, err in shown)
    assert "name, which users see: Gra/../fana" in text
    assert "of the display name: U+009B, U+202E, U+2069" in text
    assert not {"\u202e", "\u2069", "\x9b"} & set(text)
    file.write_text(FULL.replace("/saml/metadata", "/saml/metadata\u202e&#10;grafana: version 9 is in force."))
    code, out, err = trust("import", "--metadata", file)
    assert (code, "cannot be seen" in err, "\u202e" in err) == (1, True, False)
    assert "\ngrafana: version 9" not in out + err
    code, _, err = trust("import", "--metadata", file, "--id", "../\u202egrafana")
    assert (code, "\u202e" in err) == (1, False)
