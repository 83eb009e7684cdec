"""Nodes that go away, partners that lag, Entra ID out of reach, people who meddle; and never an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adfs_mgmt.farm import Use
from adfs_mgmt.procedures.request import RolloverRequest
from adfs_mgmt.procedures.rollover import STATES
from certs import Partner, PartnerKind
from foundation.procedures import Acknowledged, Completed, End, Refused, RunResult, read, turn_back
from tests.adfs.procedures.driving import Fuse, begin, drive, end_state, once, opened, procedure, turn
from tests.adfs.procedures.world import DAY, NEW_SSL, NOW, TOKEN, World, certificate, thumb
from tests.support.examples import examples


def text_of(outcome: RunResult) -> str:
    """What the administrator is told."""
    return " ".join([outcome.problem, *outcome.step.reasons, *map(str, outcome.step.missing)])


def _token() -> tuple[World, RolloverRequest]:
    return World(nodes=("n1", "n2")), RolloverRequest(kind="token", uses=TOKEN)


def _ssl() -> tuple[World, RolloverRequest]:
    world = World(nodes=("n1", "n2"), proxies=("p1",), vault={NEW_SSL})
    return world, RolloverRequest(kind="ssl", certificate=certificate(NEW_SSL), material=True)


@pytest.mark.parametrize(("story", "host"), [(_token, "n1"), (_token, "n2"), (_ssl, "n2"), (_ssl, "p1")])
async def test_a_server_goes_away_at_each_step(
    story: Callable[[], tuple[World, RolloverRequest]], host: str, tmp_path: Path
) -> None:
    """Whenever it goes, the run stops and names it; when it is back, the same end is reached."""
    clean, request = story()
    counting = Fuse()
    assert (await drive(tmp_path / "clean.jsonl", clean, request=request, fuse=counting)).end is End.DONE
    for at in range(1, counting.count, 3):
        world, request = story()
        count = 0

        def leave(what: str, world: World = world, at: int = at) -> None:
            nonlocal count
            count += 1
            if count == at:
                world.offline = {host}

        path = tmp_path / f"{at}.jsonl"
        outcome = await drive(path, world, request=request, fuse=leave)
        stopped = outcome.end is not End.DONE
        assert not stopped or host in text_of(outcome), (at, outcome)
        world.offline.clear()
        world.event = lambda what: None
        if stopped:
            assert (await drive(path, world, request=request)).end is End.DONE
        assert end_state(world)["token"] == end_state(clean)["token"]
        assert end_state(world)["bindings"] == end_state(clean)["bindings"]


async def test_promotion_waits_for_known_partners(tmp_path: Path) -> None:
    """A manual partner that nobody has told holds promotion up however long it takes; an unknown one is only named."""
    world, request = _token()
    world.partners = (Partner(name="Payroll", kind=PartnerKind.MANUAL), Partner(name="Wiki"))
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    outcome = await once(path, world)
    assert outcome.end is End.ASKING
    assert outcome.step.ask == ("Payroll",)
    assert any("Wiki" in note for note in outcome.step.notes)
    world.time += 8 * DAY
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="promote"), world.time)
    assert (await once(path, world)).step.ask == ("Payroll",)
    assert world.config.token[Use.SIGNING][0] == thumb("old-s")
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="Payroll"), world.time)
    assert (await once(path, world)).step.stage == "soak"


async def test_promotion_waits_for_the_slowest_refresh(tmp_path: Path) -> None:
    """An automatic partner that reads metadata every nine days gets nine days."""
    world, request = _token()
    world.partners = (Partner(name="Slow", kind=PartnerKind.AUTOMATIC, refresh=9 * DAY),)
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    outcome = await once(path, world)
    assert outcome.end is End.WAITING
    assert outcome.step.until == pytest.approx(world.time + 9 * DAY, abs=60)


async def test_when_the_old_one_is_about_to_end_nothing_waits(tmp_path: Path) -> None:
    """Two days before the end the laggards lose either way: it says so, and may be promoted."""
    world, request = _token()
    world.partners = (Partner(name="Payroll", kind=PartnerKind.MANUAL),)
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    await once(path, world)
    world.time = NOW + 13.5 * DAY
    outcome = await once(path, world)
    assert outcome.step.ask == ("promote",)
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="promote"), world.time)
    assert (await once(path, world)).step.stage == "soak"


async def test_entra_out_of_reach(tmp_path: Path) -> None:
    """Nothing is published or promoted while it cannot be asked; afterwards it goes on."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    world.entra_down = True
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert "Entra ID cannot be reached" in text_of(outcome)
    world.entra_down = False
    assert (await drive(path, world, request=request)).end is End.DONE


