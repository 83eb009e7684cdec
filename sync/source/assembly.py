"""A source from its settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from sync.source.ad import AdSource
from sync.source.csv import CsvSource
from sync.source.ldap import LdapSource
from sync.source.port import Source
from sync.source.settings import AdSourceSettings, CsvSourceSettings, LdapSourceSettings, SourceSettings


def open_source(
    name: str, settings: SourceSettings, names: Collection[str], *, clock: Callable[[], float] = time.time
) -> Source:
    """name: in the settings. names: attributes that rules name. clock: Unix seconds.

    Blocks for DNS. Raises SettingsProblem (`directory`).
    """
    if isinstance(settings, AdSourceSettings):
        return AdSource(name, settings, names, clock=clock)
    if isinstance(settings, LdapSourceSettings):
        return LdapSource(name, settings, names, clock=clock)
    if isinstance(settings, CsvSourceSettings):
        return CsvSource(name, settings, names, clock=clock)
    from sync.source.sql import SqlSource  # SQLAlchemy takes longer to load than all others

    return SqlSource(name, settings, names)
