"""Where this machine takes Debian's packages from, as its own apt settings say: the same is used to make a bare Debian."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
"""Debian 12."""
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TARGETS = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(LABEL)"


class NoMirror(Exception):
    """This machine's apt settings name no mirror of Debian."""

    def __str__(self) -> str:
        return f"This machine's apt sources name no mirror of Debian to make {SUITE} from. Run `apt-get update` first."


@dataclass(frozen=True, slots=True)
class DebianMirror:
    """A mirror, the keys that its Release file is signed with, and what wget needs to reach it."""

    url: str
    keyring: Path
    environment: Mapping[str, str]


def mirror_of_this_machine() -> DebianMirror:
    """From apt's sources and settings. Raises NoMirror."""
    url = choose_mirror(_output("apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"))
    shell = _output(
        "apt-config",
        *("shell", "SOURCES", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"),
        *("http_proxy", "Acquire::http::Proxy", "https_proxy", "Acquire::https::Proxy"),
    )
    settings = dict(word.split("=", 1) for word in shlex.split(shell))
    keyring = signed_by(url, _source_files(settings)) or DEBIAN_KEYRING
    proxies = {key: settings[key] for key in ("http_proxy", "https_proxy") if settings.get(key, "DIRECT") != "DIRECT"}
    return DebianMirror(url, keyring, {**os.environ, **proxies})


def choose_mirror(targets: str) -> str:
    """The address of Debian itself among lines of `_TARGETS`, the wanted suite's if there is one. Raises NoMirror."""
    found: dict[bool, str] = {}
    for line in targets.splitlines():
        url, release, component, *label = line.split()
        if component == "main" and label == ["Debian"] and re.match(r"(https?|file):", url):
            found.setdefault(release == SUITE, url.rstrip("/"))
    if not found:
        raise NoMirror
    return found.get(True) or found[False]


def signed_by(url: str, sources: Mapping[str, str]) -> Path | None:
    """The file of keys that the entry of this address names, if it does. sources: text by file name."""
    for name, text in sources.items():
        for entry in _entries(name, text):
            if url in (address.rstrip("/") for address in entry.get("uris", "").split()):
                path = entry.get("signed-by", "").strip()
                return Path(path) if path.startswith("/") else None
    return None


def _entries(name: str, text: str) -> Iterator[dict[str, str]]:
    """Each source with its options in lower case, in either format of sources.list(5)."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    if not name.endswith(".sources"):
        for line in lines:
            if one := re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)", line):
                options = dict(word.split("=", 1) for word in (one[1] or "").split() if "=" in word)
                yield {"uris": one[2], **{key.lower(): value for key, value in options.items()}}
        return
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        yield {key.lower(): value for key, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE)}


def _source_files(settings: Mapping[str, str]) -> dict[str, str]:
    parts = sorted(Path(settings["PARTS"]).glob("*.sources")) + sorted(Path(settings["PARTS"]).glob("*.list"))
    return {str(path): path.read_text() for path in (*parts, Path(settings["SOURCES"])) if path.is_file()}


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
