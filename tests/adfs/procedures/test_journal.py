"""What of a rollover is on disk, and what is not."""

from __future__ import annotations

from pathlib import Path

from adfs_mgmt.farm import Use
from adfs_mgmt.procedures.rollover import STATES
from adfs_mgmt.procedures.ssl import SslState
from adfs_mgmt.procedures.token.state import EmergencyState, TokenState
from adfs_mgmt.remoting import Secret, make_command
from foundation.procedures import Act, ActBegun, FileJournal, Started, read

TOKEN = TokenState(
    uses=(Use.SIGNING,),
    old={Use.SIGNING: "A" * 40},
    known={Use.SIGNING: ("A" * 40,)},
    auto=True,
    auto_after=False,
    supplied=True,
    material=True,
    slots={"a.example": ("A" * 40, "B" * 40)},
    publish_for=60.0,
)


def test_secrets_are_not_in_it(tmp_path: Path) -> None:
    """A command with a password and a key is written as it is shown to people."""
    act = Act(place="n1", what=make_command("Import-IsthmusCertificate", Pfx=b"the key", Password=Secret("swordfish")))
    with FileJournal(tmp_path / "j.jsonl", STATES, now=1_000.0) as journal:
        journal.append(Started(id="r1", kind="token", subject="prod", table="t1", state=TOKEN), 1.0)
        journal.append(ActBegun(act=act.id("import")), 5.0)
    content = (tmp_path / "j.jsonl").read_text()
    assert "Import-IsthmusCertificate" in content
    assert "swordfish" not in content
    assert "the key" not in content


def test_each_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With its uses, thumbprints and times."""
    emergency = EmergencyState(uses=(Use.SIGNING,), old={}, known={Use.SIGNING: ()}, auto=False, auto_after=False)
    ssl = SslState(
        new="C" * 40,
        nodes={"n1": "A" * 40},
        proxies={"p1": ""},
        applications={"p1": {"id": "A" * 40}},
        service="A" * 40,
        material=False,
    )
    for kind, state in (("token", TOKEN), ("emergency", emergency), ("ssl", ssl)):
        path = tmp_path / f"{kind}.jsonl"
        with FileJournal(path, STATES, now=1.0) as journal:
            journal.append(Started(id="r1", kind=kind, subject="prod", table="t1", state=state), 1.0)
        record = read(path, STATES)
        assert record is not None
        assert (record.state, type(record.state)) == (state, type(state))
