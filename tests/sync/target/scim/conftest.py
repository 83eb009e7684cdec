"""scim2-server, a SCIM service that nobody here wrote, installed apart and started once. Each test has its own tenant."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sync.target.scim import ScimSettings, ScimTarget

_LOCK = Path(__file__).parents[4] / "requirements" / "scim.txt"
TOKEN = "only-for-loopback"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Service:
    """Where it listens, and where a token for it lies."""

    address: str
    token_file: Path

    def settings(self, **fields: object) -> ScimSettings:
        """Of a tenant that nobody has written to."""
        given = {"url": f"{self.address}/t{next(_numbers)}/v2", "token_file": self.token_file, **fields}
        return ScimSettings(**{"requests_a_second": 10_000.0, **given})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def scim_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In an environment of its own, installed as its lock says."""
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    home = tmp_path_factory.getbasetemp().parent / f"scim-{digest}"
    if not home.exists():
        made = home.with_suffix(f".{os.getpid()}")
        run(sys.executable, "-m", "venv", "--without-pip", str(made))
        pip = (
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--python",
            str(made / "bin" / "python"),
        )
        run(*pip, "install", "--require-hashes", "--requirement", str(_LOCK))
        try:
            made.rename(home)
        except OSError:  # another worker was quicker
            shutil.rmtree(made)
    return home / "bin" / "python"


def run(*command: str) -> None:
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # what is there is not installed
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def service(scim_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    token_file = tmp_path_factory.mktemp("scim") / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    options = ("--port", str(port), "--dynamic-tenants", "--bearer-token", TOKEN)
    command = (str(scim_program), "-m", "scim2_server.testserver.cli", *options)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Service(f"http://127.0.0.1:{port}", token_file)
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("scim2-server does not listen")


@pytest.fixture
async def target(service: Service) -> AsyncIterator[ScimTarget]:
    """A tenant that nobody has written to."""
    target = ScimTarget("scim", service.settings(members_a_request=7, page_size=10))
    yield target
    await target.close()
