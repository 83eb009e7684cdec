"""The Kerberos realm of a throwaway Active Directory: hosts that have joined it, and a workstation that knows it.

Everything is in the caller's directory, krb5.conf and ticket cache among it; nothing of this machine is used or changed.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from demo.people import Person
from demo.samba import ThrowawayDomain

_CONFIGURATION = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
[realms]
    {realm} = {{
        kdc = {address}
    }}
"""


class Realm:
    """`hosts` have SPNs as Windows registers them: WSMAN/… and HOST/…, which stands for HTTP/… as well."""

    def __init__(self, domain: ThrowawayDomain, directory: Path, hosts: Sequence[str]) -> None:
        self.domain = domain
        self._directory = directory
        self._configuration = directory / "krb5.conf"
        self.keytabs = {host: directory / f"{host}.keytab" for host in hosts}
        domain.edit([{"add": self._computer(host)} for host in hosts])
        for host, keytab in self.keytabs.items():
            self._export(_account(host), keytab)
        self.lead_to(domain.address)

    def environment(self, cache: Path) -> Mapping[str, str]:
        """What libkrb5 reads. Without a replay cache, which would be a file of this machine."""
        return {
            "KRB5_CONFIG": str(self._configuration),
            "KRB5CCNAME": f"FILE:{cache}",
            "KRB5_KTNAME": f"FILE:{self._directory / 'none.keytab'}",
            "KRB5RCACHENAME": "none:",
        }

    def lead_to(self, address: str, realm: str = "") -> None:
        """Where the workstation looks for the domain controller, and under which realm."""
        self._configuration.write_text(_CONFIGURATION.format(realm=realm or self.domain.realm, address=address))

    def principal(self, person: Person) -> str:
        return f"{person.account_name}@{self.domain.realm}"

    def log_on(self, person: Person) -> None:
        """`kinit`, as an administrator types it."""
        command = ["kinit", self.principal(person)]
        subprocess.run(command, input=f"{person.password}\n", text=True, check=True, capture_output=True, timeout=60)

    def bad_passwords(self, person: Person) -> int:
        """What the domain controller has counted."""
        database = self.domain.directory / "private" / "sam.ldb"
        command = ["ldbsearch", "-H", str(database), f"(sAMAccountName={person.account_name})", "badPwdCount"]
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        counted = re.search(r"^badPwdCount: (\d+)$", found, re.MULTILINE)
        return int(counted.group(1)) if counted else 0

    def add_service(self, name: str, *spns: str) -> None:
        """A service account, as AD FS has one, with SPNs."""
        dn = f"CN={name},CN=Users,{self.domain.base_dn}"
        entry = {"dn": dn, "objectClass": "user", "sAMAccountName": name, "userAccountControl": "66048"}
        self.domain.edit([{"add": entry | {"servicePrincipalName": list(spns), "password": "Service-Strait-1"}}])

    def _computer(self, host: str) -> dict[str, object]:
        account = _account(host)
        return {
            "dn": f"CN={account[:-1]},CN=Computers,{self.domain.base_dn}",
            "objectClass": "computer",
            "sAMAccountName": account,
            "userAccountControl": "4096",
            "dNSHostName": host,
            "servicePrincipalName": [f"WSMAN/{host}", f"HOST/{host}"],
            "password": f"Machine-Strait-{account}",
        }

    def _export(self, account: str, keytab: Path) -> None:
        command = [
            "/usr/bin/python3", "/usr/bin/samba-tool", "domain", "exportkeytab", str(keytab),
            f"--principal={account}", f"--configfile={self.domain.configuration}",
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def shift_clock(cache: Path, seconds: int) -> None:
    """What is known in a ticket cache of the KDC's clock: from now on everything is dated that much later.

    It is the first tag of the header of a cache file, version 4 (MIT's ccache file format).
    """
    data = cache.read_bytes()
    version, length = struct.unpack(">HH", data[:4])
    if version != 0x0504:
        raise ValueError(f"ticket cache of version {version:#x}")
    cache.write_bytes(struct.pack(">HHHHii", version, 12, 1, 8, seconds, 0) + data[4 + length :])


def _account(host: str) -> str:
    return host.partition(".")[0].upper() + "$"
