"""Recording a session and playing it back."""

from __future__ import annotations

import datetime as dt
import json
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.farm import rows
from adfs_mgmt.remoting import (
    Command,
    CommandFailed,
    HostUnreachable,
    PSCredential,
    PSObject,
    Recorder,
    RecordingDamaged,
    RemotingError,
    Replay,
    Secret,
    make_command,
    object_of,
)
from adfs_mgmt.remoting.errors import NoTicket
from certs import covers
from tests.adfs.farm import samples

THUMBPRINT = "0F" * 20
NAMES = ("contoso", "corp", "fs1", "payroll", "svc-adfs", "geheim", THUMBPRINT, "10.1.2.3", "1111111111", "smith")


class Scripted:
    """A Shell with one answer for each command."""

    def __init__(self, answers: dict[str, list[PSObject] | RemotingError]) -> None:
        self.answers = answers

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        answer = self.answers[command.name]
        if isinstance(answer, RemotingError):
            raise answer
        return answer

    async def close(self) -> None:
        self.answers.clear()


ANSWERS: dict[str, list[PSObject] | RemotingError] = {
    "Get-AdfsProperties": [
        {
            "HostName": "fs.contoso.com",
            "Identifier": "http://fs.contoso.com/adfs/services/trust",
            "AutoCertificateRollover": True,
            "CertificateDuration": 365,
            "Contact": {"Mail": "j.smith@contoso.com", "Account": "CORP\\svc-adfs$"},
            "Sids": ["S-1-5-21-1111111111-222-333-1105", "10.1.2.3"],
        }
    ],
    "Get-AdfsCertificate": [
        {"Thumbprint": THUMBPRINT, "Subject": "CN=fs.contoso.com, O=Contoso Payroll", "RawData": b"contoso",
         "NotAfter": dt.datetime(2027, 1, 1, tzinfo=dt.UTC), "IsPrimary": True},
        {"Thumbprint": THUMBPRINT.lower(), "Subject": "CN=certauth.fs.contoso.com", "RawData": b""},
    ],
    "Set-AdfsSslCertificate": CommandFailed(
        "fs1.contoso.com", "Set-AdfsSslCertificate",
        f"PS0159: the certificate {THUMBPRINT} of fs1.contoso.com is not on FS1; ask CORP\\smith or contoso",
        error_id="PS0159,Microsoft.IdentityServer.X", category="InvalidOperation",
    ),
    "Get-Date": HostUnreachable("fs1.contoso.com", "nobody answers at 10.1.2.3"),
    "Get-Service": NoTicket(
        "fs1.contoso.com", "the domain controller knows no WSMAN/fs1.contoso.com: run `kinit smith@CONTOSO.COM`"
    ),
    "Test-AdfsFarmJoin": [],
}  # fmt: skip
COMMANDS = [
    make_command("Get-AdfsProperties"),
    make_command("Get-AdfsCertificate", Thumbprint=(THUMBPRINT,)),
    make_command("Set-AdfsSslCertificate", Thumbprint=THUMBPRINT),
    make_command("Get-Date"),
    make_command("Get-Service", Name=("adfssrv",)),
    make_command(
        "Test-AdfsFarmJoin", PrimaryComputerName="fs1.contoso.com",
        ServiceAccountCredential=PSCredential("CORP\\svc-adfs", Secret("geheim")),
    ),
]  # fmt: skip


async def record(path: Path) -> list[dict[str, Any]]:
    recorder = Recorder(Scripted(dict(ANSWERS)), path, key=b"k" * 32)
    for command in COMMANDS:
        try:
            await recorder.run("fs1.contoso.com=10.1.2.3", command)
        except RemotingError as error:
            assert error is ANSWERS[command.name]  # noqa: PT017 - it is handed on as it is
    await recorder.close()
    return [json.loads(line) for line in path.read_text().splitlines()]  # noqa: ASYNC240 - a small file, in a test


async def test_recording_names_nobody(tmp_path: Path) -> None:
    """No host, domain, person, organisation, account, address, thumbprint, SID or secret is in the file."""
    await record(tmp_path / "r.jsonl")
    text = (tmp_path / "r.jsonl").read_text().casefold()
    assert [name for name in NAMES if name.casefold() in text] == []
    assert (tmp_path / "r.jsonl").stat().st_mode & 0o077 == 0


