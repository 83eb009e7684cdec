"""What answers come to on a machine: settings, copies, unit; what is there already is changed no further than need be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isthmus.relay_settings import RelaySettings
from isthmus.relay_setup import Observed, RelayPlan, make_plan
from isthmus.relay_setup.plan import FileCopy
from isthmus.setup import NotEditable
from settings import SettingsFileError, load_settings
from tests.isthmus.relay_setup.test_answers import answered

CONFIG = Path("/etc/isthmus/relay.toml")
CERTIFICATE, KEY = Path("/root/tls/cert.pem"), Path("/root/tls/key.pem")
FILES = {CERTIFICATE: b"certificate", KEY: b"key"}


def planned(changes: dict[str, str] | None = None, **seen: Any) -> RelayPlan:
    observed = {"config": CONFIG, "files": FILES, "systemd": True, "command": "/opt/isthmus/bin/isthmus", **seen}
    return make_plan(answered(changes), Observed(**observed))


def read(plan: RelayPlan) -> Any:
    return load_settings(CONFIG, RelaySettings, plan.settings).server


def test_new_settings_are_explained_and_hold_the_answers() -> None:
    """As `isthmus config example` prints them."""
    plan = planned({"organisation": 'Exa"mple \\ Söhne'})
    server = read(plan)
    assert server.public_url == "https://localhost"
    assert server.listen == "0.0.0.0:443"
    assert server.signin.organisation == 'Exa"mple \\ Söhne'
    assert (server.tls_certificate, server.tls_key) == (CERTIFICATE, KEY)
    assert server.state_dir == Path("/var/lib/isthmus-relay")
    assert b"# Address that users and agents" in plan.settings


def test_what_the_relays_user_cannot_read_is_copied_for_it() -> None:
    """The settings name the copy; a certificate that it can read stays where renewals write it."""
    plan = planned(closed=frozenset({KEY}))
    assert plan.copies == (FileCopy(KEY, Path("/etc/isthmus/relay.key"), b"key", True),)
    assert (read(plan).tls_certificate, read(plan).tls_key) == (CERTIFICATE, Path("/etc/isthmus/relay.key"))
    assert "key" not in repr(plan.copies[0]).replace("relay.key", "").replace("key.pem", "")


def test_behind_a_proxy() -> None:
    """Plain HTTP on loopback, and the proxy's word for who asks."""
    server = read(planned({"certificate": "proxy"}, files={}))
    assert (server.tls_certificate, server.tls_key, server.listen) == (None, None, "127.0.0.1:8443")
    assert server.trusted_proxies == ("127.0.0.1", "::1")


def test_by_an_acme_server() -> None:
    """The relay writes the files itself, in its own directory, and may answer at port 80."""
    acme = {"certificate": "acme", "acme_terms": "yes", "acme_contact": "a@example.com", "listen": "0.0.0.0:8443"}
    plan = planned(acme, files={})
    server = read(plan)
    assert plan.issued == server.tls_certificate == Path("/var/lib/isthmus-relay/https/certificate.pem")
    assert (server.tls_by_acme, server.acme.agree_terms, server.acme.challenge) == (True, True, "http-01")
    assert server.acme.contact == ("a@example.com",)
    assert plan.unit is not None
    assert b"AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in plan.unit
    assert planned(acme, files={}, existing=plan.settings).settings == plan.settings


def test_from_an_acme_server_to_files(pair: tuple[bytes, bytes]) -> None:
    """The relay leaves them alone from then on."""
    mine = planned({"certificate": "acme", "acme_terms": "yes"}, files={}).settings
    plan = planned(existing=mine)
    assert (read(plan).tls_by_acme, read(plan).tls_certificate, plan.issued) == (False, CERTIFICATE, None)


def test_the_unit_is_for_this_machine() -> None:
    """With the right to a low port only where it needs one; none without systemd."""
    low, high = planned(), planned({"listen": "0.0.0.0:8443", "user": "relay", "state_dir": "/srv/relay"})
    assert low.unit is not None
    assert high.unit is not None
    assert b"AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in low.unit
    assert b"AmbientCapabilities=\n" in high.unit
    assert b"User=relay\n" in high.unit
    assert b"ReadWritePaths=/srv/relay\n" in high.unit
    assert planned(systemd=False).unit is None


def test_where_it_is_asked_whether_it_serves() -> None:
    """At the address for monitoring, if there is one."""
    assert planned().health_url == "http://127.0.0.1:9181/healthz"


def test_the_same_answers_change_nothing() -> None:
    """What the administrator added stays, comments included."""
    mine = planned().settings.replace(b"# colour =", b"# ours\ncolour =")
    assert b"# ours\n" in mine
    assert planned(existing=mine).settings == mine


def test_a_setting_that_says_so_by_its_default_is_not_written() -> None:
    """Nothing differs, so nobody has to agree to anything."""
    mine = (
        b'[server]\nstate_dir = "/var/lib/isthmus-relay"\npublic_url = "https://localhost"\nlisten = "0.0.0.0:443"\n'
        b'tls_certificate = "../../root/tls/cert.pem"\ntls_key = "/root/tls/key.pem"\n'
        b'[server.signin]\norganisation = "Example"\n'
    )
    changed = planned(existing=mine).settings
    assert changed.replace(b'"/root/tls/cert.pem"', b'"../../root/tls/cert.pem"') == mine


def test_another_answer_changes_its_line_only() -> None:
    """And a relay that goes behind a proxy loses its certificate."""
    mine = planned().settings
    other = planned({"organisation": "Other"}, existing=mine).settings
    assert other == mine.replace(b'organisation = "Example"', b'organisation = "Other"')
    proxied = planned({"certificate": "proxy"}, existing=mine, files={})
    assert b"\ntls_certificate" not in proxied.settings
    assert read(proxied).listen == "127.0.0.1:8443"


def test_settings_that_cannot_be_used_are_told_before_anything_is_done() -> None:
    """With key and line."""
    with pytest.raises(SettingsFileError, match="threshhold"):
        planned(existing=planned().settings.replace(b"# threshold =", b"threshhold ="))


def test_settings_that_cannot_be_edited_are_left_alone() -> None:
    """The error says what to write."""
    mine = b'server = { state_dir = "/s", public_url = "https://localhost", listen = "127.0.0.1:1" }\n'
    with pytest.raises(NotEditable, match=r"set server\.state_dir"):
        planned(existing=mine)
