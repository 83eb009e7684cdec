"""Edits a stopped or running Samba's database in place. Run by the system's Python, which has Samba's modules.

Reads one JSON document from standard input (so that no password is ever on a command line): `configuration` (path of
smb.conf), and `steps`, done in order in one transaction:

- `{"add": {"dn": …, "password": …, attribute: value or [values]}}`
- `{"modify": {"dn": …, attribute: value or [values]}, "raw": true}`; raw writes what only the server itself may write
- `{"delete": {"dn": …}}`
- `{"grant": {"dn": …, "to": account name, "aces": ["(A;CI;RPLC;;;{sid})"]}}`
- `{"copies": {"count": n, "name": "bench{:05d}", "password": …, "base": dn, "upn_suffix": …, "groups": [dn]}}`

A value that is no text is written as `{"base64": …}`.

It is not part of Isthmus's own process: Samba's Python modules exist for Debian's interpreter only.
"""

# mypy: ignore-errors
import base64
import json
import sys

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

BYPASS_PASSWORD_HASH = "local_oid:1.3.6.1.4.1.7165.4.3.12:0"
RELAX = "local_oid:1.3.6.1.4.1.4203.666.5.12:0"
SKIP_GROUP_SIDS = "clearTextPassword"


def as_values(value):
    values = value if isinstance(value, list) else [value]
    return [base64.b64decode(v["base64"]) if isinstance(v, dict) else str(v) for v in values]


def add(db, fields):
    fields = dict(fields)
    message = ldb.Message(ldb.Dn(db, fields.pop("dn")))
    password = fields.pop("password", None)
    if password is not None:
        message["clearTextPassword"] = ldb.MessageElement(
            password.encode("utf-16-le"), ldb.FLAG_MOD_ADD, "clearTextPassword"
        )
    for name, value in fields.items():
        message[name] = ldb.MessageElement(as_values(value), ldb.FLAG_MOD_ADD, name)
    db.add(message)


def modify(db, fields, raw=False):
    fields = dict(fields)
    message = ldb.Message(ldb.Dn(db, fields.pop("dn")))
    password = fields.pop("password", None)
    if password is not None:
        message["clearTextPassword"] = ldb.MessageElement(
            password.encode("utf-16-le"), ldb.FLAG_MOD_REPLACE, "clearTextPassword"
        )
    for name, value in fields.items():
        message[name] = ldb.MessageElement(as_values(value), ldb.FLAG_MOD_REPLACE, name)
    db.modify(message, controls=[BYPASS_PASSWORD_HASH, RELAX] if raw else [])


def grant(db, request):
    found = db.search(
        db.domain_dn(), expression="(sAMAccountName=%s)" % ldb.binary_encode(request["to"]), attrs=["objectSid"]
    )
    sid = db.schema_format_value("objectSid", found[0]["objectSid"][0]).decode()
    tool = SDUtils(db)
    for ace in request["aces"]:
        tool.dacl_add_ace(ldb.Dn(db, request["dn"]), ace.format(sid=sid))


def nt_hash(password):
    from samba.crypto import md4_hash_blob

    return md4_hash_blob(password.encode("utf-16-le"))


def copies(db, request):
    digest = nt_hash(request["password"])
    for number in range(request["start"], request["start"] + request["count"]):
        name = request["name"].format(number)
        dn = "CN=%s,%s" % (name, request["base"])
        add(
            db,
            {
                "dn": dn,
                "objectClass": "user",
                "sAMAccountName": name,
                "userPrincipalName": "%s@%s" % (name, request["upn_suffix"]),
                "mail": "%s@%s" % (name, request["upn_suffix"]),
                "givenName": "Bench",
                "sn": "%05d" % number,
                "displayName": "Bench %05d" % number,
                "userAccountControl": "546",
            },
        )
        message = ldb.Message(ldb.Dn(db, dn))
        message["unicodePwd"] = ldb.MessageElement(digest, ldb.FLAG_MOD_REPLACE, "unicodePwd")
        message["pwdLastSet"] = ldb.MessageElement(str(request["now"]), ldb.FLAG_MOD_REPLACE, "pwdLastSet")
        message["userAccountControl"] = ldb.MessageElement("512", ldb.FLAG_MOD_REPLACE, "userAccountControl")
        db.modify(message, controls=[BYPASS_PASSWORD_HASH])
    for group in request["groups"]:
        message = ldb.Message(ldb.Dn(db, group))
        members = [
            "CN=%s,%s" % (request["name"].format(number), request["base"])
            for number in range(request["start"], request["start"] + request["count"])
        ]
        message["member"] = ldb.MessageElement(members, ldb.FLAG_MOD_ADD, "member")
        db.modify(message)


def main():
    request = json.load(sys.stdin)
    parameters = LoadParm()
    parameters.load(request["configuration"])
    db = SamDB(session_info=system_session(), lp=parameters)
    db.transaction_start()
    try:
        for step in request["steps"]:
            if "add" in step:
                add(db, step["add"])
            elif "modify" in step:
                modify(db, step["modify"], step.get("raw", False))
            elif "delete" in step:
                db.delete(ldb.Dn(db, step["delete"]["dn"]))
            elif "grant" in step:
                grant(db, step["grant"])
            else:
                copies(db, step["copies"])
    except BaseException:
        db.transaction_cancel()
        raise
    db.transaction_commit()


main()
