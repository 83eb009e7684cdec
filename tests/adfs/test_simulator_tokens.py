"""Token certificates in the simulator: what is refused, and what happens as time passes."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.adfs.simulator.cmdlets.base import nested
from tests.adfs.simulator.simulator import ADMIN, Dropped, Unreachable
from tests.adfs.simulator.values import SecureText
from tests.adfs.simulator_helpers import DAY, NOW, PRIMARY, SECOND, THIRD, WAP, Console

SIGNING, DECRYPTING, SERVICE = "Token-Signing", "Token-Decrypting", "Service-Communications"


@pytest.fixture
def console() -> Console:
    made = Console()
    made.simulator.farm()
    return made


# -- AutoCertificateRollover by hand


def test_changes_by_hand_need_auto_off(console: Console) -> None:
    """Add, Set -IsPrimary and Remove are refused while AutoCertificateRollover is on."""
    made = console.simulator.issue("fs.example.com")
    console.simulator.put(PRIMARY, made)
    for command in ("Add-AdfsCertificate", "Set-AdfsCertificate", "Remove-AdfsCertificate"):
        refusal = console.refused(PRIMARY, command, CertificateType=SIGNING, Thumbprint=made.thumbprint)
        assert "AutoCertificateRollover feature is enabled" in refusal.message


def test_update_needs_auto_on(console: Console) -> None:
    """And the other way round."""
    console.automatic(False)
    assert "not enabled" in console.refused(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING).message


def test_update_makes_a_secondary_once(console: Console) -> None:
    """A second one is PS0139, with the day of its promotion."""
    old = console.primary(SIGNING)
    console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    assert console.primary(SIGNING) == old
    assert len(console.waiting(SIGNING)) == 1
    assert console.waiting(DECRYPTING) == []
    refusal = console.refused(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    assert refusal.error_id == "PS0139,Microsoft.IdentityServer.Management.Commands.UpdateCertificateCommand"
    assert "Wednesday, January 20, 2027" in refusal.message


def test_urgent_leaves_only_the_new_one(console: Console) -> None:
    """A primary at once, and the old one gone."""
    old = console.primary(SIGNING)
    console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING, Urgent=True)
    assert list(console.certificates(SIGNING).values()) == [True]
    assert console.primary(SIGNING) != old


def test_promote_and_remove_by_hand(console: Console) -> None:
    """With auto off: the old primary stays as secondary, until it is removed; the primary cannot be."""
    console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    console.automatic(False)
    old, (new,) = console.primary(SIGNING), console.waiting(SIGNING)
    console.run(PRIMARY, "Set-AdfsCertificate", CertificateType=SIGNING, Thumbprint=new, IsPrimary=True)
    assert console.certificates(SIGNING) == {old: False, new: True}
    assert (
        "cannot be removed"
        in console.refused(PRIMARY, "Remove-AdfsCertificate", CertificateType=SIGNING, Thumbprint=new).message
    )
    console.run(PRIMARY, "Remove-AdfsCertificate", CertificateType=SIGNING, Thumbprint=old)
    assert console.certificates(SIGNING) == {new: True}


def test_only_the_primary_writes(console: Console) -> None:
    """A secondary refuses with PS0033."""
    assert console.refused(SECOND, "Update-AdfsCertificate").error_id.startswith("PS0033,")


# -- certificates of a CA


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        (None, "was not found"),
        ({"key": False}, "does not have a private key"),
        ({"readable": False}, "not accessible to the federation service account"),
        ({"cng": True}, "Cryptography Next Generation"),
    ],
)
def test_certificates_that_are_refused(console: Console, put: dict[str, bool] | None, reason: str) -> None:
    """Not in the store, without key, with a key that the service cannot read, with a CNG key."""
    made = console.simulator.issue("fs.example.com")
    if put is not None:
        console.simulator.put(PRIMARY, made, **put)
    console.automatic(False)
    refusal = console.refused(PRIMARY, "Add-AdfsCertificate", CertificateType=SIGNING, Thumbprint=made.thumbprint)
    assert reason in refusal.message


def test_signature_keys_do_not_decrypt(console: Console) -> None:
    """KeySpec 2 is good for signing only."""
    made = console.simulator.issue("fs.example.com")
    console.simulator.put(PRIMARY, made, key_spec=2)
    console.automatic(False)
    console.run(PRIMARY, "Add-AdfsCertificate", CertificateType=SIGNING, Thumbprint=made.thumbprint)
    assert console.refused(PRIMARY, "Add-AdfsCertificate", CertificateType=DECRYPTING, Thumbprint=made.thumbprint)


def test_import_grant_add(console: Console) -> None:
    """A PFX, through our functions, becomes a token certificate."""
    made = console.simulator.issue("fs.example.com")
    pfx = made.pfx("secret")
    wrong = console.refused(PRIMARY, "Import-IsthmusCertificate", Pfx=pfx, Password=SecureText("wrong"))
    assert "password is not correct" in wrong.message
    imported = console.one(PRIMARY, "Import-IsthmusCertificate", Pfx=pfx, Password=SecureText("secret"))
    assert imported == {"Thumbprint": made.thumbprint, "Cng": False, "Existed": False}
    assert console.one(PRIMARY, "Get-IsthmusKeyAccess", Thumbprint=[made.thumbprint])["Readable"] is False
    assert console.refused(PRIMARY, "Grant-IsthmusKeyAccess", Thumbprint=made.thumbprint, Account="CORP\\mallory")
    console.run(PRIMARY, "Grant-IsthmusKeyAccess", Thumbprint=made.thumbprint, Account="NT SERVICE\\adfssrv")
    assert console.one(PRIMARY, "Get-IsthmusKeyAccess", Thumbprint=[made.thumbprint])["Readable"] is True
    console.automatic(False)
    console.run(PRIMARY, "Add-AdfsCertificate", CertificateType=SIGNING, Thumbprint=made.thumbprint)
    assert made.thumbprint in console.waiting(SIGNING)


def test_a_node_without_the_key_does_not_start_again(console: Console) -> None:
    """Keys of a CA's certificates are not shared: what is missing on one node shows at its next start."""
    made = console.simulator.issue("fs.example.com")
    for host in (PRIMARY, SECOND):
        console.simulator.put(host, made)
    console.automatic(False)
    console.run(PRIMARY, "Add-AdfsCertificate", CertificateType=SIGNING, Thumbprint=made.thumbprint, IsPrimary=True)
    console.clock.advance(600)
    console.run(SECOND, "Restart-Service", Name=["adfssrv"])
    refusal = console.refused(THIRD, "Restart-Service", Name=["adfssrv"])
    assert (refusal.error_id.split(",")[0], refusal.terminating) == ("StartServiceFailed", False)
    assert not console.simulator[THIRD].running("adfssrv")


