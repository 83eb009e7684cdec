"""An agent's setup with nothing in memory: a real domain, a real relay, and our own commands as processes."""

from __future__ import annotations

import asyncio
import os
import tomllib
from pathlib import Path

import pytest

from demo.samba import ServiceAccount, ThrowawayDomain
from directory import Credential, Directories, read_chain
from gateway.app import Relay
from isthmus.agent_settings import AgentSettings
from isthmus.agent_setup import AgentChecked, Preparer, RealSurroundings, known_answers, plan_steps, read_existing
from isthmus.setup import Given, Interview, PosixMachine, StepReport, UserIds, carry_out
from settings import load_settings
from tests.isthmus.agent_setup.setting import Somebody
from tests.support.relay_and_agent import relay

pytestmark = [pytest.mark.samba, pytest.mark.system]


class OwnMachine(PosixMachine):
    """This machine, where the service's user is whoever runs the test: no user is made."""

    def user(self, name: str) -> UserIds | None:
        return UserIds(os.geteuid(), os.getegid())


def set_up(config: Path, given: dict[str, str]) -> tuple[list[StepReport], AgentChecked]:
    """All but the user, whom the real step refuses to be root."""
    machine = OwnMachine()
    existing = read_existing(machine, config)
    interview = Interview({key: Given(text, key) for key, text in given.items()}, None, known_answers(existing, machine))
    prepared = Preparer(interview, existing, machine, RealSurroundings(), Somebody()).prepare()
    steps, checked = plan_steps(prepared, systemd=False)
    reports = carry_out(steps[1:], machine, tell=lambda _: None, agree=lambda title, difference: False)
    return reports, checked


async def token_of(running: Relay, domain: ThrowawayDomain) -> str:
    domains = (domain.dns_domain, domain.netbios_name, "*")
    return (await running.administration.create_token("dc1-agent", "test", domains)).text


async def test_a_machine_becomes_an_agent_that_signs_users_in(
    domain: ThrowawayDomain, service: ServiceAccount, tmp_path: Path
) -> None:
    """The names come from the directory, the authority from its controller; a second run enrols nobody again."""
    server, config = f"{domain.address}:636", tmp_path / "etc" / "agent.toml"
    shown = await read_chain(server)
    assert shown.root is not None
    async with relay(tmp_path) as running:
        given = {
            "token": await token_of(running, domain),
            "domain": domain.dns_domain,
            "servers": server,
            "accept_fingerprints": shown.root.printed_fingerprint,
            "service_user": service.upn,
            "service_password": service.password_file.read_text(),
            "relay_ca_file": str(tmp_path / "tls" / "ca.pem"),
            "proxy": "none",
            "state_dir": str(tmp_path / "state"),
        }
        reports, checked = await asyncio.to_thread(set_up, config, given)
        again, _ = await asyncio.to_thread(set_up, config, given)
        (agent,) = await running.administration.agents()
    assert [report.title for report in reports if report.result == "already"] == []
    assert [report.title for report in again if report.result == "done"] == ["check"]
    assert not [warning for warning in checked.warnings if ": TLS:" not in warning]  # the certificate ends soon
    assert agent.name == "dc1-agent"
    settings = load_settings(config, AgentSettings)
    assert tomllib.loads(config.read_text())["directories"][0]["netbios_name"] == "CORP"
    directories = Directories(settings.directories)
    anna = domain.people["anna"]
    result = await directories.verify(Credential(anna.upn, anna.password), deadline=asyncio.get_running_loop().time() + 1e10)
    await directories.close()
    assert result.outcome == "success"
