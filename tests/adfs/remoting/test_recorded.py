"""Sessions with real Windows hosts, replayed: the simulated service takes what they took, and we read what they wrote.

Without the recordings these tests are skipped; `make test` and `make test-adfs` fetch them, and then their absence fails.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from pypsrp.complex_objects import ErrorRecord
from pypsrp.messages import Message, PipelineOutput
from pypsrp.serializer import Serializer

from adfs_mgmt.remoting import PSObject
from adfs_mgmt.remoting.connection import message_of
from adfs_mgmt.remoting.errors import CATEGORIES
from adfs_mgmt.remoting.values import read_output
from tests.adfs.remoting import recordings
from tests.adfs.remoting.conftest import PASSWORD, USER, Hosts
from tests.adfs.remoting.recordings import ERROR, PIPELINE_STATE, POOL, Answer, Exchange, kind, told
from tests.adfs.simulator.endpoint import ordinary
from tests.adfs.simulator.wsman import WsManServer

TIMED_OUT = "2150858793"
_CMD = "WinRS: the shell of cmd.exe, another protocol over WS-Management"
_AWAY = "disconnected sessions (Disconnect, Reconnect, Connect, Enumerate): we never leave one that we come back to"
_HOST = "calls of the host's script to its user (prompts, colours): our commands have nobody to ask"
NOT_SERVED = {
    **dict.fromkeys(("client_copy_expand_vars", "client_copy_file", "client_copy_file_empty"), _CMD),
    **dict.fromkeys(("client_copy_file_warning", "client_execute_cmd", "client_execute_cmd_environment"), _CMD),
    **dict.fromkeys(("winrs_bad_cmd_id", "winrs_environment", "winrs_extra_opts", "winrs_fail_poll_process"), _CMD),
    **dict.fromkeys(("winrs_no_cmd_shell", "winrs_noprofile", "winrs_open_already_opened"), _CMD),
    **dict.fromkeys(("winrs_operation_timeout", "winrs_send", "winrs_standard", "winrs_stderr_rc", "winrs_unicode"), _CMD),
    **dict.fromkeys(("psrp_disconnect_runspaces", "psrp_disconnected_commands"), _AWAY),
    **dict.fromkeys(("psrp_pshost_raw_ui_mocked_methods", "psrp_pshost_ui_mocked_methods"), _HOST),
    "psrp_get_command_metadata": "GET_COMMAND_METADATA: we send commands that we know, and never ask which there are",
    **dict.fromkeys(
        ("psrp_set_runspaces", "psrp_reset_runspace_state", "psrp_reset_runspace_state_fail"),
        "SET_MAX_RUNSPACES, RESET_RUNSPACE_STATE: our pools have one runspace; psrpcore 0.3 cannot read these messages",
    ),
    "psrp_run_protocol_version_2.1": "Windows 2008 R2 chooses the shell's identifier itself; AD FS 2012 R2 is 2.2",
    "psrp_key_exchange_timeout": "written by hand: a host that never answers a key; ours answers",
}
"""Sessions that are not replayed, and why. Whatever is not here is."""

BETWEEN: dict[str, tuple[int, Callable[[WsManServer, str], object]]] = {
    "psrp_is_alive_invalid_selectors": (4, lambda server, shell: server.restart("localhost")),
    "psrp_is_alive_state_disconnected": (4, lambda server, shell: server.idle.add(shell)),
}
"""What befell the host before an exchange: the shell was left alone for too long, and was forgotten or disconnected."""


def _name(path: Path) -> str:
    return path.stem.removeprefix("test_")


RECORDINGS = {_name(path): path for path in recordings.paths()}
replays = pytest.mark.skipif(
    not RECORDINGS and not recordings.NAMED,
    reason="pypsrp's source distribution with its recordings is not there; `make test-adfs` fetches it",
)


@pytest.fixture
def basic() -> Iterator[WsManServer]:
    """Takes messages in the clear, as the recorded ones are."""
    with WsManServer(Hosts(), users={USER: PASSWORD}, allow_unencrypted=True) as running:
        running.configurations["JEARole"] = ordinary
        yield running


@replays
def test_the_recordings_are_there() -> None:
    """And every name that is not served is one of them, so that the list does not rot."""
    assert len(RECORDINGS) > 60, f"{recordings.SOURCES} has no recordings of pypsrp's sessions with Windows hosts"
    assert NOT_SERVED.keys() <= RECORDINGS.keys(), NOT_SERVED.keys() - RECORDINGS.keys()
    assert BETWEEN.keys() <= RECORDINGS.keys()


@pytest.mark.parametrize("name", sorted(RECORDINGS.keys() - NOT_SERVED.keys()))
def test_recorded_sessions_go_as_with_the_real_host(basic: WsManServer, name: str) -> None:
    """Each envelope that a real host took is taken here, and answered by the same action, fault, state and messages."""
    Replay(basic, name).run()


class Replay:
    """One session against the simulated service.

    A real host may tell in two answers what ours tells in one; what was told already is not asked for again.
    """

    def __init__(self, server: WsManServer, name: str) -> None:
        self.server, self.name = server, name
        self.session = recordings.session(RECORDINGS[name])
        self.theirs: list[str] = []
        self.ours: list[str] = []
        self.done: set[str] = set()
        if any(each.answer.fault == TIMED_OUT for each in self.session):
            server.go.clear()  # the host's script took its time, ours takes as long

    def run(self) -> None:
        for number, each in enumerate(self.session):
            at, befell = BETWEEN.get(self.name, (-1, None))
            if number == at and befell is not None:
                befell(self.server, next(iter(self.server.shells["localhost"])))
            if each.action != "Receive":
                self.check(each, self.send(each), number)
            elif each.command_id:
                self.receive_from_command(each, number)
            else:
                self.receive_from_pool(each, number)

    def send(self, each: Exchange) -> Answer:
        """What ours says to it."""
        quick = re.sub(r"PT\d+S", "PT0.3S", each.request)
        answer = requests.post(
            f"http://127.0.0.1:{self.server.port}/wsman",
            data=quick.encode(),
            headers={"Content-Type": "application/soap+xml;charset=UTF-8"},
            auth=(USER, PASSWORD),
            timeout=10,
        )
        return recordings.read_answer(answer.text)

    def check(self, each: Exchange, ours: Answer, number: int) -> None:
        """Action, fault, state."""
        if each.broken:
            return  # the file has no answer
        theirs = each.answer
        assert (ours.action, ours.fault) == (theirs.action, theirs.fault), (number, each.request)
        assert ours.state == theirs.state, (number, each.request)

    def receive_from_pool(self, each: Exchange, number: int) -> None:
        """Capability, application's data, state, keys: the same, in the same order."""
        self.theirs += [POOL[kind(message)] for message in each.answer.messages]
        if len(self.ours) < len(self.theirs):
            answer = self.send(each)
            self.check(each, answer, number)
            self.ours += [POOL[kind(message)] for message in answer.messages]
        assert self.ours[: len(self.theirs)] == self.theirs, number

    def receive_from_command(self, each: Exchange, number: int) -> None:
        """Output differs, as ours runs no script; the pipeline's end does not."""
        if each.command_id in self.done:
            return
        if each.answer.fault != TIMED_OUT:
            self.server.go.set()
        answer = self.send(each)
        assert (answer.action, answer.fault) == (each.answer.action, each.answer.fault), (number, each.request)
        if each.answer.state == "Done":
            assert answer.state == "Done", number
            assert [kind(message) for message in answer.messages][-1] == PIPELINE_STATE, number
        if answer.state == "Done":
            self.done.add(each.command_id)