def test_an_expired_decrypting_certificate_keeps_the_service_down() -> None:
    """It runs until it is restarted."""
    console = Console()
    console.simulator.farm(auto_rollover=False, decrypting_days=1)
    console.clock.advance(2 * DAY)
    assert console.run(PRIMARY, "Get-AdfsProperties")
    assert console.refused(PRIMARY, "Restart-Service", Name=["adfssrv"]).error_id.startswith("StartServiceFailed,")


def test_service_communications_is_read_at_the_next_start(console: Console) -> None:
    """Set is not enough, and it never has two."""
    made = console.simulator.issue("fs.example.com")
    for host in (PRIMARY, SECOND, THIRD):
        console.simulator.put(host, made)
    console.run(PRIMARY, "Set-AdfsCertificate", CertificateType=SERVICE, Thumbprint=made.thumbprint)
    assert console.certificates(SERVICE) == {made.thumbprint: True}
    node = console.simulator[PRIMARY].node
    assert node is not None
    assert node.loaded_service_certificate != made.thumbprint
    console.run(PRIMARY, "Restart-Service", Name=["adfssrv"])
    assert node.loaded_service_certificate == made.thumbprint


def test_a_nested_certificate_arrives_with_its_raw_data(console: Console) -> None:
    """And nothing else; its text has dates in the server's culture and zone."""
    console.simulator[PRIMARY].utc_offset = 7200.0
    row = console.run(PRIMARY, "Get-AdfsCertificate", CertificateType=[SERVICE])[0]
    certificate = next(each for each in console.simulator[PRIMARY].store.values()).certificate
    assert row["Certificate"] == nested(certificate, 7200.0)
    assert nested(certificate).properties == {"RawData": certificate.der}
    assert f"[Thumbprint]\r\n  {row['Thumbprint']}" in nested(certificate).text


# -- time


def test_secondaries_lag_until_they_poll(console: Console) -> None:
    """Up to 300 seconds, as their own metadata shows."""
    node = console.simulator[SECOND].node
    assert node is not None
    console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    console.clock.advance(100)
    console.simulator.settle()
    assert len(node.configuration.of(SIGNING)) == 1
    console.clock.advance(201)
    console.simulator.settle()
    assert len(node.configuration.of(SIGNING)) == 2
    assert console.one(SECOND, "Get-AdfsSyncProperties")["LastSyncStatus"] == 0


def test_a_secondary_notices_that_the_primary_is_gone(console: Console) -> None:
    """Its polls fail, and it keeps what it has."""
    console.simulator.offline(PRIMARY)
    console.clock.advance(301)
    row = console.one(SECOND, "Get-AdfsSyncProperties")
    assert row["LastSyncStatus"] == 1
    console.simulator.online(PRIMARY)
    console.clock.advance(301)
    assert console.one(SECOND, "Get-AdfsSyncProperties")["LastSyncStatus"] == 0


def test_auto_rollover_walks_through_its_thresholds() -> None:
    """Made at 20 days, promoted 5 days later, the old one gone when it has ended."""
    console = Console()
    console.simulator.farm(signing_days=21, decrypting_days=300)
    old = console.primary(SIGNING)
    assert console.waiting(SIGNING) == []
    console.clock.advance(1.6 * DAY)
    (new,) = console.waiting(SIGNING)
    assert console.primary(SIGNING) == old
    console.clock.advance(4 * DAY)
    assert console.primary(SIGNING) == old
    console.clock.advance(1.6 * DAY)
    assert console.certificates(SIGNING) == {old: False, new: True}
    console.clock.advance(20 * DAY)
    assert console.certificates(SIGNING) == {new: True}
    assert len(console.certificates(DECRYPTING)) == 1


