"""A folder of trust files, followed into the store; each look is a call, so that nobody waits."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from structlog.typing import EventDict

from gateway.federation.trusts import TrustFolder, TrustRegistry, file_problems
from gateway.federation.trusts.acts import TrustActs
from gateway.housekeeping import Housekeeping
from gateway.protocol import AccountId
from gateway.store import DutyLost, GrantRecord, Store
from tests.gateway.federation.trusts.samples import NOW, OIDC, SAML


class Follower:
    """A folder on disk, and the node that follows it."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path, self.store = path, store
        self.registry = TrustRegistry(store.trusts)
        self.folder = TrustFolder(path, store, self.registry, lambda: NOW)
        self._written = 0

    def write(self, name: str, text: str) -> None:
        """With a time of its own: two writes within a tick of the file system would look like one."""
        self._written += 1
        (self.path / name).write_text(text)
        os.utime(self.path / name, (self._written, self._written))

    async def settle(self) -> None:
        for _ in range(2):
            await self.folder.look()

    async def versions(self) -> dict[str, tuple[int, str]]:
        return {record.id: (record.version, record.disabled) for record in await self.store.trusts.all()}


@pytest.fixture
def follower(tmp_path: Path, store: Store) -> Follower:
    path = tmp_path / "trusts"
    path.mkdir()
    return Follower(path, store)


async def test_a_file_becomes_a_trust_and_its_change_the_next_version(follower: Follower) -> None:
    """In force on this node at once; the trail names file and difference."""
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    assert follower.registry.get("wiki") is not None
    follower.write("wiki.toml", OIDC.replace('"Wiki"', '"Pages"'))
    await follower.settle()
    await follower.settle()
    assert await follower.versions() == {"wiki": (2, "")}
    (trust,) = follower.registry.all()
    assert trust.name == "Pages"
    entries = [entry.event for entry in await follower.store.audit.entries(limit=9)]
    assert [(event.kind, event.actor, event.detail["origin"]) for event in entries] == [
        ("trust.changed", "relay", "file:wiki.toml"),
        ("trust.added", "relay", "file:wiki.toml"),
    ]


async def test_half_a_file_is_left_for_the_next_look(follower: Follower) -> None:
    """It may be a whole trust without its restrictions."""
    whole = OIDC + '[access]\ngroups = ["Staff"]\n'
    follower.write("wiki.toml", OIDC)
    await follower.folder.look()
    follower.write("wiki.toml", whole)
    await follower.folder.look()
    assert await follower.versions() == {}
    await follower.folder.look()
    (trust,) = follower.registry.all()
    assert trust.access.groups == ("Staff",)


async def test_a_removed_file_disables_and_its_return_enables(follower: Follower) -> None:
    """Nothing is deleted; a file that is away at one look only, as editors replace them, is not removed."""
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    (follower.path / "wiki.toml").unlink()
    await follower.folder.look()
    assert follower.registry.get("wiki") is not None
    await follower.folder.look()
    assert follower.registry.get("wiki") is None
    assert await follower.versions() == {"wiki": (2, "its file was removed")}
    await follower.settle()
    assert await follower.versions() == {"wiki": (2, "its file was removed")}
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    assert await follower.versions() == {"wiki": (3, "")}


async def test_a_folder_that_is_not_there_disables_nothing(follower: Follower, logs: list[EventDict]) -> None:
    """As a disk that was not mounted."""
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    follower.path.rename(follower.path.with_name("away"))
    await follower.settle()
    assert follower.registry.get("wiki") is not None
    assert "trust_files.no_folder" in {entry["event"] for entry in logs}


async def test_a_node_that_starts_without_files_disables_what_has_none(follower: Follower) -> None:
    """After two looks, as a running one."""
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    (follower.path / "wiki.toml").unlink()
    late = Follower(follower.path, follower.store)
    await late.registry.load()
    await late.folder.look()
    assert late.registry.get("wiki") is not None
    await late.folder.look()
    assert late.registry.get("wiki") is None


