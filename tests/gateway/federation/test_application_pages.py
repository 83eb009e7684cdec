"""The operators' pages about applications: what they show is what the preset prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gateway.federation.presets import fill_paste, fill_preset, preset_names, read_preset, relay_addresses

PAGES = Path(__file__).parents[3] / "docs" / "operators" / "applications"
ELSEWHERE = {"entra-saml"}
"""Presets without a page."""
SHOWN = sorted(set(preset_names()) - ELSEWHERE)
_COMMAND = re.compile(r"```sh\n(isthmus relay trust add --preset .*)\n```")
_PRINTED = re.compile(r"```text\n(.*?)\n```", re.DOTALL)


def given(text: str) -> tuple[str, dict[str, str]]:
    """Preset and values of the command on a page."""
    found = _COMMAND.search(text)
    assert found is not None
    words = shlex.split(found[1])
    values = [word.partition("=") for word in words[6:] if word != "--set"]
    return words[5], {name: value for name, _, value in values}


def test_each_preset_has_a_page() -> None:
    """And the list of pages names each."""
    assert sorted(page.stem for page in PAGES.glob("*.md") if page.stem != "README") == SHOWN
    overview = (PAGES / "README.md").read_text(encoding="utf-8")
    assert all(f"({name}.md)" in overview for name in SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_shows_what_the_preset_prints(name: str) -> None:
    """For the values of the command on the page, and a relay at signin.example.com; the source is named."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    preset, values = given(text)
    known = relay_addresses("https://signin.example.com")
    pasted = fill_paste(read_preset(preset), {**known, "client_id": preset, "client_secret": "…", **values})
    printed = _PRINTED.search(text)
    assert preset == name
    assert printed is not None
    assert printed[1] == pasted.strip()
    assert read_preset(preset).source in text
    fill_preset(read_preset(preset), preset, values)


@pytest.mark.parametrize("name", SHOWN)
def test_who_reads_no_metadata_is_waited_for(name: str) -> None:
    """A certificate that was entered by hand is not replaced by itself: the trust and the page say so."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    by_hand = 'protocol = "saml"' in read_preset(name).trust
    assert ('learns = "by hand"' in read_preset(name).trust) == by_hand
    assert (f"isthmus certs acknowledge saml --trust {name}" in text) == by_hand
