"""The HTTPS certificate from an ACME server: when one is asked for, where it goes, what is said where none comes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs.acme import AcmeRefused, AcmeSettings
from gateway.certificate import tls_context
from gateway.housekeeping import Housekeeping
from gateway.issuance import LOOK_EVERY, HttpsRenewal, issuance_due, issue
from gateway.settings import ServerSettings, check_settings

NOW = 1_800_000_000.0
LIFE = 90 * 86400.0
DAY = 86400.0


def pair(host: str = "signin.test", start: float = NOW) -> tuple[bytes, bytes]:
    """A key and a certificate of 90 days, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime.fromtimestamp(start, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(start + LIFE, dt.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    lock = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    return pem, certificate.public_bytes(serialization.Encoding.PEM)


class FakeAcme:
    """Issues at `now`, or refuses. asked: names of each order."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.now, self.refuses = NOW, False

    async def __call__(self, names: Sequence[str], settings: AcmeSettings, state_dir: Path) -> tuple[bytes, bytes]:
        self.asked.append(list(names))
        if self.refuses:
            raise AcmeRefused(settings.directory, "too many certificates", "rateLimited")
        return pair(names[0], self.now)


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(
        state_dir=tmp_path,
        public_url="https://signin.test:8443",
        tls_certificate=tmp_path / "https" / "certificate.pem",
        tls_key=tmp_path / "https" / "key.pem",
        tls_by_acme=True,
        acme=AcmeSettings(challenge="http-01"),
    )


@pytest.fixture
def acme() -> FakeAcme:
    return FakeAcme()


async def test_the_first_one_can_be_served(settings: ServerSettings, acme: FakeAcme) -> None:
    """It is for the host of the public address; the key is the relay's alone."""
    assert issuance_due(settings, NOW)
    assert await issue(settings, acme) == NOW + LIFE
    assert acme.asked == [["signin.test"]]
    assert tls_context(settings) is not None
    assert settings.tls_key is not None
    assert settings.tls_key.stat().st_mode & 0o777 == 0o600
    assert settings.tls_key.parent.stat().st_mode & 0o777 == 0o700


async def test_when_the_next_one_is_due(settings: ServerSettings, acme: FakeAcme) -> None:
    """At two thirds of its life, a little earlier or later; or at once where it is another name's, or cannot be served."""
    await issue(settings, acme)
    assert not issuance_due(settings, NOW + 0.55 * LIFE)
    assert issuance_due(settings, NOW + 0.8 * LIFE)
    assert settings.tls_key is not None
    assert settings.tls_certificate is not None
    settings.tls_certificate.write_bytes(pair("other.test")[1])
    assert issuance_due(settings, NOW)
    key, chain = pair("other.test")
    settings.tls_key.write_bytes(key)
    settings.tls_certificate.write_bytes(chain)
    assert issuance_due(settings, NOW)
    key, chain = pair("signin.test")
    settings.tls_key.write_bytes(key)
    settings.tls_certificate.write_bytes(chain)
    assert not issuance_due(settings, NOW)


async def test_killed_between_key_and_certificate_it_is_asked_for_again(settings: ServerSettings, acme: FakeAcme) -> None:
    """The two do not fit each other then."""
    await issue(settings, acme)
    assert settings.tls_key is not None
    settings.tls_key.write_bytes(pair()[0])
    assert issuance_due(settings, NOW)


async def test_a_running_relay_renews_it(settings: ServerSettings, acme: FakeAcme) -> None:
    """Once, when it is due."""
    await issue(settings, acme)
    alarms: list[str] = []
    clock = [NOW]
    renewal = HttpsRenewal(settings, lambda event, _: alarms.append(event), lambda: clock[0], acme)
    await renewal.look()
    assert len(acme.asked) == 1
    clock[0] = acme.now = NOW + 0.8 * LIFE
    await renewal.look()
    await renewal.look()
    assert len(acme.asked) == 2
    assert alarms == []


async def test_a_renewal_that_fails_is_an_alarm_once_a_day(settings: ServerSettings, acme: FakeAcme) -> None:
    """It is tried again at each look, and what is served is not touched."""
    await issue(settings, acme)
    assert settings.tls_certificate is not None
    before = settings.tls_certificate.read_bytes()
    acme.refuses = True
    alarms: list[tuple[str, dict[str, str]]] = []
    clock = [NOW + 0.8 * LIFE]
    renewal = HttpsRenewal(settings, lambda event, fields: alarms.append((event, fields)), lambda: clock[0], acme)
    for _ in range(24):
        await renewal.look()
        clock[0] += LOOK_EVERY
    assert [event for event, _ in alarms] == ["https_certificate.not_renewed"]
    assert "too many certificates" in alarms[0][1]["problem"]
    assert len(acme.asked) == 25
    await renewal.look()
    assert len(alarms) == 2
    assert settings.tls_certificate.read_bytes() == before


async def test_an_error_that_nobody_has_thought_of_does_not_end_the_renewal(
    settings: ServerSettings, acme: FakeAcme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop ended with the first one, without an alarm, and the certificate with it in time."""
    alarms: list[str] = []
    renewal = HttpsRenewal(settings, lambda event, _: alarms.append(event), lambda: NOW, acme)
    monkeypatch.setattr("gateway.issuance.x509.load_pem_x509_certificates", lambda _chain: [])
    await renewal.look()
    await renewal.look()
    assert alarms == ["https_certificate.not_renewed"]


async def test_it_looks_at_its_own_pace(settings: ServerSettings, acme: FakeAcme) -> None:
    """An order may take minutes: no other job of the minute's round waits for it."""
    await issue(settings, acme)
    waited: list[float] = []

    class Enough(Exception):
        pass

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            raise Enough

    housekeeping = Housekeeping(sleep)
    renewal = HttpsRenewal(settings, lambda *_: None, lambda: NOW, acme)
    renewal.add_jobs(housekeeping, sleep)
    with pytest.raises(Enough):
        await renewal.run(sleep)
    assert waited == [LOOK_EVERY] * 3
    assert "https-renewal" in [name for name, _ in housekeeping._loops]
    off = Housekeeping(sleep)
    HttpsRenewal(ServerSettings(state_dir=Path("/"), public_url=""), lambda *_: None, lambda: NOW).add_jobs(off, sleep)
    assert "https-renewal" not in [name for name, _ in off._loops]


@pytest.mark.parametrize(
    ("listen", "challenge", "by_acme", "low"),
    [
        ("0.0.0.0:443", "dns-01", False, True),
        ("0.0.0.0:8443", "http-01", False, False),
        ("0.0.0.0:8443", "http-01", True, True),
        ("0.0.0.0:8443", "dns-01", True, False),
    ],
)
def test_whether_it_needs_a_port_below_1024(listen: str, challenge: str, by_acme: bool, low: bool) -> None:
    """For HTTPS, or for the proof at port 80."""
    settings = ServerSettings(
        state_dir=Path("/"),
        public_url="https://signin.test",
        listen=listen,
        tls_by_acme=by_acme,
        acme=AcmeSettings(challenge="http-01" if challenge == "http-01" else "dns-01"),
    )
    assert settings.low_ports is low


@pytest.mark.parametrize(
    ("acme", "files", "said"),
    [
        (AcmeSettings(challenge="http-01"), False, "tls_by_acme: has no place for the certificate"),
        (AcmeSettings(challenge="dns-01"), True, "acme.hook: is needed for dns-01"),
    ],
)
def test_settings_that_cannot_be_meant(acme: AcmeSettings, files: bool, said: str) -> None:
    """They are refused at start, and by `config check`."""
    settings = ServerSettings(
        state_dir=Path("/"),
        public_url="https://signin.test",
        listen="127.0.0.1:8443",
        tls_certificate=Path("/c") if files else None,
        tls_key=Path("/k") if files else None,
        tls_by_acme=True,
        acme=acme,
    )
    with pytest.raises(Exception, match=said):
        check_settings(settings)