async def test_a_domain_that_loses_the_new_certificate_gets_it_again(tmp_path: Path) -> None:
    """Somebody (or Entra ID itself) overwrites the slot while partners have their time: published again before promotion."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    assert (await once(path, world)).end is End.WAITING
    world.domains["a.example"] = [thumb("old-s")]
    world.time += 6 * DAY
    assert (await once(path, world)).step.ask == ("promote",)
    assert thumb("made-1") in world.domains["a.example"]


async def test_a_domain_that_lost_the_live_key_is_a_lost_trust(tmp_path: Path) -> None:
    """Nobody there can sign in: that is said, and the free slot is not touched."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    world.domains["a.example"] = [thumb("stranger")]
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert "rebuild that trust first" in text_of(outcome)
    assert world.domains["a.example"] == [thumb("stranger")]


@pytest.mark.parametrize(
    ("meddle", "words"),
    [
        (lambda world: setattr(world.config, "auto", True), "AutoCertificateRollover has been turned on"),
        (lambda world: world.config.token[Use.SIGNING].append(thumb("third")), "a third Token-Signing certificate"),
        (lambda world: world.config.token[Use.SIGNING].remove(thumb("made-1")), "has been removed from the farm"),
    ],
)
async def test_somebody_meddles(meddle: Callable[[World], None], words: str, tmp_path: Path) -> None:
    """What another administrator did meanwhile is refused, not overwritten."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    assert (await once(path, world)).end is End.WAITING
    meddle(world)
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert words in text_of(outcome)


async def test_a_command_that_never_works_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by the host, it stops at once; begun three times without a trace, it is not begun again."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    monkeypatch.setattr(World, "_update_adfscertificate", lambda *args: None)
    outcomes = [await once(path, world) for _ in range(2)]
    assert outcomes[-1].end is End.REFUSED
    assert "was tried 3 times without effect" in text_of(outcomes[-1])
    assert sum("Update-AdfsCertificate" in line for line in world.log) <= 6


async def test_never_two_nodes_away_at_once(tmp_path: Path) -> None:
    """In a rolling restart the next node waits until the one before it serves again; the primary is last."""
    world, request = World(restart_seconds=45.0), RolloverRequest(kind="token", uses=TOKEN)
    away: list[int] = []
    world.event = lambda what: (
        away.append(sum(at > world.time for at in world.back_at.values())) if what == "before Restart-Service" else None
    )
    await drive(tmp_path / "j.jsonl", world, request=request, stop=lambda outcome: outcome.step.stage == "soak")
    assert away == [0, 0, 0]
    assert world.restarted == ["n2", "n3", "n1"]


async def test_a_node_that_does_not_come_back(tmp_path: Path) -> None:
    """It stops there, names the node, and leaves the others alone."""
    world, request = World(restart_seconds=1e9), RolloverRequest(kind="token", uses=TOKEN)
    outcome = await drive(tmp_path / "j.jsonl", world, request=request)
    assert outcome.end is End.STOPPED
    assert "n2: the federation service does not answer" in text_of(outcome)
    assert world.restarted == ["n2"]


async def test_lost_at_the_last_moment(tmp_path: Path) -> None:
    """A domain that loses the new certificate between the person's word and promotion gets it again before promotion."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=request, stop=lambda outcome: outcome.step.ask == ("promote",))
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="promote"), world.time)
        journal.append(Completed(stage="approve"), world.time)
    world.domains["b.example"] = [thumb("old-s")]
    world.event = Chaos(world, set(), set())
    outcome = await once(path, world)
    assert outcome.step.stage == "soak", outcome
    assert thumb("made-1") in world.domains["b.example"]


