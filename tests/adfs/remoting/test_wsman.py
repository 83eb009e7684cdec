"""The simulated WinRM service: what it refuses. That it takes what real hosts took is in `test_recorded`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from tests.adfs.remoting.conftest import PASSWORD, USER, Hosts
from tests.adfs.simulator.wsman import WsManServer


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
