"""What the simulator's own tests share."""

from __future__ import annotations

import pytest

from tests.adfs.simulator.cmdlets import Row
from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.simulator import ADMIN, ManualClock, Simulator
from tests.adfs.simulator.values import PsCredential, SecureText

NOW = 1_800_000_000.0
DAY = 86400.0
PRIMARY = "adfs1.corp.example.com"
SECOND = "adfs2.corp.example.com"
THIRD = "adfs3.corp.example.com"
WAP = "wap1.dmz.corp.example.com"
ADMINISTRATOR = PsCredential(ADMIN, SecureText("Adm1n-Passw0rd"))


class Console:
    """A simulator, its clock, and a short way to run cmdlets."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.simulator = Simulator(self.clock)

    def run(self, host: str, command: str, **parameters: object) -> list[Row]:
        return self.simulator.invoke(ADMIN, host, command, parameters)

    def one(self, host: str, command: str, **parameters: object) -> Row:
        (row,) = self.run(host, command, **parameters)
        return row

    def refused(self, host: str, command: str, **parameters: object) -> PsError:
        with pytest.raises(PsError) as caught:
            self.run(host, command, **parameters)
        return caught.value

    def certificates(self, use: str, host: str = PRIMARY) -> dict[str, bool]:
        """Thumbprint to whether it is primary."""
        rows = self.run(host, "Get-AdfsCertificate", CertificateType=[use])
        return {str(row["Thumbprint"]): row["IsPrimary"] is True for row in rows}

    def primary(self, use: str, host: str = PRIMARY) -> str:
        (found,) = [name for name, is_primary in self.certificates(use, host).items() if is_primary]
        return found

    def waiting(self, use: str, host: str = PRIMARY) -> list[str]:
        return [name for name, is_primary in self.certificates(use, host).items() if not is_primary]

    def automatic(self, on: bool) -> None:
        self.run(PRIMARY, "Set-AdfsProperties", AutoCertificateRollover=on)
