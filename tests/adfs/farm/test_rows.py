"""What commands answer, in the shapes in which it arrives."""

from __future__ import annotations

import hashlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adfs_mgmt.farm import KeyAccess, Properties, TrustUse, rows
from adfs_mgmt.remoting import PSObject, seconds_of
from adfs_mgmt.remoting.values import read_output
from certs import CertificateUnreadable, covers, read_certificate
from tests.adfs.farm import samples


@pytest.mark.parametrize(("value", "seconds"), [("00:05:00", 300), ("1.02:00:00", 93600), (300, 300), ("x", 7), (None, 7)])
def test_durations(value: str | int | None, seconds: float) -> None:
    """A number, .NET's TimeSpan, or the default."""
    assert seconds_of({"PollDuration": value}, "PollDuration", 7) == seconds


def test_a_certificate_as_windows_serialises_it() -> None:
    """A file of Export-Clixml, nested notes left out: RawData and the provider's notes, and nothing beside them."""
    content = Path(__file__).with_name("certificate.clixml").read_text(encoding="utf-8")
    (element,) = ElementTree.fromstring(content)  # noqa: S314 - a file of ours
    thing = read_output(ElementTree.tostring(element, encoding="unicode").replace("ns0:", ""))
    assert set(thing) == {"RawData", "PSPath", "PSParentPath", "PSChildName", "PSIsContainer"}
    (row,) = rows.read_stored([thing], None)
    assert row.certificate.thumbprint == thing["PSChildName"] == "571927E18EF1AA8AF0EE9509A6D0C8B72211D24B"
    assert row.certificate.subject == "CN=fs.corp.example.com"
    assert row.key is KeyAccess.UNKNOWN


def test_a_certificate_inside_another_object() -> None:
    """Get-AdfsCertificate's, and a relying party's for encryption."""
    seen = samples.tls().seen
    nested = {"RawData": seen.der}
    (row,) = rows.read_farm_certificates([{"CertificateType": "Token-Signing", "Certificate": nested}])
    assert row.certificate == seen
    assert rows.read_relying_party({"EncryptionCertificate": nested}).certificates == {TrustUse.ENCRYPTION: (seen,)}
    assert rows.read_relying_party({"EncryptionCertificate": None}).certificates == {}


def test_keys_in_a_store() -> None:
    """Only the endpoint knows of a key: without it, or where it does not say, the key is unknown, never absent."""
    seen = samples.tls().seen
    thing: PSObject = {"RawData": seen.der}
    said: PSObject = {"Thumbprint": seen.thumbprint.lower(), "HasPrivateKey": True, "Readable": False, "Cng": True}

    def key(access: list[PSObject] | None) -> KeyAccess:
        (row,) = rows.read_stored([thing], access)
        return row.key

    assert key(None) is key([]) is key([{**said, "Thumbprint": "AB" * 20}]) is KeyAccess.UNKNOWN
    assert key([{**said, "Readable": None}]) is KeyAccess.UNKNOWN
    assert key([said]) is KeyAccess.NOT_GRANTED
    assert [row.key_spec for row in rows.read_stored([thing], [{**said, "KeySpec": 2}])] == [2]
    assert key([{**said, "Readable": True}]) is KeyAccess.READABLE
    assert key([{**said, "HasPrivateKey": False, "Readable": False}]) is KeyAccess.NO_KEY


def test_a_certificate_that_our_parser_refuses() -> None:
    """Its thumbprint is known, its end is not: neither past nor far."""
    (row,) = rows.read_stored([{"RawData": b"junk"}], None)
    assert row.certificate.thumbprint == hashlib.sha1(b"junk").hexdigest().upper()  # noqa: S324 - Windows names them so
    assert (row.certificate.not_before, row.certificate.not_after) == (None, None)
    assert not row.certificate.ended(4e9)


def test_old_and_new_ways_to_audit() -> None:
    """2012 R2 has log levels."""

    def level(answer: PSObject) -> tuple[str, ...]:
        return rows.read_properties(answer, {}, windows="2019", bindings=()).audit_level

    assert level({"AuditLevel": ["Basic"]}) == ("Basic",)
    assert level({"LogLevel": ["Errors", "SuccessAudits", "FailureAudits"]}) == ("SuccessAudits", "FailureAudits")
    assert level({}) == ()