async def test_a_mistake_is_told_once_and_the_others_go_on(follower: Follower, logs: list[EventDict]) -> None:
    """With file, line, key and what would be right; the version before stays."""
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    follower.write("wiki.toml", OIDC.replace("redirect_uris", "redirect_uri"))
    follower.write("crm.toml", SAML)
    await follower.settle()
    await follower.settle()
    assert await follower.versions() == {"wiki": (1, ""), "crm": (1, "")}
    (told,) = [entry for entry in logs if entry["event"] == "trust_file.unusable"]
    assert told["file"] == str(follower.path / "wiki.toml")
    assert "oidc.redirect_uri (line 7): no such setting; did you mean redirect_uris?" in told["problem"]


async def test_what_is_wrong_is_known_until_it_is_mended(follower: Follower, pair: tuple[Store, Store]) -> None:
    """Of every kind of mistake, at each look; also while another node has the duty, and where the folder is gone."""
    follower.write("wiki.toml", OIDC.replace("redirect_uris", "redirect_uri"))
    follower.write("a.toml", OIDC.replace('"wiki"', '"a"', 1).replace("[oidc]", '[oidc]\nclient_id = "same"', 1))
    follower.write("b.toml", OIDC.replace('"wiki"', '"b"', 1).replace("[oidc]", '[oidc]\nclient_id = "same"', 1))
    for _ in range(4):
        await follower.folder.look()
    assert set(follower.folder.problems) == {"wiki.toml", "b.toml"}
    assert "oidc.redirect_uri (line 7): no such setting; did you mean" in follower.folder.problems["wiki.toml"]
    assert file_problems(follower.path) == {"wiki.toml": follower.folder.problems["wiki.toml"]}
    lease = await follower.store.duties.take("trust files", "other", now=NOW, until=NOW + 60)
    assert lease is not None
    await follower.folder.look()
    assert set(follower.folder.problems) == {"wiki.toml", "b.toml"}
    await follower.store.duties.give_up(lease)
    follower.path.rename(follower.path.with_name("away"))
    await follower.folder.look()
    assert "cannot be listed" in follower.folder.problems[""]
    assert file_problems(follower.path) == follower.folder.problems
    follower.path.with_name("away").rename(follower.path)
    follower.write("wiki.toml", OIDC)
    (follower.path / "b.toml").unlink()
    await follower.settle()
    assert follower.folder.problems == file_problems(follower.path) == {}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("other.toml", OIDC, "name the file wiki.toml"),
        ("wiki.toml", "\x00", "not TOML"),
        ("wiki.toml", "", "is missing"),
        ("wiki.toml", "#" * 300_000, "more than 262144 bytes"),
    ],
)
async def test_what_is_no_trust_file(follower: Follower, logs: list[EventDict], name: str, text: str, words: str) -> None:
    """Told, and nothing kept."""
    follower.write(name, text)
    await follower.settle()
    assert await follower.versions() == {}
    (told,) = [entry for entry in logs if entry["event"] == "trust_file.unusable"]
    assert words in told["problem"]


async def test_a_name_that_is_no_text_is_told_too(follower: Follower) -> None:
    """By codes for its bytes: a name in another encoding must not keep the command from telling of the other files."""
    (follower.path / os.fsdecode(b"\xff.toml")).write_text(OIDC)
    for _ in range(3):
        await follower.folder.look()
    assert list(follower.folder.problems) == ["\\udcff.toml"]
    assert "name the file wiki.toml" in follower.folder.problems["\\udcff.toml"]
    assert file_problems(follower.path) == follower.folder.problems
    assert msgspec.json.encode(follower.folder.problems)


async def test_what_is_beside_trust_files_is_not_read(follower: Follower, logs: list[EventDict]) -> None:
    """Hidden files of editors, other names, pipes and links to nothing."""
    for name in (".wiki.toml", "wiki.toml~", "README"):
        follower.write(name, OIDC)
    (follower.path / "gone.toml").symlink_to("nowhere")
    os.mkfifo(follower.path / "pipe.toml")
    await follower.settle()
    assert await follower.versions() == {}
    assert [entry["file"] for entry in logs if entry["event"] == "trust_file.unusable"] == [str(follower.path / "pipe.toml")]


