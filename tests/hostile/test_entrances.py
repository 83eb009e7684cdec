"""What holds for every entrance, whatever is brought there."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from structlog.typing import EventDict

from tests.hostile.entrances import ENTRANCES, HTTP, SECRET, House, command, house
from tests.hostile.inputs import HEADERS, MARKUP, SIZES, TEXTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""All but tab and line ends."""
_MEMORY = 48 * 1024 * 1024
"""Bytes by which the process may have grown after everything of every size was brought to an entrance."""

ADDRESSED = {http.line.partition("?")[0]: name for name, http in HTTP.items() if http.public}
"""One entrance for each address."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[list[EventDict]]:
    """What is logged, by us and by libraries; it has to hold for every test here."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as entries:
        yield entries
    text = "".join(json.dumps(entry, ensure_ascii=False, default=repr) for entry in entries) + caplog.text
    text.encode()  # it can be written
    assert SECRET not in text
    assert "Traceback" not in text
    assert [entry for entry in entries if entry["log_level"] in {"error", "critical"} or entry.get("exc_info")] == []


def check(entrance: str, answer: bytes, brought: bytes) -> None:
    """What comes out of any entrance."""
    assert b"Traceback" not in answer
    head, _, body = answer.partition(b"\r\n\r\n") if answer.startswith(b"HTTP/") else (b"", b"", answer)
    if head:
        assert int(head[9:12]) < 500, brought
    if entrance in HTTP and not HTTP[entrance].public:
        return  # what goes to our own command only is data
    assert _CONTROLS.search(answer.decode("utf-8", "replace")) is None, brought
    if head:
        check_http(head, body, brought)


def check_http(head: bytes, body: bytes, brought: bytes) -> None:
    """What a browser gets."""
    assert SECRET.encode() not in head
    for wanted in (b"nosniff", b"Server: isthmus", b"Cache-Control: "):
        assert wanted in head + b"\r\n", (wanted, brought)
    assert b"X-Injected" not in head
    if b"application/json" not in head and b"application/problem+json" not in head:
        assert [text for text in MARKUP if b"<" in text and text in body] == []
        assert b"<b>bold" not in body


@pytest.mark.parametrize("entrance", ENTRANCES)
async def test_no_text_is_more_than_a_text(open_house: House, logs: list[EventDict], entrance: str) -> None:
    """Spellings, markup, addresses and cookies, wherever a text is taken."""
    for text in TEXTS:
        check(entrance, await ENTRANCES[entrance](open_house, text), text)
    assert await open_house.is_in_order()


@pytest.mark.parametrize(
    "entrance", {http.line.partition("?")[0]: name for name, http in HTTP.items() if http.public}.values()
)
async def test_no_header_is_an_error_of_ours(open_house: House, logs: list[EventDict], entrance: str) -> None:
    """Added to a request as it should be, one for each address."""
    for header in HEADERS:
        check(entrance, await HTTP[entrance].bring(open_house, b"text", header), header)
    assert await open_house.is_in_order()


@pytest.mark.parametrize("entrance", ENTRANCES)
async def test_no_size_is_too_much(open_house: House, logs: list[EventDict], entrance: str) -> None:
    """It is refused, or cut; nothing of it stays."""
    before = resident()
    for size in SIZES:
        if entrance.startswith("command") and size > 100_000:
            continue  # the kernel's own limit of an argument is 128 KiB
        check(entrance, await ENTRANCES[entrance](open_house, b"x" * size), b"%d bytes" % size)
    assert await open_house.is_in_order()
    if resident() - before >= _MEMORY:
        gc.collect()  # only then: it takes longer than all sizes together
    assert resident() - before < _MEMORY


async def test_the_trail_of_it_all_can_be_read(open_house: House, logs: list[EventDict]) -> None:
    """What was tried is in it, and does nothing to the terminal; the trail still verifies."""
    for text in TEXTS:
        await ENTRANCES["page: user and password"](open_house, text)
    shown = await command("relay", "audit", "list", "--limit", "300")(open_house, b"")
    check("command: trail", shown, b"")
    assert b"signin" in shown
    assert b"none changed" in await command("relay", "audit", "verify")(open_house, b"")


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
