"""One PowerShell shell on a simulated host: MS-PSRP 3.2 on psrpcore's server side, one thread for each pipeline.

    CreatePipeline ─► Running ─► output…, errors… ─► Completed | Failed     (Signal: Stopped)

As in a JEA endpoint without a language (`NoLanguage`), script text, several commands and positional arguments are refused.
"""

from __future__ import annotations

import base64
import datetime as dt
import struct
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psrpcore
from psrpcore import types as ps

from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.output import output_of
from tests.adfs.simulator.values import PsCredential, PsNumber, PsObject, PsUri, SecureText
from tests.adfs.simulator.wsman_soap import Fault, bad_request, timed_out

Invoke = Callable[[str, dict[str, object]], list[dict[str, object]]]
"""Command and parameters; raises PsError, or ConnectionError where the connection is to break."""

_FRAGMENT = 32_768
"""Bytes of a fragment, as hosts cut them: MS-PSRP 2.2.4."""
_STREAMS = 4
"""Full fragments in one answer."""
_HEAD = struct.Struct(">QQBI")
_STATE = struct.pack("<I", 0x00021005)
"""RUNSPACEPOOL_STATE. Hosts give it in an answer of its own, after the one with the session's capability."""
_PIPELINE_ID = slice(21 + 24, 21 + 40)
"""Where the first fragment of a message has its pipeline: MS-PSRP 2.2.4 and 2.2.1."""


class Pipeline:
    """One command that runs, or ran."""

    def __init__(self, pipeline: psrpcore.ServerPipeline) -> None:
        self.pipeline = pipeline
        self.outgoing: deque[bytes] = deque()
        self.done = False
        self.broken = False


class Shell:
    """A runspace pool and its pipelines. Methods are called by the threads of the HTTP connections."""

    def __init__(self, resource: str, invoke: Invoke, go: threading.Event) -> None:
        """`go`: what pipelines wait for before they run."""
        self.resource = resource
        self._invoke, self._go = invoke, go
        self._pool = psrpcore.ServerRunspacePool()
        self._changed = threading.Condition()
        self._outgoing: deque[bytes] = deque()
        self._pipelines: dict[str, Pipeline] = {}
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Fragments from the client, for the pool or for a pipeline."""
        with self._changed:
            self._pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, None))
            try:
                while (event := self._pool.next_event()) is not None:
                    if isinstance(event, psrpcore.CreatePipelineEvent):
                        self._start(event)
            except psrpcore.PSRPCoreError as error:
                raise bad_request(f"PSRP: {error}") from error
            self._collect()

    def command(self, command_id: str, data: bytes) -> None:
        """The first fragments of a pipeline. It must be there before they are read.

        WS-Management's command and PSRP's pipeline need not have the same identifier: hosts do not ask for it.
        """
        with self._changed:
            if command_id in self._pipelines:
                raise bad_request(f"command {command_id} is there already")
            if len(data) < _PIPELINE_ID.stop:
                raise bad_request("no PSRP fragment")
            pipeline = psrpcore.ServerPipeline(self._pool, uuid.UUID(bytes_le=data[_PIPELINE_ID]))
            self._pipelines[command_id] = Pipeline(pipeline)
        self.feed(data)

    def receive(self, command_id: str, timeout: float) -> tuple[list[bytes], bool]:
        """Fragments for the pool or a pipeline, and whether that is all of them. Raises Fault after `timeout` s."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready(command_id), timeout):
                raise timed_out()
            if self._closed:
                raise ConnectionAbortedError
            if not command_id:
                return _take(self._outgoing), False
            running = self._pipelines[command_id]
            if running.broken:
                raise ConnectionAbortedError
            return _take(running.outgoing), running.done and not running.outgoing

    def signal(self, command_id: str, code: str) -> None:
        """Stop a pipeline, or forget it."""
        with self._changed:
            running = self._find(command_id)
            if code.casefold().endswith("terminate"):
                del self._pipelines[command_id]
                self._pool.pipeline_table.pop(running.pipeline.pipeline_id, None)
            elif not running.done:
                running.pipeline.stop()
                running.done = True
                self._collect()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _find(self, command_id: str) -> Pipeline:
        if command_id not in self._pipelines:
            raise Fault(2150858843, "w:InvalidSelectors", f"there is no command {command_id}")
        return self._pipelines[command_id]

    def _running(self, pipeline_id: uuid.UUID) -> Pipeline:
        return next(each for each in self._pipelines.values() if each.pipeline.pipeline_id == pipeline_id)

    def _ready(self, command_id: str) -> bool:
        if self._closed or not command_id:
            return self._closed or bool(self._outgoing)
        running = self._find(command_id)
        return running.done or running.broken or bool(running.outgoing)

    def _collect(self) -> None:
        while (payload := self._pool.data_to_send(_FRAGMENT)) is not None:
            lane = self._outgoing if payload.pipeline_id is None else self._running(payload.pipeline_id).outgoing
            lane.extend(fragments(payload.data))
        self._changed.notify_all()

    def _start(self, event: psrpcore.CreatePipelineEvent) -> None:
        running = self._running(event.pipeline_id)
        running.pipeline._change_state(ps.PSInvocationState.Running, emit=False)  # recorded hosts do not tell of it
        threading.Thread(
            target=self._run, args=(running, event.pipeline), name=f"pipeline {event.pipeline_id}", daemon=True
        ).start()

    def _run(self, running: Pipeline, script: psrpcore.PowerShell) -> None:
        self._go.wait()
        try:
            name, parameters = read_command(script)
            self._end(running, [write_object(name, each) for each in self._invoke(name, parameters)])
        except PsError as refused:
            self._end(running, [], refused)
        except ConnectionError:
            with self._changed:
                running.broken = True
                self._changed.notify_all()
        except Exception as mistake:
            self._end(running, [], PsError(f"a mistake of the simulator: {mistake!r}", "SimulatorFailed"))
            raise

    def _end(self, running: Pipeline, output: list[Any], error: PsError | None = None) -> None:
        with self._changed:
            if running.done or running not in self._pipelines.values():  # the caller has let it go
                return
            for each in output:
                running.pipeline.write_output(each)
            if error is not None:
                _fail(running.pipeline, error)
            else:
                running.pipeline.complete()
            running.done = True
            self._collect()


