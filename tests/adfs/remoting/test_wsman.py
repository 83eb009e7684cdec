"""The simulated WinRM service: what it refuses, and, with pypsrp's sources at hand, that it takes what real hosts took."""

from __future__ import annotations

import base64
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.messages import Message, PipelineOutput
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import Serializer
from pypsrp.wsman import WSMan

from adfs_mgmt.remoting.values import read_output
from tests.adfs.remoting.conftest import PASSWORD, USER, Hosts
from tests.adfs.simulator.endpoint import ordinary
from tests.adfs.simulator.wsman import WsManServer

RECORDINGS = sorted(
    (Path(os.environ.get("ISTHMUS_PYPSRP_SOURCES", "/nowhere")) / "tests" / "tests_pypsrp" / "responses").glob(
        "*_psrp_*.yml"
    )
)
"""Sessions of pypsrp with real Windows hosts; they come with its source distribution only."""

NOT_SERVED = {
    *("disconnect_runspaces", "disconnected_commands", "get_command_metadata", "set_runspaces", "nested_command"),
    *("reset_runspace_state", "reset_runspace_state_fail", "receive_failure", "small_msg_size", "run_protocol_version_2.1"),
    *("pshost_methods", "pshost_raw_ui_mocked_methods", "pshost_ui_mocked_methods", "key_exchange_timeout"),
    *("is_alive_http_error", "is_alive_other_wsman_error", "is_alive_invalid_selectors", "is_alive_state_disconnected"),
}
"""Sessions with what we never send (disconnection, nested pipelines, host calls, questions for the service's settings), with
Windows before 2012, or with faults that were made by hand."""


@pytest.fixture
def basic(hosts: Hosts) -> Iterator[WsManServer]:
    with WsManServer(hosts, users={USER: PASSWORD}, allow_unencrypted=True) as running:
        yield running


@pytest.fixture
def pool(server: WsManServer) -> Iterator[RunspacePool]:
    wsman = WSMan("127.0.0.1", port=server.port, ssl=False, auth="ntlm", username=USER, password=PASSWORD)
    with wsman, RunspacePool(wsman) as opened:
        yield opened


def post(server: WsManServer, body: bytes, **headers: str) -> requests.Response:
    return requests.post(
        f"http://127.0.0.1:{server.port}/wsman", data=body, headers=headers, auth=(USER, PASSWORD), timeout=10
    )


def test_script_text_is_refused(pool: RunspacePool, hosts: Hosts) -> None:
    """As in an endpoint without a language."""
    pipeline = PowerShell(pool)
    pipeline.add_script("Get-Date")
    pipeline.invoke()
    assert pipeline.had_errors
    assert pipeline.streams.error[0].fq_error == "ScriptsNotAllowed"
    assert hosts.asked == []


def test_two_commands_in_one_pipeline_are_refused(pool: RunspacePool, hosts: Hosts) -> None:
    """We never send that, and JEA's proxies would not see it."""
    pipeline = PowerShell(pool)
    pipeline.add_cmdlet("Get-Date").add_cmdlet("Out-String")
    pipeline.invoke()
    assert pipeline.had_errors
    assert hosts.asked == []


def test_positional_argument_is_refused(pool: RunspacePool) -> None:
    """Parameters have names."""
    pipeline = PowerShell(pool)
    pipeline.add_cmdlet("Get-Date").add_argument("x")
    pipeline.invoke()
    assert pipeline.streams.error[0].fq_error == "PositionalParameterNotFound"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_mistake_of_the_handler_shows() -> None:
    """It fails the command, and the test (by a warning that is an error), instead of leaving both waiting."""

    def broken(user: str, host: str, command: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        raise LookupError(command)

    with WsManServer(broken, users={USER: PASSWORD}) as server:
        wsman = WSMan("127.0.0.1", port=server.port, ssl=False, auth="ntlm", username=USER, password=PASSWORD)
        with wsman, RunspacePool(wsman) as opened:
            pipeline = PowerShell(opened)
            pipeline.add_cmdlet("Get-Date")
            pipeline.invoke()
            assert pipeline.streams.error[0].fq_error == "SimulatorFailed"


def test_unencrypted_messages_are_refused(server: WsManServer) -> None:
    """AllowUnencrypted is false, as on Windows."""
    wsman = WSMan(
        "127.0.0.1", port=server.port, ssl=False, auth="basic", username=USER, password=PASSWORD, encryption="never"
    )
    with wsman, pytest.raises(WinRMTransportError, match="403"):
        RunspacePool(wsman).open()


def test_identify_needs_no_login(server: WsManServer) -> None:
    """WS-Management's own question, with its header (MS-WSMV 3.1.4.1)."""
    answer = requests.post(f"http://127.0.0.1:{server.port}/wsman", headers={"WSMANIDENTIFY": "unauthenticated"}, timeout=10)
    assert answer.status_code == 200
    assert "Microsoft Corporation" in answer.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"no xml", "not XML"),
        (b"<a/>", "no Header"),
        (
            b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:q="urn:q"><s:Header>'
            b'<q:Odd s:mustUnderstand="true"/></s:Header><s:Body/></s:Envelope>',
            "is not understood",
        ),
        (
            b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body/></s:Envelope>',
            "is not supported",
        ),
    ],
)
def test_bad_envelopes_are_faults(basic: WsManServer, body: bytes, said: str) -> None:
    """Never a broken connection."""
    answer = post(basic, body)
    assert answer.status_code == 500
    assert said in answer.text


