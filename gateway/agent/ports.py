"""What the agent asks of the directories. `directory.Directories` is it; fakes have the same methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import directory


class CredentialDirectories(Protocol):
    """Deadlines are Unix seconds on the directories' clock."""

    @property
    def domains(self) -> Sequence[str]:
        """UPN suffixes and NetBIOS names that are answered for, lower case; `*` for all."""

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: directory.BeforeBind | None = None
    ) -> directory.CheckResult:
        """Check a credential. `before_bind` is awaited once, before the first bind; directory.Abandoned forbids it."""

    async def change_password(
        self, name: str, old: str, new: str, *, deadline: float, before_bind: directory.BeforeBind | None = None
    ) -> directory.CheckResult:
        """Change a password, proving the old one."""

    async def look_up(
        self, person: directory.PersonReference, *, deadline: float, may_tell: Callable[[directory.DirectoryObject], bool]
    ) -> directory.FoundPerson | None:
        """Who somebody is, without a password; None where nothing may be told."""

    def health(self) -> Sequence[directory.ControllerHealth]:
        """The state of each domain controller, now."""

    def readiness(self) -> Sequence[directory.DirectoryReadiness]:
        """Whether each directory can serve a sign-in, as far as is known now."""

    async def watch(self, on_change: Callable[[], None]) -> None:
        """Keep finding out, until cancelled. on_change: called when `health` or `readiness` may have changed."""
