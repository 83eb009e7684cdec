"""What the tables decide on every state of a server: each row where it holds, and where it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adfs_mgmt.farm import ADFS_ROLE, WID_FEATURE, Properties, SyncRole
from adfs_mgmt.procedures.server import Operation
from foundation.procedures import ActId, Step
from tests.adfs.deploy.cases import ADD_PROXY, FARM, NEW_FARM, NODE, NOW, OTHER, SSL, Case, certificate, served
from tests.adfs.deploy.support import DOMAIN, NAME, NEW, PROXY


def sent(step: Step) -> str:
    """The commands, by name and place."""
    return "; ".join(f"{act.place.partition('.')[0]} {str(act.what).split()[0]}" for act in step.acts)


INSTALL = "adfs9 Install-WindowsFeature"
OLD = replace(FARM, properties=Properties(federation_name=NAME, behaviour_level=1))
ROWS = {
    Operation.NODE_ADD: ("role", "test", "join", "synchronised", "listed", "serves"),
    Operation.FARM_NEW: ("role", "test", "join", "serves"),
    Operation.PROXY_ADD: ("role", "join", "healthy", "serves"),
}


@pytest.mark.parametrize("operation", ROWS)
def test_what_holds_is_written_down_row_by_row(operation: Operation) -> None:
    """And in the end it is done; only Windows' own test, which leaves nothing to look at, is always run."""
    rows = ROWS[operation]
    for number, row in enumerate(rows):
        step = Case(operation).step(*rows[:number])
        assert (step.stage, step.kind) == (row, "do" if row == "test" else "note")
    assert Case(operation, record={"acted": {ActId("test", NEW, "x"): NOW}}).step(*rows).kind == "done"


@pytest.mark.parametrize(
    ("operation", "row", "host", "seen", "kind", "said", "commands"),
    [
        (op, "role", {"features": {}}, {}, "do", "is missing", f"{where} Install-WindowsFeature")
        for op, where in ((NODE, "adfs9"), (NEW_FARM, "adfs9"), (ADD_PROXY, "wap9"))
    ]
    + [
        (NODE, "role", {"features": {ADFS_ROLE: "Available"}}, {}, "do", "is Available", INSTALL),
        (NODE, "role", {"features": {ADFS_ROLE: "InstallPending"}}, {}, "note", "", ""),
        (NODE, "join", {"role": None}, {}, "do", "belongs to no farm", "adfs9 Add-AdfsFarmNode"),
        (NODE, "join", {"role": None, "service_running": False}, {}, "do", "or adfssrv is not", "adfs9 Add-AdfsFarmNode"),
        (NEW_FARM, "join", {"role": None}, {}, "do", "belongs to no farm", "adfs9 Install-AdfsFarm"),
        (NEW_FARM, "join", {"federation_name": "x.example"}, {}, "do", "its farm is x.example", "adfs9 Install-AdfsFarm"),
        (NEW_FARM, "join", {"federation_name": ""}, {}, "do", "its farm is not known", "adfs9 Install-AdfsFarm"),
        (ADD_PROXY, "join", {"joined": False}, {}, "do", "no proxy trust with the farm", "wap9 Install-WebApplicationProxy"),
        (NODE, "synchronised", {"service_running": False}, {}, "wait", "adfssrv is not running", ""),
        (NODE, "synchronised", {"last_sync": None}, {}, "wait", "has not synchronised with the primary", ""),
        (NODE, "synchronised", {"last_sync_ok": False}, {}, "wait", "has not synchronised with the primary", ""),
        (NODE, "synchronised", {"last_sync": None, "role": SyncRole.PRIMARY}, {}, "note", "", ""),
        (NODE, "listed", {}, {"listed": ()}, "wait", "does not list", ""),
        (NODE, "listed", {}, {"farm_error": "no primary server answers"}, "wait", "no primary server answers", ""),
        (NODE, "listed", {}, {"listed": None}, "note", "", ""),
        (ADD_PROXY, "healthy", {"service_running": False}, {}, "wait", "appproxysvc is not running", ""),
        (ADD_PROXY, "healthy", {"unhealthy": ("core: Error",)}, {}, "wait", "core: Error", ""),
    ],
)  # fmt: skip
def test_what_a_row_does_where_it_does_not_hold(
    operation: Operation, row: str, host: dict[str, Any], seen: dict[str, Any], kind: str, said: str, commands: str
) -> None:
    """The act that brings it about, or waiting where none does."""
    rows = ROWS[operation]
    step = Case(operation, host=host, seen=seen).step(*rows[: rows.index(row)])
    assert (step.stage, step.kind.value) == (row, kind)
    assert said in "; ".join(map(str, step.missing))
    assert sent(step) == commands


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (None, "it has not been checked yet"),
        ({"tls": None}, "nothing answers on its TLS port"),
        ({"tls": None, "errors": {"TLS": "refused", "probe": "closed"}}, "refused"),
        ({"tls": certificate(OTHER)}, f"it serves the certificate {OTHER}, not {SSL}"),
        ({"signing": ()}, "its metadata has no signing certificate"),
        ({"signing": (), "errors": {"metadata": "HTTP 503"}}, "HTTP 503"),
        ({"signing": (OTHER,)}, "other signing certificates than the primary's"),
        ({"probe_ok": False}, "/adfs/probe does not answer"),
        ({"probe_ok": False, "errors": {"probe": "HTTP 404"}}, "HTTP 404"),
    ],
)
def test_what_is_served_is_waited_for(more: dict[str, Any] | None, said: str) -> None:
    """TLS, metadata and probe, each with what is wrong with it and nothing else."""
    case = Case(NODE, seen={"served": None if more is None else served(**more)})
    step = case.step(*ROWS[NODE][:-1])
    assert (step.stage, step.kind) == ("serves", "wait")
    assert [str(condition) for condition in step.missing] == [said] or said in str(step.missing[0])
    assert len(step.missing) == 1


