"""Answers, certificates, and a machine on which our own commands do what the real ones leave."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from demo.throwaway_tls import write_certificates
from tests.fakes.machine import FakeMachine

GIVEN = {
    "public_url": "https://localhost",
    "certificate": "files",
    "tls_certificate": "/root/tls/cert.pem",
    "tls_key": "/root/tls/key.pem",
    "organisation": "Example",
    "domains": "corp.example.com, example.com",
    "name": "relay1",
}
STATE = Path("/var/lib/isthmus-relay")


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Certificate and key for `localhost` and 127.0.0.1."""
    directory = tmp_path_factory.mktemp("tls")
    write_certificates(directory, dns_name="localhost", address="127.0.0.1")
    return (directory / "cert.pem").read_bytes(), (directory / "key.pem").read_bytes()


@pytest.fixture
def machine(pair: tuple[bytes, bytes]) -> FakeMachine:
    """A bare one, with systemd, and a certificate that only root can read."""
    return bare_machine(pair)


def bare_machine(pair: tuple[bytes, bytes]) -> FakeMachine:
    machine = FakeMachine(
        commands={
            ("relay", "init"): _init,
            ("relay", "agents"): lambda machine, _arguments, _text: json.dumps(machine.agents),
            ("relay", "token"): _token,
            ("config", "check"): lambda _machine, _arguments, _text: "good",
            ("relay", "check"): lambda _machine, _arguments, _text: "[]",
        },
        looks={("relay", "agents"), ("config", "check"), ("relay", "token"), ("relay", "check")},
        clock=time.time(),  # the certificates are made as of now
    )
    machine.put("/root/tls/cert.pem", pair[0], 0o600)
    machine.put("/root/tls/key.pem", pair[1], 0o600)
    machine.readable.add(Path(__file__).parents[3] / "isthmus" / "__init__.py")
    return machine


def _init(machine: FakeMachine, arguments: Sequence[str], _text: str) -> str:
    """As the real one: the directory has to be there, and its owner does it."""
    owner = machine.files[STATE].access
    machine.put(str(STATE / "secret.key"), b"x" * 32, 0o600, owner.uid, owner.gid)
    return ""


def _token(machine: FakeMachine, arguments: Sequence[str], _text: str) -> str:
    assert STATE / "secret.key" in machine.files
    machine.asked_for.append(list(arguments))
    return json.dumps({"text": "isth1.token", "expires_at": machine.clock + 900})