def fragments(data: bytes) -> Iterator[bytes]:
    """One by one."""
    while data:
        end = _HEAD.size + _HEAD.unpack(data[: _HEAD.size])[3]
        yield data[:end]
        data = data[end:]


def _take(waiting: deque[bytes]) -> list[bytes]:
    """What goes into one answer."""
    taken: list[bytes] = []
    while waiting and sum(map(len, taken)) <= (_STREAMS - 1) * _FRAGMENT:
        if taken and waiting[0][_HEAD.size + 4 : _HEAD.size + 8] == _STATE:
            break
        taken.append(waiting.popleft())
    return taken


def read_command(script: psrpcore.PowerShell) -> tuple[str, dict[str, object]]:
    """The one command with its named parameters. Raises PsError as NoLanguage does."""
    command = script.commands[0]
    if len(script.commands) > 1 or command.is_script:
        raise PsError(
            "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
            "ScriptsNotAllowed",
            "ParserError",
        )
    parameters: dict[str, object] = {}
    for name, value in command.parameters:
        if name is None:
            raise PsError("A positional parameter cannot be found.", "PositionalParameterNotFound", "InvalidArgument")
        parameters[str(name).rstrip(":")] = read_value(value)
    return str(command.command_text), parameters


def read_value(value: Any) -> object:
    """A parameter's value as plain Python, or one of `values`."""
    if isinstance(value, ps.PSSecureString):
        return SecureText(value.decrypt())
    if isinstance(value, ps.PSCredential):
        return PsCredential(str(value.UserName), SecureText(value.Password.decrypt()))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value) if type(value) is str else str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(str(value))
    if isinstance(value, list):
        return [read_value(each) for each in value]
    return bool(value) if type(value).__name__ == "PSBool" else str(value)


