"""Fills a Samba domain, offline, through Samba's own database layer. Runs under the system's Python (package samba).

usage: python3 populate.py SMB_CONF < people.json       prints nothing; passwords come by standard input only

people.json: {"admin_password", "policy": {attribute: value}, "people": [{"name", "password", "given_name", "surname",
"mail", "groups", "state"}], "groups": [{"name", "members"}], "service": {"name", "password"} | null}
states: ok, disabled, must_change, expired_password, expired_account, logon_hours, workstation, strict_policy
"""

import json
import sys

import ldb
from samba import dsdb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

BYPASS = f"local_oid:{dsdb.DSDB_CONTROL_BYPASS_PASSWORD_HASH_OID}:0"  # lets pwdLastSet be set to a date
NEVER_HOURS = bytes(21)
PAST = "131000000000000000"  # a Windows FILETIME in 2016


def main() -> None:
    """Read the description from standard input and write it into the domain."""
    order = json.load(sys.stdin)
    lp = LoadParm(sys.argv[1])
    samdb = SamDB(url=lp.private_path("sam.ldb"), session_info=system_session(), lp=lp)
    samdb.transaction_start()
    try:
        base = str(samdb.domain_dn())
        modify(samdb, base, order["policy"])
        samdb.setpassword("(sAMAccountName=Administrator)", order["admin_password"])
        for person in order["people"]:
            add_person(samdb, base, person)
        for group in order["groups"]:
            samdb.newgroup(group["name"])
            samdb.add_remove_group_members(group["name"], group["members"], add_members_operation=True)
        if order["service"]:
            samdb.newuser(order["service"]["name"], order["service"]["password"])
        strict = [person["name"] for person in order["people"] if person["state"] == "strict_policy"]
        if strict:
            add_strict_policy(samdb, base, strict)
    except BaseException:
        samdb.transaction_cancel()
        raise
    samdb.transaction_commit()


def add_person(samdb: SamDB, base: str, person: dict) -> None:
    """One user, in the state that is asked for."""
    samdb.newuser(
        person["name"],
        person["password"],
        givenname=person["given_name"],
        surname=person["surname"],
        mailaddress=person["mail"] or None,
        force_password_change_at_next_login_req=person["state"] == "must_change",
    )
    changes = {
        "expired_password": {"pwdLastSet": PAST},
        "disabled": {"userAccountControl": "514"},
        "expired_account": {"accountExpires": PAST},
        "logon_hours": {"logonHours": NEVER_HOURS},
        "workstation": {"userWorkstations": "NOWHERE"},
    }
    if person["state"] in changes:
        modify(samdb, dn_of(samdb, base, person["name"]), changes[person["state"]], [BYPASS])


def dn_of(samdb: SamDB, base: str, name: str) -> str:
    """Where a user is."""
    return str(samdb.search(base, expression=f"(sAMAccountName={name})", attrs=[])[0].dn)


def add_strict_policy(samdb: SamDB, base: str, names: list) -> None:
    """A fine-grained password policy that locks after three failures."""
    samdb.add(
        {
            "dn": f"CN=Strict,CN=Password Settings Container,CN=System,{base}",
            "objectClass": "msDS-PasswordSettings",
            "msDS-PasswordSettingsPrecedence": "10",
            "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
            "msDS-PasswordHistoryLength": "0",
            "msDS-PasswordComplexityEnabled": "FALSE",
            "msDS-MinimumPasswordLength": "7",
            "msDS-MinimumPasswordAge": "0",
            "msDS-MaximumPasswordAge": "-36288000000000",
            "msDS-LockoutThreshold": "3",
            "msDS-LockoutObservationWindow": "-18000000000",
            "msDS-LockoutDuration": "-18000000000",
            "msDS-PSOAppliesTo": [dn_of(samdb, base, name) for name in names],
        }
    )


def modify(samdb: SamDB, dn: str, changes: dict, controls: list | None = None) -> None:
    """Replace attributes."""
    if changes:
        message = ldb.Message()
        message.dn = ldb.Dn(samdb, dn)
        for name, value in changes.items():
            message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
        samdb.modify(message, controls)


if __name__ == "__main__":
    main()
