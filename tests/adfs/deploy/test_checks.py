"""Each check before a change, on a server that is as it should be but for one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from adfs_mgmt.farm import ADFS_ROLE, FarmCertificate, KeyAccess, Node, Properties, Proxy, StoredCertificate, SyncRole, Use
from adfs_mgmt.procedures.preflight import preflight
from adfs_mgmt.procedures.server import Operation
from findings import Finding, explain
from tests.adfs.deploy.cases import ADD_PROXY, FARM, NEW_FARM, NODE, NOW, OTHER, PRIMARY_NODE, SSL, Case, certificate, served
from tests.adfs.deploy.support import NAME, PROXY

REMOVE, REMOVE_PROXY = Operation.NODE_REMOVE, Operation.PROXY_REMOVE


def stored(thumbprint: str = SSL, **more: Any) -> StoredCertificate:
    own = {name: more.pop(name) for name in ("key", "cng", "key_spec") if name in more}
    names = {"names": ("*.example.com",), "server_auth": True, "der": b"x"}
    return StoredCertificate(
        certificate=replace(certificate(thumbprint), **{**names, **more}), **{"key": KeyAccess.READABLE, **own}
    )


def farm(**more: Any) -> dict[str, Any]:
    return {"farm": replace(FARM, **more)}


def primary(**more: Any) -> dict[str, Any]:
    return farm(nodes=(replace(PRIMARY_NODE, **more),))


def using(use: Use, thumbprint: str, **more: Any) -> dict[str, Any]:
    row = FarmCertificate(use=use, certificate=certificate(thumbprint), is_primary=True)
    return primary(certificates=(row,), **more)


SQL = farm(properties=Properties(federation_name=NAME, sql=True))
OWN = {"thumbprint": SSL, "service_account": "CORP\\adfs-svc$"}
BOTH = {"signing": SSL, "decrypting": OTHER}
REFUSED = {"join_problems": ("no",)}
IN_CNG = {"stored": (stored(), stored(OTHER, cng=True))}
READY: Mapping[Operation, dict[str, dict[str, Any]]] = {
    NODE: {"host": {"role": None, "join_problems": ()}, "seen": {"listed": ()}},
    NEW_FARM: {"host": {"role": None, "join_problems": ()}, "seen": {"listed": (), **farm(nodes=())}},
    ADD_PROXY: {"host": {"joined": False, "domain": ""}, "spec": {"trust_admin": "CORP\\admin"}, "seen": {"listed": None}},
    REMOVE: {"host": {"role": SyncRole.SECONDARY}},
    REMOVE_PROXY: {"host": {"joined": True}, "seen": farm(proxies=(Proxy(host="wap1", service_running=True),))},
}


def found(operation: Operation, **more: dict[str, Any]) -> list[Finding]:
    """All findings, with these things changed."""
    good: dict[str, Any] = {"windows": "2019", "domain": "corp.example.com", "stored": (stored(),)}
    ready = READY[operation]
    case = Case(
        operation,
        spec={**ready.get("spec", {}), **more.get("spec", {})},
        host={**good, **ready.get("host", {}), **more.get("host", {})},
        seen={**ready.get("seen", {}), **more.get("seen", {})},
    )
    return list(preflight(*case.observed()))


@pytest.mark.parametrize("operation", READY)
def test_what_is_as_it_should_be_passes(operation: Operation) -> None:
    """No warning, nothing left open."""
    assert {finding.status for finding in found(operation)} == {"pass"}


CASES: list[tuple[Operation, dict[str, dict[str, Any]], str]] = [
    (NODE, {"host": {"fqdn": "x.corp.example.com"}}, "fail identity: the server at {host} reports its name"),
    (NODE, {"host": {"windows": ""}}, "fail windows: Windows Server (unknown version)"),
    (NODE, {"host": {"windows": "2008"}}, "fail windows: Windows Server 2008"),
    (NODE, {"host": {"windows": "build 99999"}}, ""),
    (NODE, {"host": {"windows": "2016"}}, "fail windows: Windows Server 2016 cannot serve a farm"),
    (NODE, {"host": {"clock_skew": 60.0}}, ""),
    (NODE, {"host": {"clock_skew": -61.0}}, "fail clock: its clock is -61 s off"),
    (NODE, {"host": {"clock_skew": 61.0}, "seen": primary(clock_skew=61.0)}, ""),
    (NODE, {"host": {"features": {ADFS_ROLE: "UninstallPending"}}}, "fail restart: ADFS-Federation is UninstallPending"),
    (NODE, {"host": {"domain": ""}}, "fail domain: the server is in a workgroup"),
    (NODE, {"host": {"stored": ()}}, f"fail SSL certificate: {SSL} is not in LocalMachine"),
    (NODE, {"host": {"stored": (stored(key=KeyAccess.NO_KEY),)}}, f"fail SSL certificate: {SSL} is in LocalMachine"),
    (NODE, {"host": {"stored": (stored(key_spec=2),)}}, f"fail SSL certificate: the key of {SSL} is for signatures only"),
    (NODE, {"host": {"stored": (stored(key_spec=1),)}}, ""),
    (NODE, {"host": {"stored": (stored(not_after=NOW),)}}, f"fail SSL certificate: {SSL} has expired"),
    (NODE, {"host": {"stored": (stored(not_before=NOW + 1),)}}, f"fail SSL certificate: {SSL} is not valid yet"),
    (NODE, {"host": {"stored": (stored(server_auth=False),)}}, f"fail SSL certificate: {SSL} is not intended for"),
    (NODE, {"host": {"stored": (stored(names=("x.example.com",)),)}}, f"fail SSL certificate: {SSL} does not cover {NAME}"),
    (NODE, {"host": {"stored": (stored(names=("*.a.example.com",)),)}}, f"fail SSL certificate: {SSL} does not cover"),
    (NODE, {"host": {"stored": (stored(names=(NAME.upper(),)),)}}, ""),
    (NODE, {"host": {"stored": (stored(names=()),)}}, ""),
    (NODE, {"spec": {"thumbprint": OTHER}, "host": {"stored": (stored(OTHER),)}}, "warn SSL certificate: the primary has"),
    (NODE, {"seen": primary(bindings=())}, "fail SSL certificate: unknown"),
    (NODE, {"seen": using(Use.SERVICE, OTHER)}, f"fail Service-Communications certificate: {OTHER} is"),
    (NODE, {"seen": using(Use.SERVICE, SSL)}, ""),
    (NODE, {"seen": using(Use.SIGNING, OTHER)}, ""),
    (NODE, {"seen": using(Use.SIGNING, OTHER, stored=(stored(OTHER),))}, f"fail Token-Signing certificate: {OTHER} is"),
    (NODE, {"seen": farm(nodes=()), "spec": OWN}, "fail primary: no primary server answers (no nodes in the settings)"),
    (NODE, {"seen": primary(service_running=False)}, "fail primary: adfssrv is not running on"),
    (NODE, {"seen": primary(fqdn="adfs1", host="adfs1")}, "fail primary: adfs1 is a short name"),
    (NODE, {"seen": {"reference": served(probe_ok=False)}}, "fail primary: adfs1.corp.example.com does not answer"),
    (NODE, {"seen": {"reference": None}}, ""),
    (NODE, {"seen": farm(nodes=(PRIMARY_NODE, *[Node(host="x")] * 28))}, ""),
    (NODE, {"seen": farm(nodes=(PRIMARY_NODE, *[Node(host="x")] * 29))}, "fail WID: it would be node 31 of 30"),
    (NODE, {"seen": SQL}, "fail database: the farm's configuration is in SQL"),
    (NODE, {"spec": {"sql": "Data Source=x"}}, "fail database: the farm's configuration is in WID, not in SQL Server"),
    (NODE, {"spec": {"sql": "Data Source=x;PWD=y"}, "seen": SQL}, "fail database: the connection string "
        "contains a password"),
    (NODE, {"host": {"role": SyncRole.SECONDARY}}, "fail new: {host} already belongs to a farm"),
    (NODE, {"seen": {"listed": ("adfs9.corp.example.com",)}}, "warn new: the farm still lists"),
    (NODE, {"seen": primary(service_account="")}, "fail service account: unknown"),
    (NODE, {"host": {"join_problems": None}}, "unknown service account: CORP\\adfs-svc$: Test-AdfsFarmJoin will"),
    (NODE, {"host": REFUSED}, "fail service account and prerequisites: no; Set-ADServiceAccount adfs-"),
    (NODE, {"host": REFUSED, "spec": {"service_account": "CORP\\u"}}, "fail service account and prerequisites: no; fix"),
    (NEW_FARM, {"host": {"join_problems": None}}, "unknown service account: CORP\\adfs-svc$: Test-AdfsFarmInst"),
    (NEW_FARM, {"spec": {"service_account": ""}}, "fail service account: unknown"),
    (NEW_FARM, {"spec": {"thumbprint": ""}}, "fail SSL certificate: unknown"),
    (NEW_FARM, {"spec": {"signing": SSL}}, "fail token certificates: only one of the two is given"),
    (NEW_FARM, {"spec": {"decrypting": SSL}}, "fail token certificates: only one of the two is given"),
    (NEW_FARM, {"spec": {"signing": SSL, "decrypting": SSL}}, ""),
    (NEW_FARM, {"spec": BOTH}, f"fail Token-Decrypting certificate: {OTHER} is not in"),
    (NEW_FARM, {"spec": BOTH, "host": IN_CNG}, "fail Token-Decrypting certificate: its key is in"),
    (NEW_FARM, {"spec": {"sql": "Password=y"}}, "fail database: the connection string contains a password"),
    (NEW_FARM, {"seen": {"resolves_to": ()}}, f"warn federation name: {NAME} does not resolve"),
    (NEW_FARM, {"seen": {"resolves_to": ("192.0.2.1",)}}, ""),
    (ADD_PROXY, {"host": {"domain": "dmz.example.com"}}, "warn domain: {host} is joined to dmz.example.com"),
    (ADD_PROXY, {"spec": {"trust_admin": ""}}, "fail trust: no credential; give --trust-user"),
    (ADD_PROXY, {"host": {"features": {ADFS_ROLE: "Installed"}}}, "fail role: {host} is a federation server"),
    (ADD_PROXY, {"host": {"joined": True}}, "fail new: {host} is already a proxy"),
    (ADD_PROXY, {"seen": primary(service_running=False)}, "fail farm: no federation server is running"),
    (REMOVE, {"seen": primary(service_running=False)}, "fail farm: without {host} no federation server is running"),
    (REMOVE, {"host": {"role": SyncRole.PRIMARY}}, "fail role: {host} is the primary server, or"),
    (REMOVE, {"host": {"role": SyncRole.PRIMARY}, "seen": SQL}, ""),
    (REMOVE, {"seen": primary(role=SyncRole.SECONDARY)}, "fail role: {host} is the primary server, or"),
    (REMOVE, {"host": {"role": None}, "seen": {"listed": ()}}, "fail member: {host} is not a node of the farm"),
    (REMOVE, {"host": {"role": None}}, ""),
    (REMOVE, {"host": {"features": {}}, "spec": {"offline": True}}, "warn offline: {host} answers"),
    (REMOVE, {"host": {"error": "gone"}, "spec": {"offline": True}}, "warn reachable: {host} does not answer"),
    (REMOVE, {"host": {"error": "gone"}}, "fail reachable: {host} does not answer over"),
    (NODE, {"host": {"error": "gone"}, "spec": {"offline": True}}, "fail reachable: {host} does not answer over"),
    (REMOVE_PROXY, {"seen": farm(proxies=())}, "warn last: {host} is the last running proxy"),
    (REMOVE_PROXY, {"seen": farm(proxies=(Proxy(host="wap1"),))}, "warn last: {host} is the last running proxy"),
    (REMOVE_PROXY, {"host": {"features": {}}}, "fail member: {host} is not a proxy"),
    (REMOVE_PROXY, {"host": {"error": "gone"}, "spec": {"offline": True}}, "warn reachable: {host} does not answer"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "more", "said"), CASES)
def test_one_thing_that_is_wrong_is_named_alone(operation: Operation, more: dict[str, dict[str, Any]], said: str) -> None:
    """With its status and its remedy; a change that does not matter (no text) is not held against the server."""
    host = PROXY if operation in {ADD_PROXY, REMOVE_PROXY} else "adfs9.corp.example.com"
    bad = [finding for finding in found(operation, **more) if finding.status != "pass"]
    texts = [f"{finding.status} {explain(finding)}" for finding in bad]
    assert len(texts) == bool(said), texts
    assert all(text.startswith(said.replace("{host}", host)) for text in texts), texts
    assert all(finding.remedy for finding in bad)


def test_a_clock_that_is_right_has_no_sign_of_its_own() -> None:
    """Rounded, a little behind is not `-0 s`."""
    (clock,) = [finding for finding in found(NODE, host={"clock_skew": -0.3}) if finding.name == "clock"]
    assert "-0" not in clock.seen
