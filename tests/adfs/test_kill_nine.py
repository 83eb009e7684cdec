"""`kill -9` at every change, in real processes: right before it takes effect, or right after, before the answer.

In one walk every command that changes something is the last its process ever sent: in turns before and after its effect,
or, in `make test-long`, in one walk before each and in another after each (other tests have every point inside one process).
It is started again, as an administrator would, until the work is done. Then everything is as after a run that nobody
disturbed, and nothing that is not harmless twice was done twice.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from demo.adfs import PASSWORD
from tests.adfs.killing import NEW_NODE, NEW_PROXY, Caller, Site, When, other_farm, site
from tests.adfs.simulator.simulator import ADMIN

pytestmark = pytest.mark.system

HURRY = ("--wait-days", "0", "--soak-days", "0")
GO_ON = ("rollover", "apply", "--yes")
ALONE = {"nodes": 1}
"""A farm of one node: quicker, where a second one would add nothing but another restart."""
HARMLESS_TWICE = {"Restart-Service", "Grant-IsthmusKeyAccess"}
"""What leaves no trace of its own to look at: it is done again where nobody knows whether it was done."""


@dataclass(frozen=True)
class Story:
    """Something that an administrator does. `before` nobody is killed."""

    tell: Callable[[Site], None]
    before: Callable[[Site], None] = lambda site: None
    farm: dict[str, Any] = field(default_factory=dict)
    walks: tuple[When, ...] = ("in turns",)


def _made(site: Site) -> None:
    site.keep_on("rollover", "apply", "--use", "signing", *HURRY, "--yes")
    _promoted_and_retired(site)


def _supplied(site: Site) -> None:
    site.keep_on("rollover", "apply", "--use", "signing", *HURRY, *site.pfx(site.supplied), "--yes", then=GO_ON)
    _promoted_and_retired(site)


def _promoted_and_retired(site: Site) -> None:
    site.keep_on("rollover", "promote", "--yes", then=GO_ON)
    site.keep_on("rollover", "retire", "--yes", then=GO_ON)
    assert site.outcome("token") == "done"


def _promoted(site: Site) -> None:
    site.keep_on("rollover", "apply", "--use", "signing", *HURRY, "--yes")
    site.keep_on("rollover", "promote", "--yes")


def _rolled_back(site: Site) -> None:
    site.keep_on("rollover", "rollback", "--to", "start", "--yes", then=GO_ON)
    assert site.outcome("token") == "rolled back"


def _ssl(site: Site) -> None:
    site.keep_on("ssl", "apply", *site.pfx(site.new_ssl), "--yes", then=("ssl", "apply", "--yes"))
    assert site.outcome("ssl") == "done"


def _emergency(site: Site) -> None:
    site.keep_on("rollover", "emergency", "--use", "signing", "--yes", then=GO_ON)
    while not site.outcome("token"):
        assert site.isthmus("rollover", "acknowledge", *site.asked()) == 0, site.caller.said
        site.keep_on(*GO_ON)
    assert site.outcome("token") == "done"


def _on(site: Site, what: str, host: str, *words: str) -> None:
    """A deployment, and `--resume` after a kill."""
    given = (*what.split(), site.place(host), *words, "--yes")
    site.keep_on(*given, then=given if "--undo" in words else (*given, "--resume"))


def _admin(site: Site) -> tuple[str, ...]:
    return ("--admin-user", ADMIN, "--admin-password-file", site.secret("admin", PASSWORD))


def _farm_new(site: Site) -> None:
    site.config = other_farm(site)
    given = ("--thumbprint", site.own_ssl.thumbprint, "--service-account", "CORP\\adfs-svc$")
    _on(site, "farm new", NEW_NODE, *given, *_admin(site))


def _node_add(site: Site) -> None:
    _on(site, "node add", NEW_NODE, *_admin(site))


def _node_remove(site: Site) -> None:
    _on(site, "node remove", NEW_NODE)


def _joined_and_killed(site: Site) -> None:
    """The join took effect, and whoever sent it is gone."""
    site.killer.when, site.killer.only = "after", "Add-AdfsFarmNode"
    assert site.isthmus("node", "add", site.place(NEW_NODE), *_admin(site), "--yes") == -signal.SIGKILL
    site.killer.when, site.killer.only, site.killer.kills = "never", "", 0


def _node_undone(site: Site) -> None:
    _on(site, "node add", NEW_NODE, *_admin(site), "--undo")


def _proxy_add(site: Site) -> None:
    _on(site, "proxy add", NEW_PROXY, "--trust-user", ADMIN, "--trust-password-file", site.secret("trust", PASSWORD))


def _proxy_remove(site: Site) -> None:
    _on(site, "proxy remove", NEW_PROXY)


STORIES = {
    "token made by AD FS": Story(_made, farm={"nodes": 1, "domains": 2}),
    "token supplied": Story(_supplied, farm=ALONE),
    "token rolled back": Story(_rolled_back, before=_promoted, farm=ALONE),
    "ssl": Story(_ssl, farm={**ALONE, "proxies": 1}),
    "emergency": Story(_emergency, farm=ALONE),
    "farm new": Story(_farm_new, farm=ALONE),
    "node add": Story(_node_add, farm=ALONE, walks=("before", "after")),
    "node add undone": Story(_node_undone, before=_joined_and_killed, farm=ALONE),
    "node remove": Story(_node_remove, before=_node_add, farm=ALONE),
    "proxy add": Story(_proxy_add, farm=ALONE),
    "proxy remove": Story(_proxy_remove, before=_proxy_add, farm=ALONE),
}


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Starts the processes."""
    with Caller(tmp_path_factory.mktemp("said") / "said.txt") as running:
        yield running


