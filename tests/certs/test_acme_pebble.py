"""Certificates from a real ACME server: Debian's pebble, which looks for every proof and refuses nonces on purpose."""

from __future__ import annotations

import asyncio
import dataclasses
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import PolicyBuilder, Store

from certs.acme import (
    AcmeError,
    AcmeRefused,
    AcmeSettings,
    AcmeTimedOut,
    AcmeUnreachable,
    ChallengeFailed,
    HookFailed,
    obtain,
)
from tests.adfs.throwaway_pebble import EAB_HMAC, EAB_KEY_ID, ThrowawayPebble

pytestmark = pytest.mark.pebble
NAMES = ["fs.example.com", "certauth.fs.example.com", "enterpriseregistration.example.com"]


@pytest.fixture(scope="module")
def pebble() -> Iterator[ThrowawayPebble]:
    """With two roots, so that there is a chain to prefer."""
    with ThrowawayPebble(environment={"PEBBLE_ALTERNATE_ROOTS": "1", "PEBBLE_CHAIN_LENGTH": "2"}) as running:
        yield running


@pytest.fixture
def settings(pebble: ThrowawayPebble) -> AcmeSettings:
    """For dns-01."""
    return AcmeSettings(
        directory=pebble.directory,
        tls_ca_file=pebble.ca_file,
        contact=("admin@example.com", "second@example.com"),
        agree_terms=True,
        hook=pebble.hook,
        hook_timeout=20.0,
        timeout=60.0,
    )


@pytest.fixture
def http(settings: AcmeSettings, pebble: ThrowawayPebble) -> AcmeSettings:
    """For http-01."""
    return dataclasses.replace(settings, challenge="http-01", hook=None, http_address=f"127.0.0.1:{pebble.http_port}")


def check(key: bytes, chain: bytes, roots: list[bytes], names: list[str]) -> list[x509.Certificate]:
    """The chain holds up to one of the roots, for each name, and the key is the leaf's."""
    found = x509.load_pem_x509_certificates(chain)
    store = Store([x509.load_pem_x509_certificate(each) for each in roots])
    for name in names:
        subject = x509.DNSName(name.replace("*", "any"))
        PolicyBuilder().store(store).build_server_verifier(subject).verify(found[0], found[1:])
    private = serialization.load_pem_private_key(key, None)
    assert private.public_key() == found[0].public_key()
    return found


async def test_http_01_proves_every_name_with_our_own_server(
    http: AcmeSettings, pebble: ThrowawayPebble, tmp_path: Path
) -> None:
    """The chain leads to the server's root; nothing listens any more afterwards."""
    key, chain = await obtain(NAMES, http, tmp_path)
    check(key, chain, pebble.roots(), NAMES)
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", pebble.http_port)


async def test_dns_01_sets_and_removes_a_record_for_each_name(
    settings: AcmeSettings, pebble: ThrowawayPebble, tmp_path: Path
) -> None:
    """A wildcard and its parent share a record name with two values; all are set before the first is looked for."""
    before = len(pebble.hook_calls)
    key, chain = await obtain(["*.Example.com", "example.com", "example.com."], settings, tmp_path)
    check(key, chain, pebble.roots(), ["*.example.com", "example.com"])
    calls = pebble.hook_calls[before:]
    assert [call[0] for call in calls] == ["present", "present", "cleanup", "cleanup"]
    assert {call[1] for call in calls} == {"example.com"}
    assert {call[2] for call in calls} == {"_acme-challenge.example.com"}
    assert len({call[3] for call in calls}) == 2


async def test_the_account_is_made_once_and_kept_privately(http: AcmeSettings, tmp_path: Path) -> None:
    """The second certificate is the same account's, with another key."""
    first, _ = await obtain(NAMES[:1], http, tmp_path)
    (kept,) = (tmp_path / "acme").iterdir()
    before = kept.read_bytes()
    second, _ = await obtain(NAMES[:1], http, tmp_path)
    assert kept.read_bytes() == before
    assert first != second
    assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(kept.parent.stat().st_mode)) == (0o600, 0o700)


async def test_the_preferred_chain_is_taken_and_a_missing_one_is_an_error(
    http: AcmeSettings, pebble: ThrowawayPebble, tmp_path: Path
) -> None:
    """The error lists what there is."""
    issuers = []
    for root in pebble.roots():
        subject = x509.load_pem_x509_certificate(root).subject
        issuers.append(str(subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value))
    for root, issuer in zip(pebble.roots(), issuers, strict=True):
        key, chain = await obtain(NAMES[:1], dataclasses.replace(http, preferred_chain=issuer), tmp_path)
        check(key, chain, [root], NAMES[:1])
    with pytest.raises(AcmeError, match="no chain ends at 'Nobody'") as refused:
        await obtain(NAMES[:1], dataclasses.replace(http, preferred_chain="Nobody"), tmp_path)
    assert all(issuer in str(refused.value) for issuer in issuers)