def test_unknown_shell_is_a_fault(basic: WsManServer) -> None:
    """With Windows's number for it."""
    wsman = WSMan(
        "127.0.0.1", port=basic.port, ssl=False, auth="basic", username=USER, password=PASSWORD, encryption="never"
    )
    with wsman:
        opened = RunspacePool(wsman)
        opened.open()
        basic.shells["localhost"].clear()
        with pytest.raises(WSManFaultError) as caught:
            opened.exchange_keys()
    assert caught.value.code == 2150858843


def exchanges(path: Path) -> list[tuple[str, str]]:
    """Requests and responses of a recording."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^- request: (.*)\n(?:  (?!response).*\n)*  response:(.*)$", text, re.MULTILINE)
    return [(request.strip("'\" "), response.strip("'\" ")) for request, response in found]


@pytest.mark.skipif(not RECORDINGS, reason="ISTHMUS_PYPSRP_SOURCES does not name pypsrp's unpacked source distribution")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_recorded_requests_are_accepted(basic: WsManServer, path: Path) -> None:
    """Each envelope that a real host took is taken here, and answered by the same action or the same fault."""
    if path.stem.removeprefix("test_psrp_") in NOT_SERVED:
        return
    basic.configurations["JEARole"] = ordinary
    codes = re.compile(r'WSManFault [^>]*Code="(\d+)"')
    for request, response in exchanges(path):
        quick = request.replace("PT20S", "PT0.3S").replace("PT30S", "PT0.3S")
        answer = post(basic, quick.encode(), **{"Content-Type": "application/soap+xml;charset=UTF-8"})
        got, wanted = codes.findall(answer.text)[:1], codes.findall(response)[:1]
        if "shell/Receive<" in request and "2150858793" in {*got, *wanted}:
            continue  # ours runs no script: it has less to tell, and sooner
        assert got == wanted, f"{quick}\n{answer.text}"


@pytest.mark.skipif(not RECORDINGS, reason="ISTHMUS_PYPSRP_SOURCES does not name pypsrp's unpacked source distribution")
@pytest.mark.filterwarnings("ignore:Failed to deserialize msg")
def test_recorded_output_is_read() -> None:
    """Every object that real hosts wrote in these sessions becomes a plain value."""
    read = 0
    for path in RECORDINGS:
        fragments = b"".join(
            base64.b64decode(stream)
            for _, response in exchanges(path)
            for stream in re.findall(r"<rsp:Stream[^>]*>([^<]+)<", response)
        )
        for message in defragment(fragments):
            if struct.unpack("<I", message[4:8])[0] == 0x00041004:  # PIPELINE_OUTPUT
                output = Message.unpack(message, Serializer()).data
                assert isinstance(output, PipelineOutput)
                read_output(output.data)
                read += 1
    assert read > 50


def defragment(data: bytes) -> Iterator[bytes]:
    """MS-PSRP 2.2.4."""
    begun: dict[int, bytes] = {}
    while len(data) > 21:
        number, _, flags, length = struct.unpack(">QQBI", data[:21])
        begun[number] = begun.get(number, b"") + data[21 : 21 + length]
        data = data[21 + length :]
        if flags & 2:
            yield begun.pop(number)