async def test_a_trust_of_a_command_is_not_a_files(follower: Follower, logs: list[EventDict]) -> None:
    """Whose it is would change behind the administrator's back."""
    acts = TrustActs(follower.store, follower.registry, lambda: NOW, with_files=True)
    await acts.put(OIDC.replace('"Wiki"', '"Own"'), "wiki.toml", 0, "admin:test")
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    (trust,) = follower.registry.all()
    assert trust.name == "Own"
    assert "added by command" in next(entry["problem"] for entry in logs if entry["event"] == "trust_file.unusable")


async def test_a_name_that_another_trust_has(follower: Follower, logs: list[EventDict]) -> None:
    """The first one keeps it."""
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    follower.write("b.toml", OIDC.replace('"wiki"', '"b"', 1).replace("[oidc]", '[oidc]\nclient_id = "wiki"', 1))
    await follower.settle()
    assert await follower.versions() == {"wiki": (1, "")}
    assert "client_id 'wiki'" in next(entry["problem"] for entry in logs if entry["event"] == "trust_file.unusable")


async def test_of_two_nodes_one_writes(follower: Follower, pair: tuple[Store, Store]) -> None:
    """Both see the same files; there is one version, and the other finds it done."""
    other = Follower(follower.path, pair[0])
    follower.write("wiki.toml", OIDC)
    for node in (follower, other, follower, other):
        await node.folder.look()
    await other.registry.load()
    assert await follower.versions() == {"wiki": (1, "")}
    assert other.registry.get("wiki") is not None


async def test_whoever_lost_the_duty_writes_nothing(follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that slept past its lease wakes up behind the one that took it."""
    follower.write("wiki.toml", OIDC)
    await follower.folder.look()
    duties = follower.store.duties
    take = duties.take

    async def lost(name: str, holder: str, *, now: float, until: float) -> object:
        lease = await take(name, holder, now=now, until=now)
        await take(name, "another", now=now + 1, until=now + 9)
        return lease

    monkeypatch.setattr(duties, "take", lost)
    with pytest.raises(DutyLost):
        await follower.folder.look()
    assert await follower.versions() == {}


async def test_it_looks_while_the_relay_serves(follower: Follower) -> None:
    """Beside the requests, at its own pace; an outage of the store ends nothing."""
    naps: list[float] = []

    class Stop(Exception):
        pass

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) > 3:
            raise Stop

    follower.write("wiki.toml", OIDC)
    jobs: list[object] = []
    housekeeping = Housekeeping()
    housekeeping.beside = lambda _name, loop: jobs.append(loop)  # type: ignore[method-assign,assignment]
    follower.folder.add_jobs(housekeeping, sleep)
    with pytest.raises(Stop):
        await jobs[0]()  # type: ignore[operator]
    assert naps == [5.0] * 4
    assert await follower.versions() == {"wiki": (1, "")}


async def test_files_are_bounded_too(follower: Follower, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]) -> None:
    """Each trust is in the memory of every node."""
    monkeypatch.setattr("gateway.federation.trusts.folder.MOST", 1)
    follower.write("crm.toml", SAML)
    follower.write("wiki.toml", OIDC)
    await follower.settle()
    assert await follower.versions() == {"crm": (1, "")}
    assert "there are 1 trusts already" in {entry.get("problem") for entry in logs}


async def test_what_an_application_was_given_ends_with_its_file(follower: Follower) -> None:
    """Refresh tokens; and a file that switches its trust off does the same."""
    text = OIDC.lstrip()
    for last in ("", f"enabled = false\n{text}"):
        follower.write("wiki.toml", text)
        await follower.settle()
        grant = GrantRecord(
            digest=b"g",
            trust="wiki",
            account=AccountId("d", "anna"),
            details=b"",
            created_at=NOW,
            expires_at=NOW + 9,
            idle_at=NOW + 9,
        )
        assert await follower.store.grants.add(grant)
        if last:
            follower.write("wiki.toml", last)
        else:
            (follower.path / "wiki.toml").unlink()
        await follower.settle()
        assert await follower.store.grants.get(b"g", NOW) is None