async def test_external_account_binding(tmp_path: Path) -> None:
    """Without it the error says what to set; with it a certificate comes; with a wrong key the server refuses."""
    hmac, wrong = tmp_path / "hmac", tmp_path / "wrong"
    for path, text in ((hmac, EAB_HMAC + "\n"), (wrong, EAB_HMAC[::-1])):
        path.write_text(text)
        path.chmod(0o600)
    with ThrowawayPebble(eab=True) as bound:
        settings = AcmeSettings(
            directory=bound.directory,
            tls_ca_file=bound.ca_file,
            agree_terms=True,
            challenge="http-01",
            http_address=f"127.0.0.1:{bound.http_port}",
        )
        with pytest.raises(AcmeError, match="set eab_key_id and eab_hmac_file"):
            await obtain(NAMES[:1], settings, tmp_path)
        with pytest.raises(AcmeRefused) as refused:
            await obtain(NAMES[:1], dataclasses.replace(settings, eab_key_id=EAB_KEY_ID, eab_hmac_file=wrong), tmp_path)
        assert EAB_HMAC[::-1] not in str(refused.value)
        settings = dataclasses.replace(settings, eab_key_id=EAB_KEY_ID, eab_hmac_file=hmac)
        assert (await obtain(NAMES[:1], settings, tmp_path))[1].startswith(b"-----BEGIN CERTIFICATE")


async def test_a_proof_that_is_not_there_is_named(settings: AcmeSettings, tmp_path: Path) -> None:
    """A hook that sets nothing: the server's own words, and the name."""
    lazy = dataclasses.replace(settings, hook=Path("/bin/true"))
    with pytest.raises(ChallengeFailed, match=r"^fs\.example\.com could not be proven to https.*TXT") as failed:
        await obtain(NAMES[:1], lazy, tmp_path)
    assert failed.value.domain == "fs.example.com"


@pytest.mark.parametrize(
    ("script", "limit", "said"),
    [
        ("echo no such zone >&2; exit 3", 20.0, "present returned 3 with this output: no such zone"),
        ("exit 1", 20.0, "present returned 1 without any output"),
        ("sleep 600 & wait", 0.3, "present did not return within 0 s"),
    ],
)
async def test_a_hook_that_fails_says_why(
    settings: AcmeSettings, tmp_path: Path, script: str, limit: float, said: str
) -> None:
    """Its output, or its time; what it started is gone as well; the record is removed again."""
    hook, log = tmp_path / "hook", tmp_path / "calls"
    hook.write_text(f"#!/bin/sh\necho $1 >>{log}\n[ $1 = cleanup ] && exit 0\n{script}\n")
    hook.chmod(0o700)
    with pytest.raises(HookFailed, match=said):
        await obtain(NAMES[:1], dataclasses.replace(settings, hook=hook, hook_timeout=limit), tmp_path)
    assert log.read_text().split() == ["present", "cleanup"]


async def test_a_clean_up_that_fails_does_not_cost_the_certificate(
    settings: AcmeSettings, pebble: ThrowawayPebble, tmp_path: Path
) -> None:
    """A record too many harms nobody."""
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\n[ $1 = cleanup ] && exit 1\nexec {pebble.hook} "$@"\n')
    hook.chmod(0o700)
    key, chain = await obtain(NAMES[:1], dataclasses.replace(settings, hook=hook), tmp_path)
    check(key, chain, pebble.roots(), NAMES[:1])


async def test_the_whole_is_bounded(settings: AcmeSettings, tmp_path: Path) -> None:
    """A hook that takes longer than everything may."""
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\n[ $1 = cleanup ] || sleep 600\n")
    hook.chmod(0o700)
    with pytest.raises(AcmeTimedOut, match="raise `timeout`"):
        await obtain(NAMES[:1], dataclasses.replace(settings, hook=hook, timeout=1.0), tmp_path)


async def test_an_untrusted_server_is_not_used(http: AcmeSettings, tmp_path: Path) -> None:
    """Its certificate is checked against the CA file, or the system's."""
    with pytest.raises(AcmeUnreachable, match="certificate verify failed"):
        await obtain(NAMES[:1], dataclasses.replace(http, tls_ca_file=None), tmp_path)


async def test_terms_are_agreed_to_by_a_person(http: AcmeSettings, tmp_path: Path) -> None:
    """The error gives their address."""
    with pytest.raises(AcmeError, match=r"terms of service \(data:.*agree_terms = true"):
        await obtain(NAMES[:1], dataclasses.replace(http, agree_terms=False), tmp_path)


async def test_a_taken_address_is_named(http: AcmeSettings, pebble: ThrowawayPebble, tmp_path: Path) -> None:
    """Where another web server answers on port 80."""
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", pebble.http_port)
    async with server:
        with pytest.raises(ChallengeFailed, match=r"http_address 127.*cannot be used for listening"):
            await obtain(NAMES[:1], http, tmp_path)
