"""Sets of audit entries, and how an entry names many others: by their numbers, as ranges where they follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


class EntrySet:
    """Entries by chain and number."""

    def __init__(self, entries: Iterable[tuple[int, int]] = ()) -> None:
        self._numbers: dict[int, set[int]] = {}
        for chain, seq in entries:
            self.add(chain, seq)

    def add(self, chain: int, seq: int) -> None:
        """One more."""
        self._numbers.setdefault(chain, set()).add(seq)

    def update(self, other: EntrySet) -> None:
        """All of another set."""
        for chain, numbers in other._numbers.items():
            self._numbers.setdefault(chain, set()).update(numbers)

    def without(self, other: EntrySet) -> EntrySet:
        """Those that are not in another set."""
        return EntrySet(entry for entry in self if entry not in other)

    def behind(self, places: Mapping[int, int]) -> EntrySet:
        """Those whose number is higher than that of their chain in `places`."""
        return EntrySet((chain, seq) for chain, seq in self if seq > places.get(chain, 0))

    def __contains__(self, entry: tuple[int, int]) -> bool:
        return entry[1] in self._numbers.get(entry[0], ())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """In order."""
        return ((chain, seq) for chain in sorted(self._numbers) for seq in sorted(self._numbers[chain]))

    def __len__(self) -> int:
        return sum(map(len, self._numbers.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EntrySet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def to_text(self) -> dict[str, str]:
        """`{"3": "5-9,12"}`."""
        return {str(chain): _ranges(sorted(self._numbers[chain])) for chain in sorted(self._numbers)}

    @classmethod
    def from_text(cls, text: Mapping[str, str]) -> EntrySet:
        """The other way round. Raises ValueError."""
        found = cls()
        for chain, ranges in text.items():
            numbers = found._numbers.setdefault(int(chain), set())
            for part in ranges.split(","):
                first, _, last = part.partition("-")
                numbers.update(range(int(first), int(last or first) + 1))
        return found


def _ranges(numbers: list[int]) -> str:
    parts: list[str] = []
    first = last = numbers[0]
    for number in [*numbers[1:], None]:
        if number is not None and number == last + 1:
            last = number
            continue
        parts.append(str(first) if first == last else f"{first}-{last}")
        if number is not None:
            first = last = number
    return ",".join(parts)
