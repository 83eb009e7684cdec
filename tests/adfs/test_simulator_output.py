"""What simulated hosts write, against what real ones wrote; and the list of what nobody has published."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, cast
from xml.etree.ElementTree import Element, fromstring

import psrpcore
import pytest
from cryptography import x509
from psrpcore.types import serialize

from adfs_mgmt.remoting import CATALOGUE, MACHINE_STORE
from tests.adfs.remoting.recordings import OUTPUT, told
from tests.adfs.remoting.test_recorded import RECORDINGS, replays
from tests.adfs.simulator.output import NOTES, OUTPUTS, assumed
from tests.adfs.simulator.state import StoreEntry
from tests.adfs.simulator.wsman_shell import write_object
from tests.adfs.simulator.x509 import Cert
from tests.adfs.simulator_helpers import PRIMARY, Console

DOCUMENT = Path(__file__).parents[2] / "docs/developers/adfs.md"
SAMPLE = Path(__file__).with_name("farm") / "certificate.clixml"


@pytest.fixture
def console() -> Console:
    made = Console()
    made.simulator.farm(nodes=1, proxies=1)
    return made


def written(command: str, row: dict[str, object]) -> Element:
    """As it goes onto the wire."""
    element: Element = serialize(write_object(command, row), cast("Any", psrpcore.ServerRunspacePool()._cipher))
    return element


def tags(parent: Element | None) -> dict[str | None, str]:
    """Kind of each property, by name."""
    return {child.get("N"): child.tag.rpartition("}")[2] for child in (parent if parent is not None else ())}


def part(element: Element, name: str) -> Element | None:
    return next((child for child in element if child.tag.rpartition("}")[2] == name), None)


def types(element: Element) -> list[str | None]:
    names = part(element, "TN")
    return [child.text for child in names] if names is not None else []


def test_a_certificate_is_written_as_windows_writes_it(console: Console) -> None:
    """Against a file of Export-Clixml: types, RawData alone, the provider's notes (PSDrive and PSProvider are left out
    of the file)."""
    (sample,) = fromstring(SAMPLE.read_text(encoding="utf-8"))  # noqa: S314 - a file of ours
    raw = part(sample, "Props")
    assert raw is not None
    parsed = x509.load_der_x509_certificate(base64.b64decode(raw[0].text or ""))
    same = Cert(parsed, console.simulator.world.authority.certificate.key)
    console.simulator[PRIMARY].store = {same.thumbprint: StoreEntry(certificate=same)}
    ours = written("Get-ChildItem", console.one(PRIMARY, "Get-ChildItem", Path=[MACHINE_STORE]))
    assert types(ours) == types(sample)
    assert tags(part(ours, "Props")) == tags(raw) == {"RawData": "BA"}
    notes = tags(part(ours, "MS"))
    assert tuple(notes) == NOTES
    assert {name: kind for name, kind in notes.items() if kind != "Obj"} == tags(part(sample, "MS"))
    our_notes, their_notes = part(ours, "MS"), part(sample, "MS")
    assert our_notes is not None
    assert their_notes is not None
    assert [note.text for note in our_notes][:3] == [note.text for note in their_notes][:3]


def test_nested_certificates_and_values_of_known_types(console: Console) -> None:
    """At depth 0 a certificate is an object still, an enumeration is text, and a Uri, a Guid, a duration are themselves."""
    row = written("Get-AdfsCertificate", console.run(PRIMARY, "Get-AdfsCertificate")[0])
    properties = part(row, "Props")
    assert properties is not None
    assert tags(properties)["Certificate"] == "Obj"
    nested = next(child for child in properties if child.get("N") == "Certificate")
    assert tags(part(nested, "Props")) == {"RawData": "BA"}
    assert part(nested, "MS") is None or not len(part(nested, "MS") or ())
    assert (tags(properties)["StoreName"], tags(properties)["IsPrimary"]) == ("S", "B")
    farm = tags(part(written("Get-AdfsProperties", console.one(PRIMARY, "Get-AdfsProperties")), "Props"))
    assert (farm["Identifier"], farm["ExtranetObservationWindow"], farm["HostName"]) == ("URI", "TS", "S")
    binding = tags(part(written("Get-AdfsSslCertificate", console.run(PRIMARY, "Get-AdfsSslCertificate")[0]), "Props"))
    assert (binding["AppId"], binding["CertificateHash"]) == ("G", "S")


def test_what_functions_of_ours_write(console: Console) -> None:
    """A pscustomobject has no properties of its type, and its own are notes."""
    row = written("Get-IsthmusKeyAccess", console.run(PRIMARY, "Get-IsthmusKeyAccess")[0])
    assert not tags(part(row, "Props"))
    assert tags(part(row, "MS"))["Thumbprint"] == "S"


@replays
def test_a_service_is_written_as_a_real_host_wrote_it(console: Console) -> None:
    """Types, and each property of the same kind, of the type or as a note."""
    messages = told(RECORDINGS["psrp_multiple_commands"], OUTPUT)
    real = fromstring(messages[-1][40:].decode("utf-8-sig"))  # noqa: S314 - a recording of ours
    ours = written("Get-Service", console.one(PRIMARY, "Get-Service", Name=["adfssrv"]))
    assert types(ours) == types(real)
    assert tags(part(ours, "Props")) == tags(part(real, "Props"))
    assert set(tags(part(ours, "MS"))) == set(tags(part(real, "MS")))


def test_every_command_says_what_it_writes() -> None:
    """Whatever our catalogue has with an answer; a function of ours writes a pscustomobject."""
    silent = {name for name in CATALOGUE if name.partition("-")[0] in {"Set", "Remove", "Restart", "Grant"}}
    ours = {name for name in CATALOGUE if "Isthmus" in name}
    assert set(CATALOGUE) - silent - ours - {"Add-AdfsCertificate"} <= set(OUTPUTS)


def test_what_is_assumed_is_in_the_documents() -> None:
    """One list, and no more on it than the simulator assumes."""
    text = DOCUMENT.read_text(encoding="utf-8").partition("### Assumed")[2].partition("\n## ")[0]
    listed = [line.removeprefix("- ").replace("`", "") for line in text.splitlines() if line.startswith("- ")]
    assert listed == assumed()