def test_a_proxy_answers_no_probe_and_a_farm_without_reference_is_taken_as_it_is() -> None:
    """What cannot be compared is no fault."""
    rows = ROWS[Operation.PROXY_ADD][:-1]
    proxy = Case(ADD_PROXY, seen={"served": served(PROXY, probe_ok=False)})
    assert proxy.step(*rows).kind == "note"
    proxy.seen["served"] = served(PROXY, probe_ok=False, signing=())
    assert proxy.step(*rows).kind == "wait"
    alone = Case(NODE, seen={"reference": None, "served": served(signing=(OTHER,))})
    assert alone.step(*ROWS[NODE][:-1]).kind == "note"


@pytest.mark.parametrize("lost", ["role", "join", "synchronised", "listed", "serves"])
def test_what_is_lost_at_the_end_is_not_called_done(lost: str) -> None:
    """Somebody else is at work: every row but Windows' test must still hold."""
    broken: dict[str, dict[str, Any]] = {
        "role": {"host": {"features": {}}},
        "join": {"host": {"role": None}},
        "synchronised": {"host": {"last_sync": None}},
        "listed": {"seen": {"listed": ()}},
        "serves": {"seen": {"served": served(signing=())}},
    }
    step = Case(NODE, **broken[lost]).step(*ROWS[NODE])
    assert (step.stage, step.kind) == (lost, "refuse")
    assert "was done but no longer holds" in step.reasons[0]


def test_a_server_that_is_away_is_waited_for_unless_it_is_gone_for_good() -> None:
    """Nothing is judged meanwhile; before the work is under way the preflight refuses instead."""
    away = Case(NODE, host={"error": "no connection"}).step()
    assert (away.kind, away.patience) == ("wait", 900.0)
    assert "does not answer (no connection)" in str(away.missing[0])
    gone = Case(Operation.NODE_REMOVE, spec={"offline": True}, host={"error": "no connection"}).step()
    assert (gone.stage, sent(gone)) == ("entry off", "adfs1 Set-AdfsFarmInformation")


# -- parameters


@pytest.mark.parametrize(
    ("sql", "begun", "overwrites"), [("", "", False), ("", "join", True), ("Data Source=x", "join", False)]
)
def test_a_second_join_overwrites_what_the_first_one_left(sql: str, begun: str, overwrites: bool) -> None:
    """Not in SQL Server: that database is the farm's own."""
    step = Case(NODE, spec={"sql": sql}, host={"role": None}).step("role", "test", begun=begun)
    assert ("-OverwriteConfiguration" in str(step.acts[0])) is overwrites
    assert ("-PrimaryComputerName" in str(step.acts[0])) is (not sql)
    assert step.acts[0].name == "join"


@pytest.mark.parametrize(("begun", "overwrites"), [("", False), ("join", True)])
def test_a_second_installation_overwrites_what_the_first_one_left(begun: str, overwrites: bool) -> None:
    """Before the first one the server belonged to no farm."""
    step = Case(NEW_FARM, host={"role": None}).step("role", "test", begun=begun)
    assert ("-OverwriteConfiguration" in str(step.acts[0])) is overwrites