def test_answers_without_anything() -> None:
    """Defaults, no exception."""
    assert rows.read_properties({}, {}, windows="", bindings=()) == Properties()
    assert rows.read_sync_role({}) is None
    assert rows.read_windows_version({"BuildNumber": "99999"}) == "build 99999"
    assert rows.read_fqdn({"Name": "STS1", "Domain": "WORKGROUP"}) == "sts1"


_SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=20) | st.datetimes()
_THINGS = st.dictionaries(
    st.sampled_from(
        [
            "Thumbprint", "HasPrivateKey", "RawData", "NotAfter", "HostName", "PortNumber", "CertificateHash", "Name",
            "Identifier", "EncryptionCertificate", "AddressPath", "HealthState", "CertificateType", "Certificate", "Role",
            "BuildNumber", "Readable",
        ]
    ),
    _SCALARS | st.lists(_SCALARS, max_size=3) | st.fixed_dictionaries({"RawData": _SCALARS}),
)  # fmt: skip


@given(_THINGS)
def test_any_answer_can_be_read(thing: PSObject) -> None:
    """A host may answer anything: no shape of a value stops the reading."""
    rows.read_stored([thing], [thing])
    rows.read_binding(thing)
    rows.read_relying_party(thing)
    rows.read_endpoint(thing)
    rows.read_application(thing)
    rows.read_unhealthy([thing])
    rows.read_sync_role(thing)
    rows.read_windows_version(thing)
    rows.read_farm_certificates([{**thing, "CertificateType": "Token-Signing"}])
    rows.read_properties(thing, thing, windows="2019", bindings=(rows.read_binding(thing),))


# -- certificates


@pytest.mark.parametrize(
    ("names", "name", "expected"),
    [
        (("fs.example.com",), "FS.example.com.", True),
        (("*.example.com",), "fs.example.com", True),
        (("*.example.com",), "certauth.fs.example.com", False),
        (("*.example.com",), "example.com", False),
        ((), "fs.example.com", False),
    ],
)
def test_names_that_a_certificate_covers(names: tuple[str, ...], name: str, expected: bool) -> None:
    """RFC 6125: a wildcard is one label, the leftmost."""
    assert covers(samples.make("x", names=names).seen, name) is expected


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate(data: bytes) -> None:
    """One kind of error."""
    with pytest.raises(CertificateUnreadable):
        read_certificate(data)


def test_a_country_that_has_not_two_letters() -> None:
    """RFC 5280 appendix A.1 wants two, and certificates with others exist: it is read, and nothing is printed."""
    name, country = b"\x55\x04\x03", b"\x55\x04\x06"
    assert read_certificate(samples.tls().der.replace(name, country)).subject.startswith("C=")


@given(st.integers(0, 700), st.integers(0, 255))
def test_a_damaged_certificate_is_read_or_unreadable(at: int, value: int) -> None:
    """No other exception, whatever byte is wrong."""
    der = bytearray(samples.tls().der)
    der[at % len(der)] = value
    try:
        read_certificate(bytes(der))
    except CertificateUnreadable as error:
        assert "certificate" in str(error)  # noqa: PT017 - whether it is raised depends on the byte


@pytest.mark.parametrize(
    ("host", "expected"),
    [("0.0.0.0", True), ("[::]", True), ("::", True), ("10.0.0.5", True), ("fs.example.com", False), ("localhost", False)],  # noqa: S104
)
def test_rows_for_addresses(host: str, expected: bool) -> None:
    """They are for clients without SNI: no certificate has to name an address."""
    row = rows.read_binding({"HostName": host, "PortNumber": 443, "CertificateHash": "A" * 40, "CtlStoreName": None})
    assert (row.by_address, row.ctl_store) == (expected, "")
    assert rows.read_binding({"HostName": host}).ctl_store is None


def test_a_root_that_cannot_be_read_is_not_misplaced() -> None:
    """Without a subject nobody knows who issued it."""
    assert rows.read_misplaced([{"RawData": b"odd"}, {"Thumbprint": "AB", "Issuer": "CN=x"}]) == ()


@pytest.mark.parametrize(("said", "good"), [(None, True), (0, True), ("Succeeded", True), (1, False), ("Failed", False)])
def test_the_last_synchronisation(said: object, good: bool) -> None:
    """A node that says nothing of it is not said to have failed."""
    assert rows.read_sync_ok({"LastSyncStatus": said} if said is not None else {}) is good  # type: ignore[dict-item]
