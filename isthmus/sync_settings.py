"""The settings file of `isthmus sync`, put together from the packages' own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from isthmus.log_settings import LogSettings
from settings import Unfit, not_empty, shown
from sync.plan import DeletionPolicy, GuardLimits
from sync.source import SourceSettings
from sync.target.scim import ScimSettings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PARAMETER: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimTargetSettings(ScimSettings):
    """A SCIM service, and what becomes of the accounts of people who have left. Of `token_file`, `token_variable` and
    `oauth`, give exactly one."""

    deletion: DeletionPolicy = field(default_factory=DeletionPolicy)
    """What happens to an account when nothing in the sources keeps it any more, and how long after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """`isthmus sync`: wherever it reaches the sources and the targets."""

    state_dir: Path
    """Directory (mode 0700) for the state of synchronisation and the plans of its runs. It is made when it is needed."""
    rules_file: Path | None = None
    """TOML file of synchronisation rules. Empty: the default rules, for users, groups and contacts of Active Directory."""
    sources: Annotated[Mapping[str, SourceSettings], not_empty]
    """Where objects come from. The name of a source stays: under another one it is another source."""
    targets: Annotated[Mapping[str, ScimTargetSettings], not_empty]
    """Where accounts are written. The name of a target stays: under another one it is another target."""
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Parameters that rules write as `%Forest.FQDN%`, by the name of their source and without the percent signs. Of Active
    Directory, `Domain.FQDN` and `Domain.LDAP` are known by themselves."""
    guard: GuardLimits = field(default_factory=GuardLimits)
    """How much a run may change before it stops."""
    log: LogSettings = field(default_factory=LogSettings)
    """Logging."""

    @property
    def state_file(self) -> Path:
        """The state of synchronisation."""
        return self.state_dir / "sync.db"

    @property
    def plans_dir(self) -> Path:
        """The plans of runs."""
        return self.state_dir / "plans"

    def contradictions(self) -> Iterator[Unfit]:
        """Names that cannot be written everywhere; parameters of nothing."""
        for table, names in (("sources", self.sources), ("targets", self.targets)):
            for name in names:
                if not _NAME.fullmatch(name):
                    remedy = "a name has letters, digits, dots, hyphens and underscores, and begins with a letter or digit"
                    yield Unfit(f"{shown(name)} is not a name", remedy, setting=(table, name))
        for source, parameters in self.parameters.items():
            if source not in self.sources:
                remedy = f"there are: {', '.join(self.sources)}"
                yield Unfit(f"there is no source {shown(source)}", remedy, setting=("parameters", source))
            for name in parameters:
                if not _PARAMETER.fullmatch(name):
                    remedy = "write it without percent signs, as in Forest.FQDN, and in quotes because of its dot"
                    yield Unfit(f"{shown(name)} is not a parameter", remedy, setting=("parameters", source, name))