# -- the way back, and removal


@pytest.mark.parametrize(
    ("begun", "state", "features", "removed"),
    [
        ("", {}, {ADFS_ROLE: "Installed"}, "'ADFS-Federation'"),
        ("", {"had_role": True}, {ADFS_ROLE: "Installed"}, ""),
        ("join", {"had_role": True}, {ADFS_ROLE: "Installed"}, "'ADFS-Federation'"),
        ("join", {}, {ADFS_ROLE: "Installed", WID_FEATURE: "Installed"}, "'ADFS-Federation','Windows-Internal-Database'"),
        ("join", {"had_wid": True}, {ADFS_ROLE: "Installed", WID_FEATURE: "Installed"}, "'ADFS-Federation'"),
        ("", {"had_role": True}, {ADFS_ROLE: "Installed", WID_FEATURE: "Installed"}, "'Windows-Internal-Database'"),
        ("join", {}, {WID_FEATURE: "Installed"}, "'ADFS-Federation','Windows-Internal-Database'"),
        ("join", {}, {}, ""),
    ],
)
def test_an_undo_takes_away_what_was_brought_and_no_more(
    begun: str, state: dict[str, Any], features: dict[str, str], removed: str
) -> None:
    """A role that was there stays, unless the join was begun: only without the role the server leaves the farm."""
    case = Case(NODE, host={"features": features}, state=state)
    step = case.step(back="start", begun=begun)
    assert step.stage == "role off"
    assert step.kind == ("do" if removed else "note")
    assert removed.replace("','", "', '") in str(step.acts).replace("','", "', '")


@pytest.mark.parametrize(
    ("begun", "seen", "kind", "commands"),
    [
        ("join", {}, "do", "adfs1 Set-AdfsFarmInformation"),
        ("", {}, "note", ""),
        ("join", {"listed": ()}, "note", ""),
        ("join", {"farm_error": "adfs1 does not answer"}, "do", "adfs1 Set-AdfsFarmInformation"),
        ("join", {"farm": replace(FARM, nodes=()), "farm_error": "no primary server answers", "listed": None}, "wait", ""),
        ("join", {"farm": OLD, "listed": None}, "note", ""),
    ],
)  # fmt: skip
def test_the_entry_goes_after_the_role(begun: str, seen: dict[str, Any], kind: str, commands: str) -> None:
    """If it is ours, that is if the join was begun, and if the farm keeps a table (2012 R2 keeps none)."""
    step = Case(NODE, host={"features": {}}, seen=seen).step("role off", back="start", begun=begun)
    assert (step.stage, step.kind.value, sent(step)) == ("entry off", kind, commands)


@pytest.mark.parametrize(
    ("operation", "completed", "kind", "said"),
    [
        (Operation.NODE_REMOVE, (), "do", "role off"),
        (Operation.NODE_REMOVE, ("role off",), "do", "entry off"),
        (Operation.NODE_REMOVE, ("role off", "entry off"), "wait", "gone"),
        (Operation.PROXY_REMOVE, (), "do", "role off"),
        (Operation.PROXY_REMOVE, ("role off",), "wait", "gone"),
    ],
)
def test_a_removal_is_the_way_of_the_undo(operation: Operation, completed: tuple[str, ...], kind: str, said: str) -> None:
    """Role, entry, and nothing is served any more; what it brought or not is no question."""
    step = Case(operation, state={"had_role": True}).step(*completed)
    assert (step.stage, step.kind.value) == (said, kind)


@pytest.mark.parametrize("more", [{"signing": ()}, {"probe_ok": False}, {"signing": (), "probe_ok": False}])
def test_what_still_answers_anything_is_not_gone(more: dict[str, Any]) -> None:
    """Metadata or probe; TLS alone may be another site's."""
    case = Case(Operation.NODE_REMOVE, host={"features": {}}, seen={"listed": (), "served": served(**more)})
    assert case.step("role off", "entry off").kind == ("note" if len(more) == 2 else "wait")


def test_names_of_other_domains_are_not_ours() -> None:
    """The farm's table has full names: a namesake elsewhere is another server."""
    namesake = NEW.replace(DOMAIN, "other.example")
    assert Case(NODE, seen={"listed": (namesake,)}).step(*ROWS[NODE][:4]).kind == "wait"
