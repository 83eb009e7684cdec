"""Admission over the store: opened with its keys and records, and what an administrator asks of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.housekeeping import Housekeeping
from gateway.protocol import AccountId
from gateway.relay.credentials.accounts import AccountKey
from gateway.relay.credentials.admission import Admission, AdmissionSettings, LockView
from gateway.relay.credentials.journal import JournaledAdmissionStore
from gateway.relay.credentials.shared import SharedAdmissionStore
from gateway.store import Store


class Lockouts:
    """Smart lockout, as relay and command line share it. clock: Unix seconds.

    alone: this process is the only one that writes (a running relay whose store is its own): records are in its memory,
    and in the store whatever is held against somebody. Otherwise every attempt is a transaction in the store.
    """

    def __init__(self, settings: AdmissionSettings, store: Store, clock: Callable[[], float], *, alone: bool) -> None:
        self._keyring, self._clock = store.keyring, clock
        self._keys_read_at = float("-inf")
        self._secrets: Sequence[bytes] = ()
        self._account_key: AccountKey | None = None
        self._journal = JournaledAdmissionStore(settings, store.admission) if alone else None
        shared = SharedAdmissionStore(settings, store.admission)
        self._records = shared if self._journal is None else self._journal  # not `or`: a journal without records is false
        self.admission = Admission(settings, keys=self._keys, store=self._records)

    def use(self, settings: AdmissionSettings) -> None:
        """Settings were read anew; what is counted stays."""
        self._records.use(settings)
        self.admission.use(settings)

    async def restore(self) -> None:
        """Read what was counted before this start. Raises StoreError."""
        if self._journal is not None:
            await self._journal.restore()

    def digest(self, account: AccountId) -> tuple[bytes, str]:
        """What an account is counted under now, and the id of the key that makes it so."""
        self._read_keys()
        key = self._account_key
        assert key is not None  # noqa: S101 - it was read
        return key.digest(account), key.id

    async def unlock(self, user_names: Sequence[str], accounts: Sequence[AccountId]) -> bool:
        """Forget what is counted against an account; False where nothing was. Raises StoreError."""
        keys = [AccountKey(key.id, key.secret) for key in self._keyring.valid("account")]
        return await self.admission.unlock(user_names, [key.digest(account) for account in accounts for key in keys])

    async def locked(self) -> list[LockView]:
        """What is locked now. Raises StoreError."""
        return await self.admission.locked(self._clock())

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Once a minute, in memory; the store has its own sweep (`gateway.store.Purge`)."""
        housekeeping.every_minute("lockouts", self.purge)

    async def purge(self) -> None:
        """Forget in memory what has expired, and write what the store did not take before."""
        if self._journal is not None:
            await self._journal.purge(self._clock())

    def _keys(self) -> Sequence[bytes]:
        """Of the digests of names and passwords, the one to make new ones with first."""
        self._read_keys()
        return self._secrets

    def _read_keys(self) -> None:
        """From the keyring, once a second, since every sign-in asks for them."""
        now = self._clock()
        if self._keys_read_at <= now < self._keys_read_at + 1.0:
            return
        current = self._keyring.current("admission")
        valid = self._keyring.valid("admission")
        self._secrets = (current.secret, *(key.secret for key in valid if key.id != current.id))
        account = self._keyring.current("account")
        if self._account_key is None or self._account_key.id != account.id:
            self._account_key = AccountKey(account.id, account.secret)
        self._keys_read_at = now
