"""Proofs that a name is ours, in place for as long as an ACME server checks them (RFC 8555, 8.3 and 8.4)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from certs.acme.errors import ChallengeFailed, HookFailed
from certs.acme.settings import AcmeSettings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Proof:
    """What the server will look for, for one name."""

    domain: str
    token: str
    record: str
    """dns-01: the TXT record's name."""
    value: str
    """dns-01: the record's value; http-01: the key authorisation (RFC 8555, 8.1)."""


def proofs_in_place(proofs: Sequence[Proof], settings: AcmeSettings) -> contextlib.AbstractAsyncContextManager[None]:
    """Puts the proofs in place while its block runs. Raises HookFailed and ChallengeFailed."""
    return _by_hook(proofs, settings) if settings.challenge == "dns-01" else _by_http(proofs, settings)


@contextlib.asynccontextmanager
async def _by_hook(proofs: Sequence[Proof], settings: AcmeSettings) -> AsyncIterator[None]:
    """Every record is set before the first is looked for, and removed whatever happened."""
    tried = []
    try:
        for proof in proofs:
            tried.append(proof)
            await _run_hook("present", proof, settings)
        yield
    finally:
        for proof in tried:
            try:
                await _run_hook("cleanup", proof, settings)
            except HookFailed as error:  # a record too many harms nobody; a certificate thrown away does
                _log.warning("acme.cleanup_failed", record=proof.record, reason=error.reason)


async def _run_hook(action: str, proof: Proof, settings: AcmeSettings) -> None:
    hook = settings.hook
    assert hook is not None  # noqa: S101 - checked with the names
    facts = {"ACTION": action, "DOMAIN": proof.domain, "RECORD": proof.record, "VALUE": proof.value}

    def failed(reason: str) -> HookFailed:
        return HookFailed(settings.directory, proof.domain, hook, f"{action} {reason}")

    try:
        process = await asyncio.create_subprocess_exec(
            hook,
            *facts.values(),
            env={**os.environ, **{f"ISTHMUS_ACME_{name}": value for name, value in facts.items()}},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # so that what it started ends with it
        )
    except OSError as error:
        raise failed(f"cannot be run ({error.strerror}); it must be an executable file") from error
    try:
        async with asyncio.timeout(settings.hook_timeout):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise failed(f"did not return within {settings.hook_timeout:.0f} s") from error
    finally:
        await _end(process)
    if process.returncode:
        said = output.decode(errors="replace").strip()[-500:]
        raise failed(f"returned {process.returncode}" + (f" with this output: {said}" if said else " without any output"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it and its children, where it still runs."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    await process.wait()


@contextlib.asynccontextmanager
async def _by_http(proofs: Sequence[Proof], settings: AcmeSettings) -> AsyncIterator[None]:
    """Our own server, for as long as it is needed."""
    if not proofs:
        yield
        return
    answers = {proof.token: proof.value for proof in proofs}

    async def answer(request: web.Request) -> web.Response:
        value = answers.get(request.match_info["token"])
        return web.Response(text=value) if value else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/.well-known/acme-challenge/{token}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, settings, proofs[0].domain)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: AcmeSettings, domain: str) -> None:
    try:
        host, _, port = settings.http_address.rpartition(":")
        await web.TCPSite(runner, host.strip("[]") or None, int(port)).start()
    except (OSError, ValueError, OverflowError) as error:
        problem = f"http_address {settings.http_address} cannot be used for listening ({error}); choose another, or dns-01"
        raise ChallengeFailed(settings.directory, domain, problem) from error
