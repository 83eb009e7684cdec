"""The demo with two applications: what it writes for relay and Apache, and the whole of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.address import PublicAddress
from demo.apache import APACHE, SampleApplications
from demo.federation import trust_files
from demo.throwaway_tls import write_certificates
from gateway.federation.trusts import read_trust
from tests.demo.test_address import free_port


@pytest.fixture
def samples(tmp_path: Path) -> Iterator[SampleApplications]:
    write_certificates(tmp_path, dns_name="localhost", address="127.0.0.1")
    public = PublicAddress("127.0.0.1", "localhost", free_port())
    with SampleApplications(public, "https://127.0.0.1:1", tmp_path, lambda: b"<EntityDescriptor/>") as made:
        yield made


def test_the_relay_reads_both_trusts(samples: SampleApplications) -> None:
    """As files that an administrator imports; addresses are those that Apache serves."""
    files = trust_files(samples, "0" * 64, within=6)
    notes, wiki = (read_trust(text.encode(), Path(f"{name}.toml")) for name, text in files.items())
    assert notes.oidc.redirect_uris == (f"{samples.url}/notes/redirect",)
    assert wiki.saml.consumers[0].url == f"{samples.url}/wiki/mellon/postResponse"
    assert [trust.keys.within for trust in (notes, wiki)] == [6, 6]


@pytest.mark.interop
def test_apache_takes_its_configuration(samples: SampleApplications) -> None:
    """The pages show each claim by a variable, escaped, and the server has what that needs."""
    samples.write("notes", "secret")
    order = [APACHE, "-t", "-f", str(samples.home / "apache.conf")]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (samples.home / "documents" / "notes" / "index.html").read_text()
    assert '<td data-claim="email"><!--#echo var="OIDC_CLAIM_email" --></td>' in page
    assert "$" not in page


@pytest.mark.long
@pytest.mark.samba
@pytest.mark.browser
@pytest.mark.interop
def test_everything_is_as_expected() -> None:
    """Both applications in Chromium, and the keys of both rings replaced meanwhile."""
    done = subprocess.run(
        [sys.executable, "-m", "demo.federation", "--once"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
