"""Phrases that read as if translated, and what English says instead: for documents and for whatever a person is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

_AROUND = 25
"""Characters that are shown before and after."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """pattern: a regular expression, whatever its case; better: what to write."""

    pattern: str
    better: str

    def found_in(self, text: str) -> list[str]:
        """Where it stands, with a few words around it. text: with single blanks."""
        found = re.finditer(self.pattern, text, re.IGNORECASE)
        return [text[max(match.start() - _AROUND, 0) : match.end() + _AROUND] for match in found]


PHRASES = (
    Phrase(r"\bdo(?:es)? not go together", "incorrect user name or password; contradict each other"),
    Phrase(r"\bswitched off\b", "disabled (an account); turned off (a setting)"),
    Phrase(r"\b(?:account|certificate|password|token)s?\b[^.;:|]{0,40}\b(?:has|have) ended\b", "has expired"),
    Phrase(r"\bfor ever\b", "permanently"),
    Phrase(r"\bwithout anybody\b", "unattended"),
    Phrase(r"\| (?:whole )?number \| \| (?:seconds|days)\b", "maximum time to …, in seconds"),
    Phrase(r"\bas delivered\b", "by default"),
    Phrase(r"\bmend(?:s|ed|ing)?\b", "fix"),
    Phrase(r"\bgoes on\b", "continues"),
    Phrase(r"\b(?:takes?|taking) effect at once\b", "takes effect immediately"),
    Phrase(r"\b(?:revoked|revocable|ends?|effective|removed|replaces it) at once\b", "immediately"),
    Phrase(r"\bpeople who sign in\b", "users"),
    Phrase(r"\bname this reference\b", "quote this reference"),
    Phrase(r"\bgood for (?:one|a single)\b", "can be used once"),
    Phrase(r"\bshows tampering\b", "tamper-evident"),
    Phrase(r"\bnever (?:met|seen) a real\b", "has not been tested against a real …"),
    Phrase(r"\bstranger'?s'? text\b", "generic error"),
    Phrase(r"\btoo many tries\b", "too many attempts"),
    Phrase(r"\bdc\.(?:opened|closed)\b|\bcircuit[- ]breaker\b", "up, down, probing"),
    Phrase(r"\bwas not counted against\b", "this didn't count as a failed attempt"),
    Phrase(
        r"(?<!there )\bis no (?:address|backup|certificate|DNS|domain|file|HTTP|IP|JSON|LDAP|name|network"
        r"|number|PFX|plan|regular|RSA|thumbprint|token|TOML|URL|valid)\b",
        "is not a …",
    ),
)
