"""A throwaway ACME server: Debian's pebble with pebble-challtestsrv as its DNS, on loopback, gone without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from demo.stand import free_port
from demo.throwaway_tls import write_certificates

EAB_KEY_ID = "kid-1"
EAB_HMAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


class ThrowawayPebble:
    """Context manager. Refuses a fifth of all nonces, never remembers an authorisation, issues at full speed.

    `hook` is a program for dns-01 that sets TXT records at its DNS server; what it was called with is in `hook_calls`.
    """

    def __init__(self, *, eab: bool = False, environment: Mapping[str, str] | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="isthmus-pebble-"))
        self.ca_file = self.home / "tls" / "ca.pem"
        self.hook = self.home / "hook"
        self.http_port, self._port, self._management, self._dns, self._records = (free_port() for _ in range(5))
        self.directory = f"https://127.0.0.1:{self._port}/dir"
        self._eab = eab
        self._environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20", "PEBBLE_AUTHZREUSE": "0"}
        self._environment |= environment or {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> ThrowawayPebble:
        try:
            self._set_up()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stops both servers and removes every file."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def hook_calls(self) -> list[list[str]]:
        """Arguments of each call: action, domain, record, value."""
        log = self.home / "hook.log"
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []

    def roots(self) -> list[bytes]:
        """PEM of its root certificates, each with its chain's name."""
        return [self._managed(f"roots/{number}") for number in range(2)]

    def _managed(self, path: str) -> bytes:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(f"https://127.0.0.1:{self._management}/{path}", context=context, timeout=5) as answer:
            return bytes(answer.read())

    def _set_up(self) -> None:
        write_certificates(self.home / "tls", dns_name="localhost", address="127.0.0.1")
        settings: dict[str, object] = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self.home / "tls" / "cert.pem"),
            "privateKey": str(self.home / "tls" / "key.pem"),
            "httpPort": self.http_port,
            "tlsPort": self.http_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": self._eab,
            "externalAccountMACKeys": {EAB_KEY_ID: EAB_HMAC} if self._eab else {},
        }
        (self.home / "pebble.json").write_text(json.dumps({"pebble": settings}))
        self.hook.write_text(
            f"""#!/bin/sh
set -eu
[ "$*" = "$ISTHMUS_ACME_ACTION $ISTHMUS_ACME_DOMAIN $ISTHMUS_ACME_RECORD $ISTHMUS_ACME_VALUE" ]
echo "$@" >>{self.home}/hook.log
case $1 in present) to=set-txt ;; cleanup) to=clear-txt ;; esac
/usr/bin/python3 -c 'import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], sys.argv[2].encode()), timeout=5)' \\
    "http://127.0.0.1:{self._records}/$to" '{{"host": "'"$3."'", "value": "'"$4"'"}}'
"""
        )
        self.hook.chmod(0o700)

    def _start(self) -> None:
        nothing = ["-http01", "", "-https01", "", "-tlsalpn01", ""]
        self._run(
            "pebble-challtestsrv",
            *("-dns01", f"127.0.0.1:{self._dns}", "-management", f"127.0.0.1:{self._records}", "-defaultIPv6", ""),
            *nothing,
        )
        self._run("pebble", "-strict", "-config", str(self.home / "pebble.json"), "-dnsserver", f"127.0.0.1:{self._dns}")
        for port in (self._records, self._port, self._management):
            self._wait_for(port)

    def _run(self, program: str, *arguments: str) -> None:
        found = shutil.which(program)
        if found is None:
            raise RuntimeError(f"{program} is not installed; run: apt-get install --no-install-recommends pebble")
        with (self.home / f"{program}.log").open("wb") as log:
            environment = {**os.environ, **self._environment}
            started = subprocess.Popen(
                [found, *arguments], env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._processes.append(started)

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.02)
        logs = "".join(path.read_text(errors="replace")[-600:] for path in self.home.glob("*.log"))
        raise RuntimeError(f"pebble did not start: {logs}")