async def test_recording_keeps_what_matters(tmp_path: Path) -> None:
    """Structure, numbers, times, AD FS's own words, error numbers, and which names are the same."""
    lines = await record(tmp_path / "r.jsonl")
    properties = lines[0]["answer"][0]
    assert (properties["AutoCertificateRollover"], properties["CertificateDuration"]) == (True, 365)
    name = properties["HostName"]
    assert properties["Identifier"] == f"http://{name}/adfs/services/trust"
    first, second = lines[1]["answer"]
    assert first["Subject"].startswith(f"CN={name}, O=")
    assert second["Subject"] == f"CN=certauth.{name}"
    assert first["Thumbprint"] == second["Thumbprint"].upper()
    assert len(first["Thumbprint"]) == 40
    assert lines[1]["parameters"] == {"Thumbprint": [first["Thumbprint"]]}
    assert first["NotAfter"] == {"$time": "2027-01-01T00:00:00+00:00"}
    reason = lines[2]["error"]["reason"]
    assert reason.startswith(f"PS0159: the certificate {first['Thumbprint']} of {lines[0]['host']} is not on ")


async def test_a_certificate_is_kept_without_its_bytes(tmp_path: Path) -> None:
    """At the top and nested: its end, and names as the pseudonyms that they have elsewhere. RawData names its owner."""
    seen = samples.tls().seen
    bound = {"CertificateHash": seen.thumbprint, "HostName": samples.NAME}
    answer: list[PSObject] = [{"RawData": seen.der, "PSChildName": seen.thumbprint}, {"Certificate": {"RawData": seen.der}}]
    recorder = Recorder(Scripted({"Get-AdfsCertificate": answer, "Get-AdfsSslCertificate": [bound]}), tmp_path / "r.jsonl")
    for name in ("Get-AdfsSslCertificate", "Get-AdfsCertificate"):
        await recorder.run("fs1", make_command(name))
    await recorder.close()
    text = (tmp_path / "r.jsonl").read_text()
    assert samples.NAME not in text
    assert seen.thumbprint not in text
    replay = Replay(tmp_path / "r.jsonl")
    [name] = replay.hosts
    [row] = await replay.run(name, make_command("Get-AdfsSslCertificate"))
    top, outer = await replay.run(name, make_command("Get-AdfsCertificate"))
    found = rows.read_x509(top)
    assert found is not None
    assert found == rows.read_x509(object_of(outer, "Certificate"))
    assert found.thumbprint == top["PSChildName"] == row["CertificateHash"]
    assert covers(found, str(row["HostName"]))
    assert (found.not_before, found.not_after, found.server_auth) == (seen.not_before, seen.not_after, True)
    assert found.self_signed is seen.self_signed


async def test_replay_answers_as_recorded(tmp_path: Path) -> None:
    """The same answers and errors, with values of their types; the last one as often as it is asked for."""
    lines = await record(tmp_path / "r.jsonl")
    replay = Replay(tmp_path / "r.jsonl")
    [host] = replay.hosts
    for _ in range(2):
        [properties] = await replay.run(host, make_command("Get-AdfsProperties"))
        assert properties["AutoCertificateRollover"] is True
    thumbprint = lines[2]["parameters"]["Thumbprint"]
    [first, _] = await replay.run(host, make_command("Get-AdfsCertificate", Thumbprint=(thumbprint,)))
    assert first["NotAfter"] == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    assert first["RawData"] == b""
    with pytest.raises(CommandFailed) as caught:
        await replay.run(host, make_command("Set-AdfsSslCertificate", Thumbprint=thumbprint))
    assert (caught.value.error_id, caught.value.category) == ("PS0159,Microsoft.IdentityServer.X", "InvalidOperation")
    with pytest.raises(HostUnreachable):
        await replay.run(host, make_command("Get-Date"))
    with pytest.raises(NoTicket, match=r"knows no WSMAN/.*run `kinit"):
        await replay.run(host, make_command("Get-Service", Name=("adfssrv",)))
    await replay.close()


async def test_replay_of_what_was_not_recorded(tmp_path: Path) -> None:
    """It says so, instead of answering nothing."""
    await record(tmp_path / "r.jsonl")
    with pytest.raises(CommandFailed, match="has no such command"):
        await Replay(tmp_path / "r.jsonl").run("other", make_command("Get-AdfsProperties"))


async def test_pseudonyms_differ_between_recordings(tmp_path: Path) -> None:
    """Without its key, nobody can try names against a file."""
    for name in ("a", "b"):
        recorder = Recorder(Scripted(dict(ANSWERS)), tmp_path / name)
        await recorder.run("fs1", make_command("Get-AdfsProperties"))
        await recorder.close()
    assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()


@pytest.mark.parametrize("line", ["no json", "[]", '{"host": "a"}'])
def test_damaged_recording(tmp_path: Path, line: str) -> None:
    """The error names file and line."""
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"host": "a", "command": "Get-Date", "parameters": {{}}, "answer": []}}\n{line}\n')
    with pytest.raises(RecordingDamaged, match="line 2"):
        Replay(path)


async def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    """What was done at a host counts; the answer is handed on."""
    path = tmp_path / "r.jsonl"
    recorder = Recorder(Scripted({"Get-Date": [{"": "x" * 1000}]}), path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        for _ in range(3):
            assert await recorder.run("fs1", make_command("Get-Date"))
        await recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert path.stat().st_size <= 100
