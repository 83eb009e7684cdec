"""Dates as .NET reads and writes them, in no country's way. Pure; always UTC."""

from __future__ import annotations

import calendar
import datetime as dt
import functools
import re
from collections.abc import Callable
from typing import Final

from sync.rules.expressions.values import DateTime

SECOND: Final = 10_000_000
"""Ticks of 100 ns."""
DAY: Final = 86_400 * SECOND
_YEAR_1: Final = dt.datetime(1, 1, 1)  # noqa: DTZ001 - everything here is in UTC
_END: Final = 3_652_059 * DAY
"""Ticks of the year 10000, in which no date lies."""
FILETIME_ZERO: Final = (dt.date(1601, 1, 1).toordinal() - 1) * DAY
"""Ticks of 1601, from which the directory counts (MS-DTYP section 2.3.3)."""
UNIX_ZERO: Final = (dt.date(1970, 1, 1).toordinal() - 1) * DAY
_LONGEST: Final = 64
"""Characters of a date or format: formats are remembered, and a pattern of many blanks is tried in many ways."""
_DATE: Final = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})|(?P<us_month>\d{1,2})/(?P<us_day>\d{1,2})/(?P<us_year>\d{4}))"
    r"(?:(?:T| +)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,7}))?)?"
    r"(?: *(?P<half>AM|PM))?(?: *(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?))?)?",
    re.ASCII | re.IGNORECASE,
)
_SPECIFIER: Final = re.compile(
    r"d{1,4}|M{1,4}|y{1,5}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|f{1,7}|F{1,7}|t{1,2}|z{1,3}|K|g{1,2}"
    r"""|'[^']*'|"[^"]*"|\\.|%(?=[dMyHhmsfFtzKg])|[^A-Za-z'"\\%]|[A-Za-z]""",
    re.DOTALL,
)
_STANDARD: Final = {
    "o": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "O": "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
}
"""Formats of one letter that are the same in every country."""
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class NotADate(ValueError):
    """A text, a number or a sum that is none between the years 1 and 9999."""


def date_of_ticks(ticks: int) -> DateTime:
    """Raises NotADate for one before the year 1 or after 9999."""
    if not 0 <= ticks < _END:
        raise NotADate("the date lies before the year 1 or after the year 9999")
    return DateTime(ticks)


def parse_date(text: str) -> DateTime:
    """Raises NotADate."""
    found = _DATE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise NotADate("the text is not a date")
    year, month, day = (int(found[name] or found[f"us_{name}"]) for name in ("year", "month", "day"))
    try:
        days = dt.date(year, month, day).toordinal() - 1
    except ValueError:
        raise NotADate("the text names a day that is in no calendar") from None
    return date_of_ticks(days * DAY + _time_of_day(found))


def _time_of_day(found: re.Match[str]) -> int:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            raise NotADate("the text names an hour that does not go with AM or PM")
        hour = hour % 12 + (12 if found["half"].upper() == "PM" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise NotADate("the text names a time that no day has")
    fraction = int((found["fraction"] or "0").ljust(7, "0"))
    return ((hour * 60 + minute - _offset(found["zone"])) * 60 + second) * SECOND + fraction


def _offset(zone: str | None) -> int:
    """Minutes east of UTC."""
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    if hours > 14 or minutes > 59:
        raise NotADate("the text names a time zone that there is not")
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


def add_months(date: DateTime, months: int) -> DateTime:
    """The same day of another month, or its last one if it is shorter. Raises NotADate."""
    moment = _YEAR_1 + dt.timedelta(days=date.ticks // DAY)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise NotADate("the date lies before the year 1 or after the year 9999")
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return DateTime((dt.date(year, month + 1, day).toordinal() - 1) * DAY + date.ticks % DAY)


class NotAFormat(ValueError):
    """A format with something in it that .NET does not have, or has otherwise in each country."""


def format_date(date: DateTime, form: str) -> str:
    """By a custom format of .NET, with English names. Raises NotAFormat."""
    parts = _parts(form)
    moment = _YEAR_1 + dt.timedelta(days=date.ticks // DAY, seconds=date.ticks % DAY // SECOND)
    fraction = f"{date.ticks % SECOND:07}"
    return "".join([part if isinstance(part, str) else part(moment, fraction) for part in parts])


_Part = str | Callable[[dt.datetime, str], str]


@functools.lru_cache(maxsize=64)
def _parts(form: str) -> tuple[_Part, ...]:
    if len(form) > _LONGEST:
        raise NotAFormat(f"the format has {len(form)} characters; expected {_LONGEST} at most")
    if len(form) == 1:
        if form not in _STANDARD:
            raise NotAFormat(f"the format {form} is another one in each country, or none")
        form = _STANDARD[form]
    parts: list[_Part] = []
    at = 0
    while at < len(form):
        found = _SPECIFIER.match(form, at)
        if found is None:
            raise NotAFormat(f"the format has a quote or backslash at character {at + 1} that nothing follows")
        parts.append(_part(found[0]))
        at = found.end()
    return tuple(part for part in parts if part != "")


def _part(text: str) -> _Part:
    if text in _SPECIFIERS:
        return _SPECIFIERS[text]
    if text[0] == "f":
        return lambda moment, fraction: fraction[: len(text)]
    if text[0] == "F":
        return lambda moment, fraction: fraction[: len(text)].rstrip("0")
    if text[0] in "'\"":
        return text[1:-1]
    if text[0] == "\\":
        return text[1:]
    if text == "%":
        return ""
    return text


_SPECIFIERS: Final[dict[str, _Part]] = {
    "d": lambda moment, fraction: str(moment.day),
    "dd": lambda moment, fraction: f"{moment.day:02}",
    "ddd": lambda moment, fraction: _DAYS[moment.weekday()][:3],
    "dddd": lambda moment, fraction: _DAYS[moment.weekday()],
    "M": lambda moment, fraction: str(moment.month),
    "MM": lambda moment, fraction: f"{moment.month:02}",
    "MMM": lambda moment, fraction: _MONTHS[moment.month - 1][:3],
    "MMMM": lambda moment, fraction: _MONTHS[moment.month - 1],
    "y": lambda moment, fraction: str(moment.year % 100),
    "yy": lambda moment, fraction: f"{moment.year % 100:02}",
    "yyy": lambda moment, fraction: f"{moment.year:03}",
    "yyyy": lambda moment, fraction: f"{moment.year:04}",
    "yyyyy": lambda moment, fraction: f"{moment.year:05}",
    "H": lambda moment, fraction: str(moment.hour),
    "HH": lambda moment, fraction: f"{moment.hour:02}",
    "h": lambda moment, fraction: str((moment.hour - 1) % 12 + 1),
    "hh": lambda moment, fraction: f"{(moment.hour - 1) % 12 + 1:02}",
    "m": lambda moment, fraction: str(moment.minute),
    "mm": lambda moment, fraction: f"{moment.minute:02}",
    "s": lambda moment, fraction: str(moment.second),
    "ss": lambda moment, fraction: f"{moment.second:02}",
    "t": lambda moment, fraction: "AM"[:1] if moment.hour < 12 else "PM"[:1],
    "tt": lambda moment, fraction: "AM" if moment.hour < 12 else "PM",
    "z": "+0",
    "zz": "+00",
    "zzz": "+00:00",
    "K": "Z",
    "g": "A.D.",
    "gg": "A.D.",
}
