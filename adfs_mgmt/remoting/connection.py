"""One host's runspace pool, on pypsrp: blocking, used by one thread at a time.

          open                 run                    the connection breaks, the time is up
    closed ───► open ─────────► open ──► closed       (the next command opens a new one)
                 ▲                │
                 └────────────────┘ the host forgot the shell: opened again, once, because it refused the command unread

What goes wrong becomes a RemotingError here. After a command was sent, a broken connection is `Interrupted`: nobody knows.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import requests
import structlog
from pypsrp import complex_objects
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import TaggedValue
from pypsrp.wsman import NAMESPACES, WSMan, WSManAction
from requests_credssp.exceptions import AuthenticationException, NTStatusException
from spnego.exceptions import SpnegoError

from adfs_mgmt.remoting.account import RemotingAccount
from adfs_mgmt.remoting.command import Command, PSCredential, PSObject, Secret, Value
from adfs_mgmt.remoting.errors import (
    CATEGORIES,
    AccessDenied,
    CommandFailed,
    CredentialRefused,
    HostUnreachable,
    Interrupted,
    RemotingError,
)
from adfs_mgmt.remoting.kerberos import explain_host
from adfs_mgmt.remoting.settings import RemotingSettings, split_host
from adfs_mgmt.remoting.values import read_output
from foundation.xml import MalformedXml, check_limits

log = structlog.get_logger(__name__)

logging.getLogger("pypsrp").setLevel(
    logging.CRITICAL
)  # it logs whole messages, PFX files among them; we raise what it raises

_BROKEN = (WinRMError, requests.RequestException, SpnegoError)
"""What a connection comes to."""
_LOGIN_FAILED = (AuthenticationError, AuthenticationException, NTStatusException)
"""Ours, and those of requests-credssp."""
_ACCESS_DENIED = 5
_UNKNOWN_SHELL = 2150858843
_UNKNOWN_CONFIGURATION = 2150858757
_POLL = 10
"""Seconds that one Receive may wait on the host."""
_IDLE = 20.0
"""Seconds without a command after which a connection is looked at before it is used."""
_SHELL_IDLE = 900
"""Seconds after which a host lets go of a shell that we left."""

_MAX_ENVELOPE = 4 * 1024 * 1024
"""Bytes of one SOAP envelope: hosts are set to send 500 KB at most (DSP0226 section 6.2, MaxEnvelopeSize)."""
_NOT_OFFERED = "CredSSP being an available authentication method"
"""requests-credssp's words for a host that offers other ways only; nothing was shown to it."""
_CREDSSP = 5
"""CredSSP's version: hosts without the update of 2018 (CVE-2018-0886) speak older ones only, and are refused."""


class _WsMan(WSMan):
    def receive(
        self, resource_uri: str, resource: Element, option_set: Any = None, selector_set: Any = None, timeout: Any = None
    ) -> Any:
        """Without pypsrp's own retries, which sleep longer than a command's time."""
        answer = self.invoke(WSManAction.RECEIVE, resource_uri, resource, option_set, selector_set, timeout)
        return answer.find("s:Body", namespaces=NAMESPACES)


def _checked(send: Callable[..., bytes]) -> Callable[..., bytes]:
    """pypsrp parses what the host sent without limits: they are applied before. Raises WinRMError."""

    def sent(*args: Any, **options: Any) -> bytes:
        try:
            answer = send(*args, **options)
        except WinRMTransportError as error:  # in which pypsrp looks for a fault
            try:
                check_limits(error.response_text.encode(), "the host's answer", _MAX_ENVELOPE)
            except MalformedXml:
                raise WinRMTransportError("http", error.code, "") from error
            raise
        try:
            check_limits(answer, "the host's answer", _MAX_ENVELOPE)
        except MalformedXml as error:
            raise WinRMError(str(error)) from error
        return answer

    return sent


