"""XML from strangers: what is refused, and that it is refused early. Both parsers."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.xml import MalformedXml, parse_elements, parse_xml

LIMIT = 1024 * 1024
PARSERS = pytest.mark.parametrize("parse", [parse_xml, parse_elements], ids=["lxml", "elements"])
Parse = Callable[..., object]
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@PARSERS
def test_a_good_document(parse: Parse) -> None:
    """Namespaces, attributes, comments, character references: all as they stand."""
    root = parse(b'<a xmlns="urn:x" b="1"><!-- --><c>&lt;&#228;</c></a>', "it", LIMIT)
    assert root.tag == "{urn:x}a"  # type: ignore[attr-defined]
    assert root.find("{urn:x}c").text == "<\u00e4"  # type: ignore[attr-defined]


@PARSERS
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed"),
        (b"<a>", "not well-formed"),
        (b"<a/><b/>", "not well-formed"),
        (b"<a>&undefined;</a>", "not well-formed"),
        (b"<!DOCTYPE a><a/>", "document type"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>', "document type"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        (f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><a b="&l9;"/>'.encode(), "document type"),
        (b"<?xml version='1.0' encoding='UTF-7'?>+ADwAIQ-DOCTYPE a+AD4-<a/>", "not well-formed"),
        ("<a/>".encode("utf-16"), "not UTF-8"),
        (b"<a>\xff</a>", "not well-formed"),
        (b"<a>" + b"x" * LIMIT + b"</a>", f"more than {LIMIT} bytes"),
        (b"<a>" * 101 + b"</a>" * 101, "more than 100 deep"),
        (b"<a>" + b"<b/>" * 100_000 + b"</a>", "more than 100000 elements"),
        (b"<a " + b" ".join(b"b%d=''" % n for n in range(60_000)) + b"/>" , "more than 1"),
        (b"<a>" + b"<!---->" * 100_001 + b"</a>", "more than 100000"),
        (b"<a>" + b"<?b?>" * 100_001 + b"</a>", "more than 100000"),
    ],
    ids=[
        "empty", "cut off", "two roots", "unknown entity", "document type", "external subset", "external entity",
        "billion laughs", "UTF-7", "UTF-16", "not UTF-8", "long", "deep", "many elements", "many attributes",
        "many comments", "many instructions",
    ],
)  # fmt: skip
def test_what_is_refused(parse: Parse, data: bytes, reason: str) -> None:
    """One kind of error, which names the document and says why; within a second."""
    begun = time.process_time()
    with pytest.raises(MalformedXml, match=reason) as caught:
        parse(data, "the answer", LIMIT, max_nodes=10_000 if b"b59999" in data else 100_000)
    assert str(caught.value).startswith("the answer: ")
    assert time.process_time() - begun < 1


@PARSERS
def test_the_limits_are_the_last_that_is_accepted(parse: Parse) -> None:
    """As deep, as many and as long as they say."""
    data = b"<a>" * 10 + b"</a>" * 10
    parse(data, "it", len(data), max_depth=10, max_nodes=10)
    for limits in ({"max_depth": 9, "max_nodes": 10}, {"max_depth": 10, "max_nodes": 9}):
        with pytest.raises(MalformedXml):
            parse(data, "it", len(data), **limits)
    with pytest.raises(MalformedXml):
        parse(data, "it", len(data) - 1)


@PARSERS
@given(data=st.binary(max_size=500) | st.text("<>/a=\"'&;!-[]? ", max_size=60).map(str.encode))
def test_any_bytes_are_parsed_or_refused(parse: Parse, data: bytes) -> None:
    """No other exception."""
    try:
        parse(data, "it", LIMIT)
    except MalformedXml:
        return
    assert data.strip().startswith((b"<", b"\xef\xbb\xbf<"))
