"""Functions of dates: made of FILETIMEs of the directory, moved, and written as texts."""

from __future__ import annotations

from typing import Final

from sync.rules.expressions.errors import UnfitValue
from sync.rules.expressions.functions.times import (
    DAY,
    FILETIME_ZERO,
    SECOND,
    UNIX_ZERO,
    NotADate,
    NotAFormat,
    add_months,
    date_of_ticks,
    format_date,
)
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import Bindings, DateTime

DATES: Final = FunctionTable("Date / Time")
_MONTHS: Final = {"yyyy": 12, "q": 3, "m": 1}
_TICKS: Final = {"y": DAY, "d": DAY, "w": DAY, "ww": 7 * DAY, "h": 3600 * SECOND, "n": 60 * SECOND, "s": SECOND}


@DATES.function("dt DateAdd(str interval, num value, dt date)", Basis.EXAMPLE)
def date_add(interval: str, value: int, date: DateTime) -> DateTime:
    """A date so many units later: yyyy years, q quarters, m months, y, d or w days, ww weeks, h hours, n minutes, s seconds.
    Of a shorter month the last day."""
    if interval not in _MONTHS and interval not in _TICKS:
        raise UnfitValue("the interval is unknown", "Write one of these: yyyy, q, m, y, d, w, ww, h, n, s")
    try:
        if interval in _MONTHS:
            return add_months(date, value * _MONTHS[interval])
        return date_of_ticks(date.ticks + value * _TICKS[interval])
    except NotADate as error:
        raise UnfitValue(str(error)) from None


@DATES.function("dt DateFromNum(num value)", Basis.EXAMPLE)
def date_from_num(value: int) -> DateTime:
    """The date that a FILETIME of the directory is: steps of 100 ns since 1601. One that means never, such as the
    accountExpires of most accounts, is none: leave it out by IIF."""
    if value < 0:
        raise UnfitValue("a FILETIME is not negative")
    try:
        return date_of_ticks(value + FILETIME_ZERO)
    except NotADate:
        raise UnfitValue("the number lies after the year 9999; it may mean never") from None


@DATES.function("str FormatDateTime(dt date, str format)", Basis.EXAMPLE)
def format_date_time(date: DateTime, form: str) -> str:
    """A date as text, by a custom format of .NET, such as `yyyyMMddHHmmss.0Z`; names of months and days are English. Of
    the formats of one letter, those that are the same in every country: o, r, s, u."""
    try:
        return format_date(date, form)
    except NotAFormat as error:
        raise UnfitValue(str(error), 'Write such as "yyyy-MM-dd HH:mm:ss"') from None


@DATES.function("dt Now()", Basis.DESCRIPTION, ambient=True)
def now(bindings: Bindings) -> DateTime:
    """The date and time of the run, in UTC: the same for all objects of one evaluation."""
    return DateTime(UNIX_ZERO + round(bindings.now * 1_000_000) * 10)


@DATES.function("num NumFromDate(dt date)", Basis.EXAMPLE)
def num_from_date(date: DateTime) -> int:
    """The FILETIME of a date."""
    if date.ticks < FILETIME_ZERO:
        raise UnfitValue("the date lies before 1601, where FILETIMEs begin")
    return date.ticks - FILETIME_ZERO
