"""`isthmus relay renew-certificate`, with a real ACME server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from tests.adfs.throwaway_pebble import ThrowawayPebble
from tests.isthmus.conftest import Run

SETTINGS = """
[server]
state_dir = "state"
public_url = "https://signin.example.com"
tls_certificate = "state/https/certificate.pem"
tls_key = "state/https/key.pem"
tls_by_acme = {by_acme}

[server.acme]
directory = "{directory}"
tls_ca_file = "{ca}"
agree_terms = true
challenge = "http-01"
http_address = "127.0.0.1:{port}"
"""


@pytest.fixture(scope="module")
def pebble() -> Iterator[ThrowawayPebble]:
    with ThrowawayPebble() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "relay.toml"


@pytest.mark.pebble
def test_the_first_certificate_is_issued_and_renewed(run: Run, config: Path, pebble: ThrowawayPebble) -> None:
    """Once; a second time only by force."""
    config.write_text(SETTINGS.format(directory=pebble.directory, ca=pebble.ca_file, port=pebble.http_port, by_acme="true"))
    code, out, err = run("relay", "renew-certificate", "--config", config)
    assert (code, err) == (0, "")
    assert out.startswith("Issued: ")
    path = config.parent / "state" / "https" / "certificate.pem"
    first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["signin.example.com"]
    assert json.loads(run("relay", "renew-certificate", "--config", config, "--json")[1]) == {"renewed": False}
    assert json.loads(run("relay", "renew-certificate", "--config", config, "--force", "--json")[1])["renewed"] is True
    assert x509.load_pem_x509_certificates(path.read_bytes())[0] != first


def test_a_server_that_is_not_there_is_exit_code_3(run: Run, config: Path) -> None:
    """A timer may try again."""
    config.write_text(SETTINGS.format(directory="https://127.0.0.1:1/dir", ca="ca.pem", port=1, by_acme="true"))
    (config.parent / "ca.pem").write_text("")
    code, _, err = run("relay", "renew-certificate", "--config", config)
    assert code == 3
    assert "https://127.0.0.1:1/dir: cannot be reached" in err


def test_without_acme_in_the_settings_it_says_what_to_set(run: Run, config: Path) -> None:
    """Instead of asking a server that nobody chose."""
    config.write_text(SETTINGS.format(directory="https://127.0.0.1:1/dir", ca="ca.pem", port=1, by_acme="false"))
    code, _, err = run("relay", "renew-certificate", "--config", config)
    assert code == 1
    assert "set tls_by_acme" in err
