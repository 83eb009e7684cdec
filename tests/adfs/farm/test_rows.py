"""What commands answer, in the shapes in which it arrives."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adfs_mgmt.farm import KeyAccess, Properties, rows
from adfs_mgmt.remoting import PSObject, seconds_of
from certs import CertificateUnreadable, covers, read_certificate
from tests.adfs.farm import samples

TEXT = (
    "[Subject]\r\n  CN=a\r\n\r\n[Issuer]\r\n  CN=a\r\n\r\n[Not Before]\r\n  {}\r\n\r\n"
    "[Not After]\r\n  {}\r\n\r\n[Thumbprint]\r\n  AB\r\n"
)
NOON = dt.datetime(2026, 3, 21, 13, 5, 7, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    "notation",
    [
        "3/21/2026 1:05:07 PM",
        "21.03.2026 13:05:07",
        "21/03/2026 13:05:07",
        "2026-03-21 13:05:07",
        "3/21/2026 1:05:07\u202fPM",
    ],
)
def test_dates_in_the_cultures_of_servers(notation: str) -> None:
    """American, German, British, Swedish, and with the narrow space of newer Windows."""
    certificate = rows.described(TEXT.format(notation, notation), "AB")
    assert certificate.not_after == NOON
    assert certificate.not_before == NOON
    assert certificate.self_signed


def test_a_date_that_is_not_understood_is_unknown() -> None:
    """Never a guess."""
    assert rows.described(TEXT.format("x", "vid midnatt"), "AB").not_after == 0


@pytest.mark.parametrize(("value", "seconds"), [("00:05:00", 300), ("1.02:00:00", 93600), (300, 300), ("x", 7), (None, 7)])
def test_durations(value: str | int | None, seconds: float) -> None:
    """A number, .NET's TimeSpan, or the default."""
    assert seconds_of({"PollDuration": value}, "PollDuration", 7) == seconds


def test_keys_in_a_store() -> None:
    """With and without the endpoint that knows who may read them."""
    row: PSObject = {"Thumbprint": "ab" * 20, "HasPrivateKey": True, "RawData": samples.tls().der}
    (alone,) = rows.read_stored([row], None)
    assert alone.key is KeyAccess.UNKNOWN
    assert alone.certificate.names == (samples.NAME,)
    access: PSObject = {"Thumbprint": "AB" * 20, "HasPrivateKey": True, "Readable": False, "Cng": True}
    (known,) = rows.read_stored([row], [access])
    assert (known.key, known.cng) == (KeyAccess.NOT_GRANTED, True)
    (none,) = rows.read_stored([{**row, "HasPrivateKey": False}], None)
    assert none.key is KeyAccess.NO_KEY


def test_a_certificate_that_our_parser_refuses() -> None:
    """What Windows says of it counts."""
    end = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    (row,) = rows.read_stored([{"Thumbprint": "ab", "RawData": b"junk", "Subject": "CN=x", "NotAfter": end}], None)
    assert row.certificate.thumbprint == "AB"
    assert row.certificate.not_after == end.timestamp()


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
    _SCALARS | st.lists(_SCALARS, max_size=3),
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
    rows.read_farm_certificates([{**thing, "CertificateType": "Token-Signing"}], {})
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
