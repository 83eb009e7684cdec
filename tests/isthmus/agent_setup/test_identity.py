"""What root's setup reads of the identity, in a directory that is the agent's user's."""

from __future__ import annotations

from pathlib import Path

from certs import Authority, MachineIdentity, Role
from gateway.agent import AgentCoreSettings
from isthmus.agent_setup import RealSurroundings
from isthmus.agent_setup.steps import AgentEnrolled
from isthmus.setup import PosixMachine

CORE = AgentCoreSettings(relays=("https://127.0.0.1:1",))


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """Its owner could lay one to what only root may read, such as another agent's identity."""
    machine = PosixMachine()
    real, linked = tmp_path / "real", tmp_path / "linked"
    authority = Authority.create(tmp_path / "ca", name="relay1", now=machine.now())
    issued = authority.issue(
        MachineIdentity.begin(real / "identity", name="dc1"), name="dc1", role=Role.AGENT, now=machine.now()
    )
    der = authority.certificate_der
    MachineIdentity.install(real / "identity", issued, der, name="dc1", role=Role.AGENT, now=machine.now())
    linked.mkdir()
    (linked / "identity").symlink_to(real / "identity")
    (tmp_path / "by-name").symlink_to(real)  # an administrator's, above it
    around = RealSurroundings()
    for state_dir, name in ((real, "dc1"), (tmp_path / "by-name", "dc1"), (linked, None)):
        enrolled = around.enrolled(state_dir)
        step = AgentEnrolled(state_dir=state_dir, config=tmp_path / "agent.toml")
        assert (enrolled.name if enrolled is not None else None) == name
        assert step.find(machine).done is (name is not None)
    assert around.relay_verdict(CORE, linked) is None