def write_object(command: str, properties: Mapping[str, object]) -> Any:
    """One object of a cmdlet's output, its properties at depth 1. Beside others, "" is the object's own text."""
    output = output_of(command)
    values = {name: value for name, value in properties.items() if name}
    if output.types == ("System.DateTime",):
        date = _value(properties[""])
        date.PSObject.extended_properties = [_note("DisplayHint", _DATE_AND_TIME)]
        return date
    if not values:
        return _value(properties[""])
    own = set(values) if output.notes == ("*",) else set(output.notes)
    return _object(
        output.types,
        str(properties.get("", output.types[0])) if own != set(values) else None,
        {name: value for name, value in values.items() if name not in own},
        {name: value for name, value in values.items() if name in own},
    )


def _object(
    types: tuple[str, ...], text: str | None, properties: Mapping[str, object], notes: Mapping[str, object] | None = None
) -> Any:
    made = ps.PSObject()
    made.PSObject.type_names = list(types)
    if text is not None:
        made.PSObject.to_string = text
    made.PSObject.adapted_properties = [_note(name, _value(value)) for name, value in properties.items()]
    made.PSObject.extended_properties = [_note(name, _value(value)) for name, value in (notes or {}).items()]
    return made


def _note(name: str, value: Any) -> Any:
    return ps.PSNoteProperty(name, value=value)


class _DisplayHintType(ps.PSEnumBase):
    DateTime = 2


_DATE_AND_TIME = ps.PSType(["Microsoft.PowerShell.Commands.DisplayHintType"])(_DisplayHintType).DateTime
_NUMBERS: Mapping[str, Any] = {"I16": ps.PSInt16, "U16": ps.PSUInt16, "U32": ps.PSUInt}


def _value(value: object) -> Any:
    if value is None:
        return None
    write = next((write for kind, write in _WRITERS if isinstance(value, kind)), None)
    if write is None:
        raise TypeError(type(value).__name__)
    return write(value)


def _array(values: Sequence[object]) -> Any:
    made = ps.PSList([_value(each) for each in values])
    objects = any(isinstance(each, PsObject) for each in values)
    made.PSObject.type_names = ["System.Object[]" if objects else "System.String[]", "System.Array", "System.Object"]
    return made


def _date(value: dt.datetime) -> Any:
    if value.tzinfo is None:
        raise TypeError("a time without a zone: say which")
    return ps.PSDateTime(value)


_WRITERS: Sequence[tuple[type, Callable[[Any], Any]]] = (
    (bool, bool),
    (PsObject, lambda value: _object(value.types, value.text, value.properties)),
    (list, _array),
    (PsNumber, lambda value: _NUMBERS[value.kind](value.value)),
    (PsUri, lambda value: ps.PSUri(str(value))),
    (SecureText, lambda value: ps.PSSecureString(str(value))),
    (int, lambda value: ps.PSInt(value) if abs(value) < 2**31 else ps.PSInt64(value)),
    (bytes, ps.PSByteArray),
    (dt.datetime, _date),
    (dt.timedelta, ps.PSDuration),
    (float, ps.PSDouble),
    (uuid.UUID, lambda value: ps.PSGuid(int=value.int)),
    (str, lambda value: ps.PSString(str(value))),
)
"""By kind; the first that fits."""


def _fail(pipeline: psrpcore.ServerPipeline, error: PsError) -> None:
    """Write an error record, or end the pipeline with it."""
    exception = ps.NETException(Message=error.message, HResult=-2146233087)
    exception.PSObject.type_names = ["System.Management.Automation.RuntimeException", *exception.PSTypeNames]
    category = ps.ErrorCategoryInfo(Category=getattr(ps.ErrorCategory, error.category), Reason="RuntimeException")
    if not error.terminating:
        pipeline.write_error(exception, category_info=category, fully_qualified_error_id=error.error_id)
        pipeline.complete()
        return
    record = ps.ErrorRecord(Exception=exception, CategoryInfo=category, FullyQualifiedErrorId=error.error_id)
    pipeline._change_state(ps.PSInvocationState.Failed, error=record)  # there is no public way to fail in 0.3


def decode(text: str) -> bytes:
    """Base64 of fragments. Raises Fault."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise bad_request(f"not base64: {error}") from error