class RunspaceConnection:
    """To one host."""

    def __init__(self, host: str, settings: RemotingSettings, account: RemotingAccount) -> None:
        """`host`: as in the settings."""
        self.name, self._address = split_host(host)
        self._settings = settings
        self._account = account
        self._wsman: WSMan | None = None
        self._pool: RunspacePool | None = None
        self._answers: Iterable[requests.Response] = ()
        self._used = 0.0
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """Nobody waits for this connection's command any more. Safe from any thread."""
        self._abandoned.set()

    def reach(self) -> None:
        """Whether anybody listens there. Shows no credential. Raises HostUnreachable."""
        try:
            with socket.create_connection((self._address, self._settings.port), self._settings.connect_timeout):
                return
        except (socket.gaierror, UnicodeError) as error:  # UnicodeError: two dots in a row, or 64 characters between two
            raise HostUnreachable(self.name, f"the name {self._address} does not resolve") from error
        except OSError as error:
            port = self._settings.port
            raise HostUnreachable(
                self.name, f"nothing answers on port {port} ({error}); check whether WinRM is enabled"
            ) from error

    def open(self) -> None:
        """Prove who we are and make the runspace pool, if there is none. Raises RemotingError."""
        if self._pool is not None:
            return
        with self._opening():
            self._wsman = self._connect()
            pool = RunspacePool(self._wsman, configuration_name=self._settings.configuration, idle_timeout=_SHELL_IDLE)
            pool.open()
            self._pool = pool
            self._used = time.monotonic()

    def run(self, command: Command, timeout: float) -> list[PSObject]:
        """Raises RemotingError. `timeout` is in seconds, from now."""
        deadline = time.monotonic() + timeout
        self._drop_if_dead()
        for attempt in (1, 2):
            self.open()
            try:
                return self._invoke(command, deadline)
            except _ShellGone:
                self.drop()
                if attempt == 2:
                    raise HostUnreachable(self.name, "its shells end immediately; nothing was run") from None
            except (Interrupted, AccessDenied, HostUnreachable):
                self.drop()
                raise
        raise AssertionError("the second attempt returns or raises")

    def drop(self) -> None:
        """Leave the host without a word; it lets go of the shell by itself."""
        wsman, self._wsman, self._pool = self._wsman, None, None
        answers, self._answers = self._answers, ()
        if wsman is not None:
            with contextlib.suppress(Exception):
                for answer in answers:
                    answer.close()
                wsman.close()

    def close(self) -> None:
        """Let go of the host's shell."""
        if self._pool is not None:
            with contextlib.suppress(*_BROKEN, OSError):
                self._pool.close()
        self.drop()

    def _connect(self) -> WSMan:
        settings = self._settings
        credential = self._account.credential_for(self.name)
        seconds = max(1, math.ceil(settings.connect_timeout))
        wsman = _WsMan(
            self._address,
            port=settings.port,
            username=credential.user,
            password=credential.password,
            ssl=settings.tls,
            auth=credential.auth,
            cert_validation=str(settings.tls_ca_file) if settings.tls_ca_file else True,  # type: ignore[arg-type]  # or a path
            connection_timeout=seconds,
            operation_timeout=_POLL,
            read_timeout=_POLL + seconds,
            no_proxy=True,
            certificate_pem=str(settings.certificate_file) if settings.certificate_file else None,
            certificate_key_pem=str(settings.key_file) if settings.key_file else None,
            negotiate_service=settings.spn_service,
            negotiate_hostname_override=self.name,
            credssp_auth_mechanism="ntlm",  # left to itself it shows the password to a KDC, and then to the host
            credssp_minimum_version=_CREDSSP,
        )
        wsman.transport.session = session = wsman.transport._build_session()
        session.trust_env = False  # the environment's proxies are not used: need not be looked up for each message
        self._answers = _remember_answers(session)
        wsman.transport.send = _checked(wsman.transport.send)  # type: ignore[method-assign]
        if settings.tls and self._address != self.name:
            _verify_as(session, self.name)
        return wsman

    def _invoke(self, command: Command, deadline: float) -> list[PSObject]:
        assert self._pool is not None, "it was opened"  # noqa: S101 - for the reader and the type checker
        pipeline = PowerShell(self._pool)
        pipeline.add_cmdlet(command.name)
        with self._running(command, sent=False):
            if any(isinstance(value, Secret | PSCredential) for value in command.parameters.values()):
                self._pool.exchange_keys()
            for name, value in command.parameters.items():
                pipeline.add_parameter(name, _wire(value))
        with self._running(command, sent=True):
            pipeline.begin_invoke()
            while pipeline.state == PSInvocationState.RUNNING:
                left = deadline - time.monotonic()
                if left <= 0 or self._abandoned.is_set():
                    raise Interrupted(self.name, f"{command.name} did not finish in time; it may still be running there")
                pipeline.poll_invoke(timeout=max(1, min(_POLL, math.ceil(left))))
        self._used = time.monotonic()
        self._check_errors(command, pipeline)
        with contextlib.suppress(*_BROKEN):
            pipeline.close()  # it told all it had to tell
        try:
            return [read_output(value) for value in pipeline.output]
        except MalformedXml as error:
            raise Interrupted(self.name, f"the answer to {command.name} cannot be read ({error})") from error

    def _check_errors(self, command: Command, pipeline: PowerShell) -> None:
        for warning in pipeline.streams.warning:
            log.info("remoting.warning", host=self.name, command=command.name, text=str(warning))
        records = pipeline.streams.error
        if not records and pipeline.state == PSInvocationState.COMPLETED:
            return
        with contextlib.suppress(*_BROKEN):
            pipeline.close()
        texts = dict.fromkeys(message_of(record) for record in records)
        first = records[0] if records else None
        number = getattr(first, "category", 0) or 0
        raise CommandFailed(
            self.name,
            command.name,
            "; ".join(texts) or "it was stopped",
            error_id=getattr(first, "fq_error", "") or "",
            category=CATEGORIES[number] if 0 <= number < len(CATEGORIES) else "",
        )

    def _drop_if_dead(self) -> None:
        """A connection that nobody used for a while may be closed on the other side: look before a command is risked."""
        if self._pool is None or time.monotonic() - self._used < _IDLE:
            return
        try:
            alive = self._pool.is_alive(timeout=5)
        except _BROKEN:
            alive = False
        if not alive:
            self.drop()

    @contextlib.contextmanager
    def _opening(self) -> Iterator[None]:
        """Nothing was run when it fails here."""
        try:
            yield
        except RemotingError:
            raise
        except (*_LOGIN_FAILED, *_BROKEN, OSError, ImportError, ValueError) as error:
            self.drop()
            raise self._not_opened(error) from error

    def _not_opened(self, error: Exception) -> RemotingError:
        """The first line that fits: some of these are kinds of others."""
        name = self.name
        if isinstance(error, AuthenticationError):
            return self._refused()
        if isinstance(error, SpnegoError):
            return self._explain(error)
        if isinstance(error, _LOGIN_FAILED):
            return self._refused_credssp(error)
        if isinstance(error, WSManFaultError):
            return self._fault(error)
        if isinstance(error, requests.exceptions.SSLError):
            return HostUnreachable(name, f"TLS failed: {_cause(error)}; see `tls_ca_file`")
        if isinstance(error, (*_BROKEN, OSError)):
            return HostUnreachable(name, f"WinRM returned an unexpected answer: {_cause(error)}")
        return RemotingError(name, f'auth = "{self._settings.auth}" cannot be used here: {_cause(error)}')

    @contextlib.contextmanager
    def _running(self, command: Command, *, sent: bool) -> Iterator[None]:
        """`sent`: the command may have reached the host; before that nothing can have been run."""
        name = self.name
        try:
            yield
        except AuthenticationError as error:
            raise self._refused() from error
        except WSManFaultError as error:
            if error.code == _UNKNOWN_SHELL:
                raise _ShellGone from error
            if not sent:
                raise self._fault(error) from error
            reason = error.reason or str(error)
            raise CommandFailed(name, command.name, reason, error_id=f"WSManFault {error.code}") from error
        except (*_BROKEN, OSError) as error:
            if not sent:
                raise HostUnreachable(name, f"the connection failed before anything was run: {_cause(error)}") from error
            raise Interrupted(name, f"the connection failed during {command.name}: {_cause(error)}") from error

    def _explain(self, error: SpnegoError) -> RemotingError:
        """Of a failed login with Kerberos or NTLM."""
        settings, name = self._settings, self.name
        said = explain_host(name, settings.user, f"{settings.spn_service}/{name}", error.base_error)
        return said or self._refused(f" ({error.message})")

    def _refused_credssp(self, error: Exception) -> RemotingError:
        if _NOT_OFFERED in str(error):
            reason = "it does not offer CredSSP: run `Enable-WSManCredSSP -Role Server` there, or choose another `auth`"
            return HostUnreachable(self.name, reason)
        return self._refused(f" ({error})")

    def _refused(self, detail: str = "") -> AccessDenied:
        settings = self._settings
        who = settings.user or ("the certificate" if settings.auth == "certificate" else "your Kerberos ticket")
        reason = f"it refuses {who} with {settings.auth}{detail}; this is not retried, so that no account is locked out"
        if not self._account.hosts_judge:
            return AccessDenied(self.name, reason)
        return CredentialRefused(self.name, f"{reason}: check `user` and `password_file`, then start again")

    def _fault(self, error: WSManFaultError) -> RemotingError:
        name, configuration = self.name, self._settings.configuration
        if error.code == _ACCESS_DENIED:
            return AccessDenied(
                name, f"{self._settings.user or 'you'} is not allowed to use the session configuration {configuration}"
            )
        if error.code == _UNKNOWN_CONFIGURATION:
            return HostUnreachable(name, f"it has no session configuration {configuration}; see `isthmus adfs jea`")
        return HostUnreachable(
            name, f"WinRM refused the request: {(error.reason or str(error)).strip()} (code {error.code})"
        )