# -- what real hosts wrote, as we read it

quiet = pytest.mark.filterwarnings("ignore:Failed to deserialize msg")
"""pypsrp's remark on objects that it knows better than the host of that time did."""


def read(name: str) -> list[PSObject]:
    """Every object of a session's output."""
    found = []
    for message in told(RECORDINGS[name]):
        output = Message.unpack(message, Serializer()).data
        assert isinstance(output, PipelineOutput)
        found.append(read_output(output.data))
    return found


@quiet
@replays
def test_every_recorded_object_is_read() -> None:
    """Into plain values, never a piece of XML or of pypsrp."""
    things = [thing for name in RECORDINGS for thing in read(name)]
    assert len(things) > 140
    for thing in things:
        assert plain(thing), thing


def plain(value: object) -> bool:
    """Whether it is made of what `PSObject` is made of."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(plain, value))
    return value is None or (isinstance(value, str | int | float | bytes | dt.datetime) and "<Element" not in str(value))


@replays
def test_a_service_is_read() -> None:
    """Get-Service of a real host: enumerations by their text, lists, nothing where there is nothing; texts beside it."""
    hello, secret, text, echo, who, number, service = read("psrp_multiple_commands")
    assert hello == {"": "Hello World"}
    assert secret == {"": "***"}
    assert text == {"": "こんにちは - actual_x000A_string\nnewline: \U00010437"}
    assert echo == {"": 'hi"'}
    assert who == {"": "win-nnmu24vvkj0\\vagrant"}
    assert number == {"": 123}
    assert service["Name"] == service["ServiceName"] == "winrm"
    assert service["DisplayName"] == "Windows Remote Management (WS-Management)"
    assert (service["Status"], service["StartType"]) == ("Running", "Automatic")
    assert service["CanStop"] is True
    assert service["CanPauseAndContinue"] is False
    assert service["ServicesDependedOn"] == ["RPCSS", "HTTP"]
    assert service["DependentServices"] == []
    assert service["Site"] is None


@replays
def test_an_item_through_a_jea_endpoint_is_read() -> None:
    """There, what a provider gives (as Get-ChildItem Cert: does) is an object around the object: both are read."""
    (item,) = read("psrp_with_jea_configuration")
    assert (item["Name"], item["Value"], item["Type"]) == ("AllowUnencrypted", "true", "System.String")
    assert item["PSPath"] == r"Microsoft.WSMan.Management\WSMan::localhost\Service\AllowUnencrypted"
    assert item["PSIsContainer"] is False
    assert item["SourceOfValue"] is None


@replays
def test_times_are_read() -> None:
    """Get-History's, with their zone, as UTC."""
    *_, history = read("psrp_with_history")
    assert history["CommandLine"] == "Write-Output 1; Write-Output 2"
    assert history["ExecutionStatus"] == "Completed"
    assert history["StartExecutionTime"] == dt.datetime(2018, 6, 13, 23, 47, 39, 677047, tzinfo=dt.UTC)


@replays
def test_lists_and_dictionaries_are_read() -> None:
    """As such; a long text whole, from several answers."""
    assert read("psrp_with_input") == [{"": "1"}, {"": 2}, {"": {"a": "b"}}, {"": ["a", "b"]}]
    assert read("psrp_application_args") == [{"": {"test_var": "abcdef12345"}}]
    long, digest = read("client_fetch_file")
    assert len(str(long[""])) > 8 * 32_768
    assert digest == {"": "70e3bea8cdb0d0c883bccff5228933d933b88a80"}
    assert hashlib.sha1(base64.b64decode(str(long[""]))).hexdigest() == digest[""]  # noqa: S324 - the host's choice


@replays
def test_an_error_is_read() -> None:
    """Of a JEA endpoint, for a place that its role does not give: text, identifier, category."""
    (message,) = told(RECORDINGS["psrp_with_jea_configuration"], ERROR)
    record = Message.unpack(message, Serializer()).data
    assert isinstance(record, ErrorRecord)
    assert message_of(record) == "Cannot find a provider with the name 'FileSystem'."
    assert record.fq_error == "ProviderNotFound,Microsoft.PowerShell.Commands.GetItemCommand"
    assert CATEGORIES[int(record.category or 0)] == "ObjectNotFound"