@pytest.mark.parametrize("name", STORIES)
def test_killed_at_every_change_it_ends_as_if_undisturbed(name: str, caller: Caller, tmp_path: Path) -> None:
    """Each walk, against a run in peace."""
    peaceful = walk(STORIES[name], "never", caller, tmp_path)
    for when in STORIES[name].walks:
        walk(STORIES[name], when, caller, tmp_path).ends_as(peaceful)


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", STORIES)
def test_killed_at_every_point_on_a_whole_farm(name: str, when: When, caller: Caller, tmp_path: Path) -> None:
    """Before each effect in one walk, after each in another; on two nodes with a proxy and two domains of Entra ID."""
    story = replace(STORIES[name], farm={"nodes": 2, "proxies": 1, "domains": 2})
    walk(story, when, caller, tmp_path).ends_as(walk(story, "never", caller, tmp_path))


@dataclass(frozen=True)
class Walk:
    """What came of it."""

    state: dict[str, Any]
    effects: Counter[tuple[str, str]]
    kills: int

    def twice_harmful(self, peaceful: Walk) -> dict[tuple[str, str], int]:
        """What took effect more often than in peace, and less often."""
        return {
            each: self.effects[each] - peaceful.effects[each]
            for each in self.effects | peaceful.effects
            if self.effects[each] != peaceful.effects[each] and each[1] not in HARMLESS_TWICE
        }

    def ends_as(self, peaceful: Walk) -> None:
        """Nothing tells the one that was killed from the one that was not."""
        assert self.state == peaceful.state
        assert self.twice_harmful(peaceful) == {}
        assert self.kills >= sum(peaceful.effects.values()) > 0, "each of them was the last of a process"


def walk(story: Story, when: When, caller: Caller, tmp_path: Path) -> Walk:
    """One story from beginning to end."""
    home = tmp_path / when.replace(" ", "-")
    home.mkdir()
    with site(home, caller, **story.farm) as here:
        story.before(here)
        here.killer.effects.clear()
        here.killer.when = when
        story.tell(here)
        here.killer.when = "never"
        assert here.keys == []
        assert when == "never" or here.failures() == set()
        return Walk(here.state(), Counter(here.killer.effects), here.killer.kills)