async def test_a_partner_that_comes_to_light_before_promotion(tmp_path: Path) -> None:
    """Somebody says only after the waiting that a partner must be told by hand: promotion is refused and names it."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    await drive(path, world, request=request, stop=lambda outcome: outcome.step.ask == ("promote",))
    world.partners = (Partner(name="Payroll", kind=PartnerKind.MANUAL),)
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="promote"), world.time)
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert "Payroll" in text_of(outcome)
    assert world.config.token[Use.SIGNING][0] == thumb("old-s")


async def test_no_way_back_after_the_old_one_is_gone(tmp_path: Path) -> None:
    """Once removal has begun, and in an emergency, a rollback is refused with the reason."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    world.interrupt = {"withdraw"}
    outcome = await drive(path, world, request=request, stop=lambda outcome: "remove" in outcome.record.completed)
    with pytest.raises(Refused, match="a rollback is not possible"):
        turn_back(procedure(outcome.record), outcome.record, "start")
    await drive(tmp_path / "e.jsonl", world, request=RolloverRequest(kind="emergency", uses=TOKEN))
    record = read(tmp_path / "e.jsonl", STATES)
    assert record is not None
    with pytest.raises(Refused, match="emergency"):
        turn_back(procedure(record), record, "start")


async def test_back_to_published_and_on(tmp_path: Path) -> None:
    """The old one signs again, the new one stays published; promoting again needs a person again."""
    world, request = _token()
    path = tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=request, stop=lambda outcome: outcome.step.stage == "soak")
    turn(path, world, outcome.record, "published")
    outcome = await once(path, world)
    assert outcome.step.stage == "approve"
    assert world.config.token[Use.SIGNING] == [thumb("old-s"), thumb("made-1")]
    assert all(thumb("made-1") in slots for slots in world.domains.values())
    assert (await drive(path, world, request=request)).end is End.DONE
    assert world.config.token[Use.SIGNING] == [thumb("made-1")]


@dataclass
class Chaos:
    """Faults at given events, and a watch that sign-in never breaks."""

    world: World
    kills: set[int]
    lost: set[str]
    count: int = field(default=0)

    def __call__(self, what: str) -> None:
        signing = self.world.config.token[Use.SIGNING][0]
        for host in self.world.nodes:
            used = self.world.seen(host).token[Use.SIGNING][0]
            assert all(used in slots for slots in self.world.domains.values()), f"outage at {what}: {host} signs with {used}"
        assert len(self.world.config.token[Use.SIGNING]) <= 2, f"a third certificate at {what}: {signing}"
        self.count += 1
        if self.count in self.kills:
            Fuse(0)(what)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kills=st.sets(st.integers(1, 160), max_size=5),
    lost=st.sets(
        st.sampled_from(["Update-AdfsCertificate", "Set-AdfsCertificate", "Remove-AdfsCertificate", "publish", "withdraw"])
    ),
    back=st.sampled_from(["", "published", "start"]),
)
def test_never_an_outage(tmp_path_factory: pytest.TempPathFactory, kills: set[int], lost: set[str], back: str) -> None:
    """Whatever is killed, lost or rolled back: every domain always has what every node signs with, never a third one."""
    world, request = _token()
    world.interrupt = set(lost)
    world.event = Chaos(world, kills, lost)
    path = tmp_path_factory.mktemp("chaos") / "j.jsonl"

    async def story() -> None:
        soak: Callable[[RunResult], bool] = lambda outcome: outcome.step.stage == "soak"  # noqa: E731
        outcome = await drive(path, world, request=request, stop=soak)
        if back and outcome.end is not End.DONE:
            turn(path, world, outcome.record, back)
        outcome = await drive(path, world, request=request)
        assert outcome.end is End.DONE, outcome
        kept = thumb("old-s") if back == "start" else world.config.token[Use.SIGNING][0]
        assert world.config.token[Use.SIGNING] == [kept]
        assert all(kept in slots for slots in world.domains.values())
        assert world.config.auto

    asyncio.run(story())


async def test_supplied_key_that_is_not_here(tmp_path: Path) -> None:
    """On another workstation the key is missing: it says so, and goes on when the PFX file is given."""
    world, request = _ssl()
    world.vault.clear()
    path = tmp_path / "j.jsonl"
    await begin(path, world, request)
    outcome = await once(path, world)
    assert outcome.end is End.STOPPED
    assert "give the PFX file again" in text_of(outcome)
    world.vault.add(NEW_SSL)
    assert (await drive(path, world, request=request)).end is End.DONE
