"""Expressions built as those of the rules that Connect brings: their types fit, and they say what they are meant to."""

from __future__ import annotations

import pytest

from sync.rules.expressions import IgnoreThisFlow, Kind, Reference, RuleSchema, Value, ValueType, check
from tests.sync.rules.expressions.support import bindings, parsed

TEXT, NUMBER, BOOLEAN, BYTES = (ValueType.of(kind) for kind in (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.BYTES))
TEXTS = ValueType.of(Kind.TEXT, many=True)
SCHEMA = RuleSchema(
    attributes={
        **dict.fromkeys(("sAMAccountName", "mailNickname", "mail", "userPrincipalName", "info", "sn"), TEXT),
        **dict.fromkeys(
            ("msExchRecipientTypeDetails", "userAccountControl", "groupType", "pwdLastSet", "memberCount"), NUMBER
        ),
        **dict.fromkeys(("isCriticalSystemObject", "cloudSOAExchMailbox"), BOOLEAN),
        **dict.fromkeys(("objectGUID", "mS-DS-ConsistencyGuid", "hash"), BYTES),
        **dict.fromkeys(("proxyAddresses", "description"), TEXTS),
        "dn": ValueType.of(Kind.REFERENCE),
        "member": ValueType.of(Kind.REFERENCE, many=True),
    }
)
GUID = bytes(range(16))
DN = Reference("CN=Joe,DC=example")
FILTERED = r"""
    IIF(IsPresent([isCriticalSystemObject]) || IsPresent([sAMAccountName]) = False || [sAMAccountName] = "SUPPORT_388945a0"
        || Left([mailNickname], 14) = "SystemMailbox{"
        || (Left([mailNickname], 4) = "CAS_" && (InStr([mailNickname], "}") > 0))
        || CBool(IIF(IsPresent([msExchRecipientTypeDetails]), BitAnd([msExchRecipientTypeDetails], &H21C07000) > 0, NULL))
        || CBool(InStr(DNComponent(CRef([dn]), 1), "\\0ACNF:") > 0), True, NULL)"""
ENABLED = """
    IIF(((IsPresent([proxyAddresses]) = True) && (Contains([proxyAddresses], "SMTP:") > 0)
          && (InStr(Item([proxyAddresses], Contains([proxyAddresses], "SMTP:")), "@") > 0))
        || (IsPresent([mail]) = True && (InStr([mail], "@") > 0)), True, False)"""
ANCHOR = """
    IIF(IsPresent([mS-DS-ConsistencyGuid]),
        IIF(IsString([mS-DS-ConsistencyGuid]), CStr([mS-DS-ConsistencyGuid]), ConvertToBase64([mS-DS-ConsistencyGuid])),
        IIF(IsString([objectGUID]), CStr([objectGUID]), ConvertToBase64([objectGUID])))"""
UPN = """
    IIF(IsPresent([userPrincipalName]), [userPrincipalName],
        IIF(IsPresent([sAMAccountName]), ([sAMAccountName] & "@" & %Domain.FQDN%), Error("AccountName is not present")))"""
CHANGED = 'IIF(IsPresent([pwdLastSet]),CStr(FormatDateTime(DateFromNum([pwdLastSet]),"yyyyMMddHHmmss.0Z")),NULL)'
FIRST = "IIF(IsNullOrEmpty([description]),NULL,Left(Trim(Item([description],1)),448))"
HASH = "IIF([cloudSOAExchMailbox] = True,[hash],IgnoreThisFlow)"
CASES: list[tuple[str, dict[str, Value], object]] = [
    (FILTERED, {"sAMAccountName": "joe", "dn": DN}, None),
    (FILTERED, {"sAMAccountName": "joe", "dn": DN, "mailNickname": "joe", "msExchRecipientTypeDetails": 1}, None),
    (FILTERED, {"sAMAccountName": "Administrator", "dn": DN, "isCriticalSystemObject": True}, True),
    (FILTERED, {"dn": DN}, True),
    (FILTERED, {"sAMAccountName": "SUPPORT_388945a0", "dn": DN}, True),
    (FILTERED, {"sAMAccountName": "s", "dn": DN, "mailNickname": "SystemMailbox{1}"}, True),
    (FILTERED, {"sAMAccountName": "s", "dn": DN, "mailNickname": "CAS_{1}"}, True),
    (FILTERED, {"sAMAccountName": "s", "dn": DN, "mailNickname": "CAS_1"}, None),
    (FILTERED, {"sAMAccountName": "s", "dn": DN, "msExchRecipientTypeDetails": 0x1000}, True),
    (FILTERED, {"sAMAccountName": "s", "dn": Reference("CN=Joe\\0ACNF:1,DC=example")}, True),
    (ENABLED, {"proxyAddresses": ("smtp:a@x", "SMTP:b@x")}, True),
    (ENABLED, {"proxyAddresses": ("smtp:a@x",)}, False),
    (ENABLED, {"mail": "a@x"}, True),
    (ENABLED, {}, False),
    (ANCHOR, {"objectGUID": GUID}, "AAECAwQFBgcICQoLDA0ODw=="),
    (ANCHOR, {"objectGUID": GUID, "mS-DS-ConsistencyGuid": GUID[::-1]}, "Dw4NDAsKCQgHBgUEAwIBAA=="),
    (ANCHOR, {"objectGUID": GUID, "mS-DS-ConsistencyGuid": b""}, "AAECAwQFBgcICQoLDA0ODw=="),
    (UPN, {"sAMAccountName": "joe"}, "joe@sales.example.com"),
    (UPN, {"sAMAccountName": "joe", "userPrincipalName": "j@x"}, "j@x"),
    (CHANGED, {"pwdLastSet": 130543784930000000}, "20140905081453.0Z"),
    (CHANGED, {}, None),
    (FIRST, {"description": (" a " + "b" * 500, "c")}, "a " + "b" * 446),
    (FIRST, {}, None),
    (HASH, {"cloudSOAExchMailbox": True, "hash": b"1"}, b"1"),
    (HASH, {"hash": b"1"}, IgnoreThisFlow),
    ("IIF(BitAnd([userAccountControl],2)=0,True,False)", {"userAccountControl": 514}, False),
    ("IIF(BitAnd([userAccountControl],2)=0,True,False)", {"userAccountControl": 512}, True),
    ("IIF(BitAnd([userAccountControl],2)=0,True,False)", {}, False),
    ("CBool(BitAnd([groupType],-2147483648))", {"groupType": -2147483646}, True),
    ("CBool(BitAnd([groupType],-2147483648))", {"groupType": 2}, False),
    ('IIF(([memberCount]> 50000),Error("Maximum exceeded"),IgnoreThisFlow)', {"memberCount": 3}, IgnoreThisFlow),
    ('"CN={" & ConvertToUTF8Hex([sn]) & "}"', {"sn": "ab"}, "CN={6162}"),
]


@pytest.mark.parametrize(("text", "attributes", "value"), CASES)
def test_case(text: str, attributes: dict[str, Value], value: object) -> None:
    """Its types fit the schema, and it has this value for this object."""
    expression = parsed(text)
    assert check(expression, SCHEMA)[1] == []
    found = expression.evaluate(bindings(attributes))
    assert (found, type(found)) == (value, type(value))
