"""The rollover's hands on the real Graph client, against the fake tenant."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adfs_mgmt.farm import ExternalView, Farm, Properties
from adfs_mgmt.rollover.errors import ActFailed
from adfs_mgmt.rollover.hands import Hands
from adfs_mgmt.rollover.looking import domain
from adfs_mgmt.rollover.model import Act, Publish, Snapshot, Withdraw
from adfs_mgmt.trust.port import Entra
from foundation.graph import Graph
from tests.adfs.rollover.world import World
from tests.adfs.trust.conftest import EVERYTHING, FEDERATION, Naps, federation, settings_for, signing
from tests.fakes.graph import FakeGraph


async def test_publish_and_withdraw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the free slot, and out again: the other one stays; and withdrawing is refused where it is not there."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    old, new = signing("old"), signing("new")
    outside = ExternalView(federation_name=FEDERATION, read_at=0.0, served=(), certificates={new.thumbprint: new})
    farm = Farm(name="prod", read_at=0.0, properties=Properties(), nodes=())

    async def look() -> Snapshot:
        return Snapshot(farm=farm, outside=outside)

    async with FakeGraph() as fake:
        fake.add_domain("example.com", federation=federation("example.com", old))
        application = fake.register("Isthmus", roles=EVERYTHING)
        trust = Entra([Graph(settings_for(fake, application, tmp_path), sleep=Naps())], FEDERATION, tmp_path / "state")
        hands = Hands(World(), look, trust, None, time.time)
        await hands.look()

        async def slots() -> set[str]:
            (found,) = await trust.domains(time.time())
            return set(domain(found).certificates)

        assert await slots() == {old.thumbprint}
        put = Act(host="entra", what=Publish(domain="example.com", thumbprint=new.thumbprint, keep=old.thumbprint))
        for _ in range(2):
            await hands.do(put)
            assert await slots() == {old.thumbprint, new.thumbprint}
        take = Act(host="entra", what=Withdraw(domain="example.com", thumbprint=old.thumbprint, keep=new.thumbprint))
        await hands.do(take)
        assert await slots() == {new.thumbprint}
        with pytest.raises(ActFailed) as caught:
            await hands.do(
                Act(host="entra", what=Withdraw(domain="example.com", thumbprint=new.thumbprint, keep=old.thumbprint))
            )
        assert caught.value.effect == "none"
        assert await slots() == {new.thumbprint}
        await trust.close()
