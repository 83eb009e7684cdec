"""Parameters of a request, as they were sent: read once, bounded, none taken twice. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl, urlencode

from gateway.federation.oidc.errors import InvalidRequest

MOST = 64
"""Parameters of one request."""
LONGEST = 8192
"""Characters of one value: a JWT that proves a client is the longest of them."""
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_REPEATABLE = frozenset({"resource"})
"""RFC 8707 section 2; every other one may be there once (RFC 6749 section 3.1)."""


class Parameters:
    """Names and values in their order. An empty value counts as none (RFC 6749 section 3.1)."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs: Sequence[tuple[str, str]] = tuple((name, value) for name, value in pairs if value)
        self._by_name: dict[str, list[str]] = {}
        for name, value in self.pairs:
            self._by_name.setdefault(name, []).append(value)

    @classmethod
    def parse(cls, text: bytes | str) -> Parameters:
        """`application/x-www-form-urlencoded` in UTF-8, of a query or a body. Raises InvalidRequest."""
        try:
            ascii_text = text.decode("ascii") if isinstance(text, bytes) else text
            pairs = parse_qsl(ascii_text, keep_blank_values=True, max_num_fields=MOST, errors="strict")
        except ValueError as error:  # UnicodeDecodeError is one
            raise InvalidRequest("the parameters are malformed, or too many") from error
        for name, value in pairs:
            if len(value) > LONGEST or len(name) > LONGEST:
                raise InvalidRequest(f"a parameter is longer than {LONGEST} characters")
            if _CONTROLS.search(value) or _CONTROLS.search(name):
                raise InvalidRequest("a parameter has control characters in it")
        return cls(pairs)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def one(self, name: str) -> str:
        """A value; empty where there is none. Raises InvalidRequest where there are several."""
        values = self._by_name.get(name)
        if values is None:
            return ""
        if len(values) > 1:
            raise InvalidRequest("is there more than once", parameter=name)
        return values[0]

    def required(self, name: str) -> str:
        """A value that must be there. Raises InvalidRequest."""
        value = self.one(name)
        if not value:
            raise InvalidRequest("is missing", parameter=name)
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """All values of a parameter that may be repeated."""
        return tuple(self._by_name.get(name, ()))

    def words(self, name: str) -> tuple[str, ...]:
        """A list with spaces between, each once, in its order."""
        return tuple(dict.fromkeys(self.one(name).split(" "))) if self.one(name) else ()

    def check_unique(self) -> None:
        """No parameter is there twice, known here or not (RFC 6749 section 3.1). Raises InvalidRequest."""
        counts = Counter(name for name, _ in self.pairs if name not in _REPEATABLE)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise InvalidRequest("a parameter is there more than once")

    @property
    def query(self) -> str:
        """As a query once more."""
        return urlencode(self.pairs)
