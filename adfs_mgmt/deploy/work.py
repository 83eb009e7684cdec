"""A deployment from beginning to end: plan, apply, resume, undo. The door of this room.

One journal for each server, in `state_dir/deploy`, holds whatever was ever done about it; one piece of work at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from adfs_mgmt.deploy import stages
from adfs_mgmt.deploy.look import Lookout
from adfs_mgmt.deploy.model import Operation, Plan, Secrets, Situation, Wish
from adfs_mgmt.deploy.plan import differences, make_plan, procedure
from adfs_mgmt.deploy.preflight import is_gmsa, service_account
from adfs_mgmt.deploy.run import Progress, Runner
from adfs_mgmt.deploy.saved import wish_from, wish_text, with_id
from adfs_mgmt.farm import ExternalView, FarmSettings, read_external_view
from adfs_mgmt.remoting import Shell
from adfs_mgmt.rollover import journal as journals
from adfs_mgmt.rollover.errors import FarmChanged, Refused
from adfs_mgmt.rollover.journal import Journal
from adfs_mgmt.rollover.model import Record


@dataclass(slots=True, kw_only=True)
class Deployment:
    """Work on one server of one farm."""

    shell: Shell
    settings: FarmSettings
    state_dir: Path
    progress: Progress
    clock: Callable[[], float] = time.time
    """Unix seconds."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    outside: Callable[[FarmSettings, float], Awaitable[ExternalView]] = read_external_view
    who: str = ""

    def journal_path(self, name: str) -> Path:
        """Of a server, by its fully qualified name."""
        return journal_path(self.state_dir, self.settings.name, name)

    def record(self, name: str) -> Record | None:
        """What was done about a server last. Raises JournalError."""
        return journals.read(self.journal_path(name))

    async def plan(self, wish: Wish, secrets: Secrets | None = None) -> Plan:
        """Look, check and plan; nothing is changed. Never raises for servers that do not answer: that is a failed check."""
        seen = await self._lookout(wish).begin(secrets)
        return self._planned(wish, seen)

    async def apply(self, plan: Plan, secrets: Secrets) -> Record:
        """Do it, if the farm is as it was. Raises Refused, FarmChanged, Stalled, JournalError, RemotingError.

        Cancelled or killed, `resume` goes on.
        """
        wish = plan.wish
        with Journal(self.journal_path(wish.name), now=self.clock(), who=self.who) as journal:
            if journal.record is not None and journal.record.open:
                raise Refused(_title(wish), (f"{journal.record.kind} is under way there: go on with --resume, or --undo",))
            lookout = self._lookout(wish)
            seen = await lookout.begin(secrets)
            now_planned = self._planned(wish, seen)
            if now_planned.refused:
                raise Refused(_title(wish), tuple(map(str, now_planned.refused)))
            if changed := differences(plan, now_planned):
                raise FarmChanged(wish.farm, changed)
            self._check_secrets(wish, seen, secrets)
            facts = {"wish": wish_text(wish), "plan": plan.id, **stages.before(wish, seen)}
            journal.start(f"{plan.id}@{self.clock():.0f}", wish.operation.value, wish.farm, facts, now=self.clock())
            return await self._run(wish, secrets, journal, lookout)

    async def resume(self, name: str, secrets: Secrets, *, undo: bool = False) -> Record:
        """Go on with what is under way at a server, or clean it up. Raises as `apply` does."""
        path = self.journal_path(name)
        with Journal(path, now=self.clock(), who=self.who) as journal:
            record = journal.record
            if record is None or not record.open:
                raise Refused(f"work on {name}", ("nothing is under way there: leave --resume and --undo out",))
            wish = wish_from(record.facts.get("wish", ""), path)
            if undo and not wish.operation.adds:
                raise Refused(_title(wish), ("a removal is not undone but finished (--resume); then add the server anew",))
            lookout = self._lookout(wish)
            seen = await lookout.begin()
            if not undo and not record.back:
                self._check_secrets(wish, seen, secrets)
            if undo and not record.back:
                journal.turn("start", now=self.clock())
            return await self._run(wish, secrets, journal, lookout)

    async def _run(self, wish: Wish, secrets: Secrets, journal: Journal, lookout: Lookout) -> Record:
        runner = Runner(
            shell=self.shell,
            wish=wish,
            steps=procedure(wish, secrets),
            journal=journal,
            look=lookout.look,
            clock=self.clock,
            sleep=self.sleep,
            progress=self.progress,
        )
        return await runner.run()

    def _lookout(self, wish: Wish) -> Lookout:
        return Lookout(shell=self.shell, settings=self.settings, wish=wish, clock=self.clock, outside=self.outside)

    def _planned(self, wish: Wish, seen: Situation) -> Plan:
        return with_id(make_plan(wish, seen, id_="", by=self.who or journals.whoami()))

    def _check_secrets(self, wish: Wish, seen: Situation, secrets: Secrets) -> None:
        """Before anything is changed, not in the middle of it."""
        account = service_account(wish, seen)
        needed = {
            f"the password of {account}: --service-password-file": (
                wish.operation in {Operation.NODE_ADD, Operation.FARM_NEW} and not is_gmsa(account),
                secrets.service_account,
            ),
            f"the password of {wish.admin}: --admin-password-file": (bool(wish.admin), secrets.admin),
            f"the password of {wish.trust_admin}: --trust-password-file": (bool(wish.trust_admin), secrets.trust_admin),
        }
        missing = tuple(f"it needs {name}" for name, (wanted, secret) in needed.items() if wanted and not secret.text)
        if missing:
            raise Refused(_title(wish), missing)


def journal_path(state_dir: Path, farm: str, name: str) -> Path:
    """Of one server of one farm, whatever characters its farm's name has."""
    return state_dir / "deploy" / f"{quote(farm, safe='')}.{quote(name.lower(), safe='')}.journal"


def _title(wish: Wish) -> str:
    return f"{wish.operation.value} {wish.name}"