def test_auto_rollover_in_its_critical_window() -> None:
    """With two days left it makes a new one and promotes it in one go, whatever partners know."""
    console = Console()
    console.simulator.farm(signing_days=1.9, auto_rollover=False)
    old = console.primary(SIGNING)
    console.automatic(True)
    console.clock.advance(DAY)
    assert console.primary(SIGNING) != old


def test_auto_off_freezes_the_promotion() -> None:
    """What Update made stays secondary for as long as it takes."""
    console = Console()
    console.simulator.farm()
    console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    console.automatic(False)
    console.clock.advance(30 * DAY)
    assert len(console.waiting(SIGNING)) == 1
    console.automatic(True)
    console.clock.advance(DAY)
    assert console.primary(SIGNING) != console.waiting(SIGNING)[0]


def test_nothing_rolls_while_the_primary_is_off(console: Console) -> None:
    """AutoCertificateRollover runs on the primary only."""
    console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    old = console.primary(SIGNING)
    console.simulator.offline(PRIMARY)
    console.clock.advance(30 * DAY)
    console.run(SECOND, "Get-AdfsSyncProperties")
    node = console.simulator[SECOND].node
    assert node is not None
    primary = node.configuration.primary(SIGNING)
    assert primary is not None
    assert primary.certificate.thumbprint == old


def test_a_clock_that_goes_back_stops_nothing(console: Console) -> None:
    """Timers do not wait for the clock to come round again."""
    console.clock.advance(-100 * DAY)
    console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    console.clock.advance(301)
    console.simulator.settle()
    node = console.simulator[SECOND].node
    assert node is not None
    assert len(node.configuration.of(SIGNING)) == 2


def test_another_primary(console: Console) -> None:
    """The roles are said on each node; the rest follows by polling."""
    console.run(SECOND, "Set-AdfsSyncProperties", Role="PrimaryComputer")
    console.run(PRIMARY, "Set-AdfsSyncProperties", Role="SecondaryComputer", PrimaryComputerName=SECOND)
    console.run(THIRD, "Set-AdfsSyncProperties", PrimaryComputerName=SECOND)
    console.run(SECOND, "Update-AdfsCertificate", CertificateType=SIGNING)
    console.clock.advance(301)
    assert console.refused(PRIMARY, "Get-AdfsProperties").error_id.startswith("PS0033,")
    for host in (PRIMARY, THIRD):
        node = console.simulator[host].node
        assert node is not None
        console.simulator.settle()
        assert len(node.configuration.of(SIGNING)) == 2


def test_proxy_trust_lives_two_weeks_without_a_farm(console: Console) -> None:
    """It renews every eight hours; a farm that is away for longer than its life has lost it for good."""
    assert console.run(WAP, "Get-WebApplicationProxyApplication")
    console.clock.advance(60 * DAY)
    assert console.run(WAP, "Get-WebApplicationProxyApplication")
    for host in (PRIMARY, SECOND, THIRD):
        console.simulator.offline(host)
    console.clock.advance(15 * DAY)
    console.simulator.settle()
    for host in (PRIMARY, SECOND, THIRD):
        console.simulator.online(host)
    console.clock.advance(DAY)
    assert "trust is not valid" in console.refused(WAP, "Get-WebApplicationProxyApplication").message
    health = {row["Component"]: row["HealthState"] for row in console.run(WAP, "Get-WebApplicationProxyHealth")}
    assert health["AD FS Proxy"] == "Error"


# -- faults


def test_offline_hosts_are_not_reached(console: Console) -> None:
    """Nor are names that nobody has."""
    console.simulator.offline(SECOND)
    for host in (SECOND, "nobody.corp.example.com"):
        with pytest.raises(Unreachable):
            console.run(host, "Get-Date")
    assert console.simulator.log == []


@pytest.mark.parametrize(("when", "there"), [("before_effect", 0), ("after_effect", 1)])
def test_a_connection_that_breaks(console: Console, when: str, there: int) -> None:
    """Before the effect, or after it; only as often as wished."""
    console.simulator.drop_during("Update-AdfsCertificate", 1, when)  # type: ignore[arg-type]
    with pytest.raises(Dropped):
        console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)
    assert len(console.waiting(SIGNING)) == there
    if not there:
        console.run(PRIMARY, "Update-AdfsCertificate", CertificateType=SIGNING)


def test_skewed_clocks_and_the_log(console: Console) -> None:
    """A server's own clock may differ; every command that arrives is written down."""
    console.simulator.skew(SECOND, 90)
    value = console.one(SECOND, "Get-Date")[""]
    assert isinstance(value, dt.datetime)
    assert value.timestamp() == NOW + 90
    assert console.simulator.log[-1] == (SECOND, "Get-Date", {})
    assert console.simulator.invoke(ADMIN, PRIMARY, "Get-Date", {})
