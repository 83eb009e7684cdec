"""The executor on the real Graph client, against the fake tenant."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adfs_mgmt.farm import ExternalView, Farm, Properties
from adfs_mgmt.procedures import acts
from adfs_mgmt.procedures.executor import AdfsExecutor
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.trust import Entra
from foundation.graph import Graph
from foundation.procedures import ActFailed
from tests.adfs.procedures.world import World
from tests.adfs.trust.conftest import EVERYTHING, FEDERATION, Naps, federation, settings_for, signing
from tests.fakes.graph import FakeGraph


async def test_publish_and_withdraw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into the free slot, and out again: the other one stays; and withdrawing is refused where it is not there."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    old, new = signing("old"), signing("new")
    outside = ExternalView(federation_name=FEDERATION, read_at=0.0, served=(), certificates={new.thumbprint: new})
    farm = Farm(name="prod", read_at=0.0, properties=Properties(), nodes=())

    async def look() -> FarmObservation:
        return FarmObservation(farm=farm, outside=outside)

    async with FakeGraph() as fake:
        fake.add_domain("example.com", federation=federation("example.com", old))
        application = fake.register("Isthmus", roles=EVERYTHING)
        trust = Entra([Graph(settings_for(fake, application, tmp_path), sleep=Naps())], FEDERATION, tmp_path / "state")
        executor = AdfsExecutor(World(), look, trust, None, time.time)
        await executor.observe()

        async def slots() -> set[str]:
            (found,) = await trust.domains(time.time())
            return set(found.certificates)

        assert await slots() == {old.thumbprint}
        put = acts.publish("example.com", new.thumbprint, old.thumbprint)
        for _ in range(2):
            await executor.do(put)
            assert await slots() == {old.thumbprint, new.thumbprint}
        take = acts.withdraw("example.com", old.thumbprint, new.thumbprint)
        await executor.do(take)
        assert await slots() == {new.thumbprint}
        with pytest.raises(ActFailed) as caught:
            await executor.do(acts.withdraw("example.com", new.thumbprint, old.thumbprint))
        assert caught.value.effect == "none"
        assert await slots() == {new.thumbprint}
        await trust.close()
