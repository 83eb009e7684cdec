"""CLIXML into plain values; the texts are as Windows PowerShell 5.1 writes them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.serializer import Serializer

from adfs_mgmt.remoting import integer_of, time_of
from adfs_mgmt.remoting.values import ClixmlReader, read_output, read_time
from foundation.xml import MalformedXml


def read(xml: str) -> Any:
    return read_output(Serializer().deserialize(xml))


def test_times_of_every_kind_become_utc() -> None:
    """With Z, with an offset, without either, with ticks; and the earliest there is."""
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    assert read_time("2026-03-01T12:00:00Z") == noon
    assert read_time("2026-03-01T14:00:00.0000000+02:00") == noon
    assert read_time("2026-03-01T12:00:00") == noon
    assert read_time("2026-03-01T12:00:00.1234567Z") == noon.replace(microsecond=123456)
    assert read_time("0001-01-01T00:00:00+02:00").year == 1


def test_text_that_is_no_time_is_refused() -> None:
    """Never guessed at."""
    with pytest.raises(ValueError, match="not a time"):
        read_time("2026-03-01")


@pytest.mark.parametrize(
    "xml",
    ["<DT N='A'>11/29/2026 3:56:28 PM</DT>", "<DT N='A'>2026-13-45T00:00:00</DT>", "<DT N='A'/>", "<I32 N='A'>x</I32>"],
)
def test_a_value_in_another_notation(xml: str) -> None:
    """It stays text, which no reader takes for a time or a number, and hides nothing else of its object."""
    found = read_output(f"<Obj RefId='0'><Props>{xml}<S N='B'>there</S></Props></Obj>")
    assert (time_of(found, "A"), integer_of(found, "A", 7), found["B"]) == (None, 7, "there")


def test_date_with_its_hint() -> None:
    """Get-Date's time comes as an object with a note."""
    xml = (
        '<Obj RefId="0"><DT>2026-03-01T14:00:00.5+02:00</DT><MS><Obj N="DisplayHint" RefId="1"><TN RefId="0">'
        "<T>Microsoft.PowerShell.Commands.DisplayHintType</T><T>System.Enum</T><T>System.ValueType</T>"
        "<T>System.Object</T></TN><ToString>DateTime</ToString><I32>2</I32></Obj></MS></Obj>"
    )
    assert read(xml) == {"": dt.datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=dt.UTC)}


def test_object_with_everything() -> None:
    """Adapted and extended properties, shared types, references, lists, dictionaries, nested text, a SecureString."""
    xml = """<Obj RefId="0"><TN RefId="0"><T>Some.Type</T><T>System.Object</T></TN><ToString>shown</ToString><Props>
    <S N="Text">a_x000A_b_xD83D__xDE00_</S><B N="Yes">true</B><Nil N="None"/><BA N="Raw">AAE=</BA><Db N="Half">0.5</Db>
    <SS N="Secret">AAAA</SS><Obj N="Status" RefId="1"><TN RefId="1"><T>Kind</T><T>System.Enum</T><T>System.Object</T></TN>
    <ToString>Running</ToString><I32>4</I32></Obj><Obj N="Other" RefId="2"><TNRef RefId="1"/><ToString>Stopped</ToString>
    <I32>1</I32></Obj><Obj N="List" RefId="3"><TN RefId="2"><T>System.String[]</T><T>System.Array</T><T>System.Object</T>
    </TN><LST><S>x</S><S>y</S></LST></Obj><Ref N="Again" RefId="3"/><Obj N="Map" RefId="4"><TN RefId="3">
    <T>System.Collections.Hashtable</T><T>System.Object</T></TN><DCT><En><S N="Key">k</S><I32 N="Value">1</I32></En></DCT>
    </Obj><Obj N="Deep" RefId="5"><TN RefId="4"><T>X509</T><T>System.Object</T></TN><ToString>[Subject]</ToString></Obj>
    </Props><MS><S N="Note">n</S></MS></Obj>"""
    assert read(xml) == {
        "Text": "a\nb\U0001f600", "Yes": True, "None": None, "Raw": b"\0\1", "Half": 0.5, "Secret": "***",
        "Status": "Running", "Other": "Stopped", "List": ["x", "y"], "Again": ["x", "y"], "Map": {"k": 1},
        "Deep": "[Subject]", "Note": "n",
    }  # fmt: skip


def test_object_around_an_object() -> None:
    """The properties of both; what the outer one says wins, and refers to the inner one."""
    xml = """<Obj RefId="0"><TN RefId="0"><T>X509</T><T>System.Object</T></TN><Obj RefId="1"><TNRef RefId="0"/><Props>
    <S N="Thumbprint">AB</S><S N="Path">in</S><Obj N="Drive" RefId="2"><MS><S N="Name">Cert</S></MS></Obj></Props></Obj>
    <MS><S N="Path">out</S><Ref N="Same" RefId="2"/></MS></Obj>"""
    assert read(xml) == {"Thumbprint": "AB", "Path": "out", "Drive": {"Name": "Cert"}, "Same": {"Name": "Cert"}}


def test_secure_string_alone() -> None:
    """Never shown, never a piece of XML."""
    assert read("<SS>AAAA</SS>") == {"": "***"}


def test_object_of_a_type_that_pypsrp_does_not_know() -> None:
    """It has no System.Object among its types; pypsrp gives its XML."""
    assert read('<Obj RefId="0"><TN RefId="0"><T>Odd</T></TN><Props><I32 N="A">1</I32></Props></Obj>') == {"A": 1}


def test_plain_values() -> None:
    """A text, a number, nothing, a GUID."""
    assert read("<S>x</S>") == {"": "x"}
    assert read("<I32>7</I32>") == {"": 7}
    assert read("<Nil/>") == {"": None}
    assert read("<G>6f9619ff-8b86-d011-b42d-00cf4fc964ff</G>") == {"": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_texts_survive_the_way(text: str) -> None:
    """Whatever a text holds, it arrives as it left."""
    element = Serializer().serialize({"k": text})
    assert element is not None
    assert ClixmlReader().read(element) == {"k": text}


@pytest.mark.parametrize(
    "inside", ["<Obj>" * 200 + "</Obj>" * 200, '<!DOCTYPE x [<!ENTITY y "z">]>'], ids=["deep", "document type"]
)
def test_hostile_clixml_is_refused(inside: str) -> None:
    """The same limits as for all XML from outside."""
    with pytest.raises(MalformedXml):
        read_output(f"<Obj>{inside}</Obj>")