class _ShellGone(Exception):
    """The host does not know our shell any more; it did not look at the command."""


def _remember_answers(session: requests.Session) -> Iterable[requests.Response]:
    """The last answer: a login that fails in the middle of it leaves its connection open."""
    last: deque[requests.Response] = deque(maxlen=1)
    for adapter in session.adapters.values():
        adapter.send = _remembering(adapter.send, last)  # type: ignore[method-assign]
    return last


def _remembering(send: Callable[..., requests.Response], last: deque[requests.Response]) -> Callable[..., requests.Response]:
    def sent(*args: Any, **options: Any) -> requests.Response:
        last.append(answer := send(*args, **options))
        return answer

    return sent


def _verify_as(session: requests.Session, name: str) -> None:
    """Check the certificate for the host's name where we connect to its address."""
    pool = session.get_adapter("https://").poolmanager  # type: ignore[attr-defined]  # of requests' own adapter
    pool.connection_pool_kw.update(server_hostname=name, assert_hostname=name)


def _wire(value: Value) -> Any:
    """A parameter's value as pypsrp sends it: MS-PSRP 2.2.5."""
    if isinstance(value, Secret):
        return TaggedValue("SS", value.text)
    if isinstance(value, PSCredential):
        wire = complex_objects.PSCredential
        return wire(username=value.user, password=value.password.text)  # type: ignore[no-untyped-call]
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dt.datetime):
        element = Element("DT")
        element.text = value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return element
    return value


def message_of(record: Any) -> str:
    """The text of an error record (MS-PSRP section 2.2.3.15): its exception's message where it has one."""
    exception = getattr(record, "exception", None)
    properties = getattr(exception, "adapted_properties", None) or {}
    return str(properties.get("Message") or record).strip()


def _cause(error: BaseException) -> str:
    """The innermost reason, without addresses of objects and without what was sent."""
    while isinstance(error.args[0] if error.args else None, BaseException):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _cause(reason)
    if isinstance(error, WinRMTransportError):
        return f"HTTP {error.code}"
    return str(error).rpartition(">: ")[2] or type(error).__name__
