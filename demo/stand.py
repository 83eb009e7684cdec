"""A relay and agents as real processes in a temporary directory: for the demo, the system tests and the benchmarks."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from demo.address import PublicAddress
from demo.throwaway_tls import write_certificates


class StandFailed(Exception):
    """A process of the stand did not do what it had to."""


class Stand:
    """Context manager: relay set up and running, agents on demand; all of it gone at the end.

    directories: TOML text of the agents' `[[directories]]`. relay: extra TOML of the relay, agent: of the agents. public:
    where users reach the relay, by default a free port of `address`; metrics and health are always served on `address`.
    """

    def __init__(
        self,
        directories: str,
        *,
        relay: str = "",
        agent: str = "",
        address: str = "127.0.0.1",
        public: PublicAddress | None = None,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="isthmus-stand-"))
        self._directories, self._relay_extra, self._agent_extra = directories, relay, agent
        self.address = address
        self.public = public or PublicAddress(address, address, free_port(address))
        self.metrics_port = free_port(address)
        self.url = self.public.url
        self.ca_file = self.home / "tls" / "ca.pem"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.tls = ssl.create_default_context()

    def __enter__(self) -> Stand:
        try:
            name = self.public.host if self.public.host != self.public.certified else "localhost"
            write_certificates(self.home / "tls", dns_name=name, address=self.public.certified)
            self.tls = ssl.create_default_context(cafile=str(self.ca_file))
            self.relay_config.write_text(self._relay_toml())
            (self.home / "relay").mkdir(mode=0o700)
            self.run("relay", "init", "--config", str(self.relay_config), "--name", "relay1")
            self.start_relay()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End every process and remove every file."""
        for name in list(self.processes):
            self.stop(name)
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def relay_config(self) -> Path:
        """The relay's settings file."""
        return self.home / "relay.toml"

    # -- processes

    def start_relay(self) -> None:
        """Start the relay and wait until it answers."""
        self._start("relay", "relay", "run", "--config", str(self.relay_config))
        self.wait_for(lambda: self.get("/healthz")[0] == 200, "the relay to answer", "relay")

    def enrol_agent(self, name: str) -> None:
        """Have an agent enrol itself with a fresh token, as an administrator would."""
        config = self.agent_config(name)
        config.write_text(self._agent_toml(name))
        (self.home / name).mkdir(mode=0o700, exist_ok=True)
        domains = [argument for domain in self._domains() for argument in ("--domain", domain)]
        order = ("relay", "token", "--config", str(self.relay_config), "--name", name, *domains, "--json")
        token = json.loads(self.run(*order))
        self.run("agent", "enrol", "--config", str(config), "--token-file", "-", text=token["text"])

    def start_agent(self, name: str) -> None:
        """Start an enrolled agent and wait until the relay knows it."""
        self._start(name, "agent", "run", "--config", str(self.agent_config(name)))
        self.wait_for(lambda: name in self.connected_agents(), f"{name} to connect", name)

    def agent_config(self, name: str) -> Path:
        """An agent's settings file."""
        return self.home / f"{name}.toml"

    def connected_agents(self) -> list[str]:
        """Names of the agents that the relay would ask now."""
        agents: list[str] = json.loads(self._http(f"http://{self.address}:{self.metrics_port}/readyz")[1])["agents"]
        return agents

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """End a process and wait for it; its exit code."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def kill(self, name: str) -> None:
        """Kill a process: no goodbye, no clean-up."""
        self.stop(name, signal.SIGKILL)

    def run(self, *arguments: str, text: str = "") -> str:
        """Run an isthmus command; its standard output. Raises StandFailed."""
        done = subprocess.run(
            [sys.executable, "-m", "isthmus", *arguments], input=text.encode(), capture_output=True, check=False, timeout=60
        )
        if done.returncode != 0:
            raise StandFailed(f"isthmus {' '.join(arguments[:2])}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()

    def log_of(self, name: str) -> str:
        """What a process has logged so far."""
        return (self.home / f"{name}.log").read_text(errors="replace")

    # -- talking to it

    def get(self, path: str) -> tuple[int, bytes]:
        """GET from the relay: status and body."""
        return self._http(self.url + path)

    def get_url(self, url: str) -> tuple[int, bytes]:
        """GET from any of its addresses: status and body."""
        return self._http(url)

    def create_api_key(self) -> str:
        """A fresh API key."""
        limits = ("--scope", "check", "--scope", "change", "--from", self.public.certified, "--rate", "1000000")
        made = self.run(
            "relay", "api-key", "create", "--config", str(self.relay_config), "--name", "stand", *limits, "--json"
        )
        key: str = json.loads(made)["secret"]
        return key

    def authenticate(self, api_key: str, user_name: str, password: str) -> tuple[int, dict[str, Any]]:
        """Check a credential through the API: status and answer."""
        body = json.dumps({"user_name": user_name, "password": password}).encode()
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        status, answer = self._http(self.url + "/api/v1/authenticate", body, headers)
        return status, json.loads(answer)

    def wait_for(self, condition: Any, what: str, process: str = "", seconds: float = 30.0) -> None:
        """Wait until `condition()` holds. Raises StandFailed with what the process said last."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if condition():
                    return
            if process in self.processes and self.processes[process].poll() is not None:
                break
            time.sleep(0.02)
        last = self.log_of(process)[-2000:] if process else ""
        raise StandFailed(f"waited in vain for {what}\n{last}")

    # -- inside

    def _http(self, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(url, data=body, headers=dict(headers or {}))  # noqa: S310 - our own servers
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.tls))
        try:
            with opener.open(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def _start(self, name: str, *arguments: str) -> None:
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "isthmus", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **self._environment(name)},
            )

    def _environment(self, _name: str) -> dict[str, str]:
        """What else stands in the environment of a process."""
        return {}

    def _domains(self) -> list[str]:
        """What the agents answer for."""
        domains: list[str] = []
        directories = tomllib.loads(self._directories)["directories"]
        for directory in directories:
            domains += [directory["name"], *directory.get("upn_suffixes", ())]
            domains += [name for name in (directory.get("netbios_name"),) if name]
        return [*domains, "*"] if len(directories) == 1 else domains

    def _relay_toml(self) -> str:
        return f"""
[server]
state_dir = "relay"
public_url = "{self.url}"
listen = "{self.public.listen}"
tls_certificate = "tls/cert.pem"
tls_key = "tls/key.pem"
metrics_listen = "{self.address}:{self.metrics_port}"
{self._relay_extra}
[server.signin]
organisation = "Example University"
"""

    def _agent_toml(self, name: str) -> str:
        return f"""
state_dir = "{name}"

[core]
tls_ca_file = "tls/ca.pem"
health_listen = "{self.address}:{free_port(self.address)}"
proxy = "none"
{self._agent_extra}
{self._directories}
"""


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
