"""Files of rules: everything that is wrong is told, with place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.model import ObjectKind
from sync.rules import RuleProblem, RulesRefused, read_rules
from sync.rules.schema import TYPES
from tests.sync.rules.support import FILE, account_of, copying, inbound, outbound, person_of, rules_of, user

SN = '{ to = "sn", direct = "sn" },'


def problems(text: str, **schemas: object) -> list[RuleProblem]:
    with pytest.raises(RulesRefused) as refused:
        rules_of(text, **schemas)
    assert str(refused.value).splitlines()[0] == str(refused.value.problems[0])
    return list(refused.value.problems)


def told(text: str, **schemas: object) -> list[str]:
    """Key, problem and remedy."""
    return [f"{one.key}: {one.problem}. {one.remedy}" for one in problems(text, **schemas)]


def test_all_problems_of_form_and_syntax_come_at_once() -> None:
    """With line, column and key: unknown keys, wrong choices, missing ones, and expressions, in the order of the file."""
    text = """
dialect = "connect"
colour = "red"

[[inbound]]
id = "in user"
kind = "usr"
precedence = -1
scope = [[{ attribute = "sn", operator = "EQUALS", value = 1.5 }]]
flows = [
  { to = "sn", direct = "sn", frm = "x" },
  { to = "mail", expression = 'Trim([mail]' },
  { to = "title", expression = '''
      IIF(IsPresent([title]),
          Trim(title), NULL)''' },
]
"""
    found = problems(text)
    assert [(one.line, one.column, one.key) for one in found] == [
        (3, 0, "colour"),
        (5, 0, "inbound[0].link"),
        (6, 0, "inbound[0].id"),
        (7, 0, "inbound[0].kind"),
        (8, 0, "inbound[0].precedence"),
        (9, 0, "inbound[0].scope[0][0].operator"),
        (9, 0, "inbound[0].scope[0][0].value"),
        (11, 0, "inbound[0].flows[0].frm"),
        (12, 43, "inbound[0].flows[1].expression"),
        (15, 16, "inbound[0].flows[2].expression"),
    ]
    assert str(found[8]) == (
        "rules.toml:12:43: inbound[0].flows[1].expression: the expression ends too early; expected a comma or a closing"
        " bracket. Complete it"
    )
    assert "is not known" in found[9].problem


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Or is no TOML."""
    with pytest.raises(RulesRefused, match="cannot be read"):
        read_rules(tmp_path / "missing.toml")
    found = problems("[[inbound]]\nid = \n")
    assert (found[0].file, found[0].line) == ("rules.toml", 2)


def test_types_are_checked_before_a_run() -> None:
    """All of them at once, in both directions."""
    text = inbound(
        "{ to = \"sn\", expression = 'Left([userAccountControl], 2)' },\n"
        '{ to = "title", direct = "titel" },\n'
        "{ to = \"x\", expression = '[manager]' },\n"
        '{ to = "y", links = "mail" },\n'
        "{ to = \"z\", expression = 'CRef([dn])' },"
    ) + outbound('{ to = "n", expression = \'Trim([nothing])\' },\n{ to = "m", links = "sn" },')
    found = told(text)
    assert [line.partition(":")[0] for line in found] == [
        "inbound[0].flows[0].expression",
        "inbound[0].flows[1].direct",
        "inbound[0].flows[2].expression",
        "inbound[0].flows[3].links",
        "inbound[0].flows[4].expression",
        "outbound[0].flows[0].expression",
        "outbound[0].flows[1].links",
    ]
    assert "text of Left is number; expected text" in found[0]
    assert "Did you mean title?" in found[1]
    assert 'Write links = "manager" in a flow' in found[2]
    assert 'mail = "link"' in found[3]
    assert "the result is a reference" in found[4]
    assert "the schema has no attribute nothing" in found[5]
    assert "An inbound rule has to give it, by links" in found[6]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('attribute = "objectGUID", operator = "EQUAL", value = "x"', "objectGUID is bytes"),
        ('attribute = "sn", operator = "ISBITSET", value = 2', "sn is text; ISBITSET expects a number"),
        ('attribute = "userAccountControl", operator = "ISBITSET", value = "x"', "is not a number"),
        ('attribute = "userAccountControl", operator = "EQUAL", value = "x"', "userAccountControl is a number"),
        ('attribute = "isDeleted", operator = "EQUAL", value = "ja"', "isDeleted is true or false"),
        ('attribute = "isDeleted", operator = "LESSTHAN", value = "true"', "isDeleted is true or false"),
        ('attribute = "surname", operator = "ISNULL"', "the source has no attribute surname"),
        ('attribute = "Mail", operator = "ISNULL"', "Did you mean mail? Names are case-sensitive"),
        ('attribute = "manager", operator = "ISNULL"', "manager names other objects"),
        ("expression = '[sn]'", "a condition is text; expected one boolean"),
        ("expression = '[proxyAddresses] = \"x\"'", "several values of boolean; expected one boolean"),
        ('attribute = "sn"', "needs an operator, or an expression"),
        ("operator = \"ISNULL\", expression = 'True'", "needs an operator, or an expression, and not both"),
        ("attribute = \"sn\", expression = 'True'", "an expression stands alone"),
        ('operator = "EQUAL", value = "x"', "name what EQUAL compares"),
        ('attribute = "sn", operator = "EQUAL"', "say what EQUAL compares with"),
        ('attribute = "sn", operator = "ISNULL", value = "x"', "ISNULL compares with nothing"),
        ('attribute = "sn", operator = "ISMEMBEROF", value = "CN=x"', "ISMEMBEROF asks about the object itself"),
        ('attribute = "sn", operator = "ISNULL", nested = true', "is for ISMEMBEROF"),
    ],
)
def test_conditions(condition: str, expected: str) -> None:
    """A condition compares what is there with what it could be."""
    assert expected in told(inbound(SN, scope=f"[[{{ {condition} }}]]") + copying("sn"))[0]


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ('to = "x"', "has none of these; expected one of direct, constant, expression, links, compute"),
        ('to = "x", direct = "sn", constant = "y"', "has direct and constant"),
        ('to = "x", constant = 1.5', "write a text in quotes, a whole number, or true or false"),
        ('to = "x", constant = [[1]]', "is not a value"),
        ('to = "x", constant = 9223372036854775808', "more than 64 bits"),
        ('to = "x", direct = "sn", nested = true', "is for flows of links"),
        ('to = "x", links = "member", once = true', "links always flow"),
        ('to = "x", links = "member", merge = "merge_case_insensitive"', "links have no case"),
        ('to = "x", compute = "mail_nickname"', "only accounts have computed attributes"),
        ('to = "sourceAnchor", direct = "sn"', "the source anchor is set by [anchor]"),
        ('to = "accountEnabled", direct = "sn"', "expected a boolean, not text"),
        ('to = "accountEnabled", links = "member"', "expected a boolean, not links"),
        ('to = "x", direct = "sn" }, { to = "x", direct = "c"', "a flow to x is in this rule already"),
    ],
)
def test_flows(flow: str, expected: str) -> None:
    """A flow has one origin, and a target that it may have."""
    assert expected in told(inbound(f"{{ {flow} }},") + copying("sn"))[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (inbound(SN) + inbound(SN, precedence=11), "the id in is that of rules.toml:1, too"),
        (inbound(SN) + inbound(SN, rule="two"), "10 is the precedence of in (rules.toml:1), too"),
        (
            inbound(SN) + inbound('{ to = "sn", direct = "sn", merge = "merge" },', rule="two", precedence=11),
            'sn has merge = "merge" here, and "update" in the rule in',
        ),
        (
            inbound(SN) + inbound('{ to = "sn", direct = "uidNumber" },', rule="two", precedence=11),
            "sn gets number here, and text in the rule in",
        ),
        (
            inbound(SN) + inbound('{ to = "sn", direct = "description" },', rule="two", precedence=11),
            "sn gets text[] here, and text in the rule in",
        ),
        (
            inbound(SN) + inbound('{ to = "sn", links = "member" },', rule="two", precedence=11),
            "sn gets links here, and values",
        ),
        (
            inbound('{ to = "sn", links = "member" },') + inbound(SN, rule="two", precedence=11),
            "sn gets values here, and links",
        ),
        (inbound(SN, join='[[{ object = "mail", person = "mail" }]]'), "no inbound rule gives persons the attribute mail"),
        (inbound(SN, join='[[{ object = "nothing", person = "sn" }]]'), "the source has no attribute nothing"),
        (inbound(SN, scope="[[]]"), "a group without conditions"),
        (inbound(SN, join="[[]]"), "a group without conditions"),
        (inbound(SN, kind="other"), "objects of kind other make no person"),
        (inbound(SN, kind="other", link="join"), "say which person an object of kind other belongs to"),
        (
            inbound(SN) + outbound(scope='[[{ operator = "ISMEMBEROF", value = "CN=x" }]]'),
            "this rule is about persons",
        ),
        (inbound(SN) + outbound(more='match = ["mail"]'), "no outbound rule gives mail"),
        (
            inbound(SN)
            + outbound('{ to = "x", direct = "sn" },', rule="o1", precedence=1)
            + outbound('{ to = "x", constant = true },', rule="o2", precedence=2),
            "x gets boolean here, and text in the rule o1",
        ),
        ('without = ["in-user"]\n', "there are no default rules"),
        ('default_rules = true\nwithout = ["in-usr"]\n', "no default rule is in-usr; there are: in-contact, in-group"),
        ('[targets.cloud]\nverified_domains = ["example.com"]\n', "verified_domains and initial_domain need each other"),
        ('[attributes]\nbadge = "string"\n', "'string' is none of 'text'"),
    ],
)
def test_rules_fit_each_other(text: str, expected: str) -> None:
    """Ids, precedence, types and merge types; what joins search by; default rules."""
    assert expected in told(text + copying("sn").replace("'sn'", ""))[0]


def test_rules_of_different_kinds_may_have_one_precedence() -> None:
    """They never meet."""
    rules = rules_of(inbound(SN) + inbound(SN, rule="g", kind="group") + copying("sn"))
    assert len(rules.inbound) == 2


def test_accounts_of_different_kinds_and_targets_may_differ() -> None:
    """In what one attribute holds."""
    text = (
        inbound(SN)
        + outbound('{ to = "x", direct = "sn" },', rule="o1", precedence=1, more='targets = ["a"]')
        + outbound('{ to = "x", constant = 1 },', rule="o2", precedence=2, more='targets = ["b"]')
        + outbound('{ to = "x", constant = true },', rule="o3", precedence=1, kind="group")
    )
    assert len(rules_of(text).outbound) == 3


def test_attributes_of_targets() -> None:
    """Where they are known: a rule for a target names what it has, and gives what it takes."""
    text = TEXT.replace("targets = []", 'targets = ["cloud"]')
    cloud = {"userName": TYPES["text"], "phones": TYPES["text[]"], "boss": None, "age": TYPES["number"]}
    found = told(text, cloud=cloud)
    assert [line.partition(":")[0] for line in found] == [
        "outbound[0].flows[0].to",
        "outbound[0].flows[1].to",
        "outbound[0].flows[2].to",
    ]
    assert "age of cloud takes number; the flow gives text" in found[0]
    assert "the target cloud has no attribute username. Did you mean userName?" in found[1]
    assert "boss of cloud takes links" in found[2]
    assert "there is no target cloud; there are: other" in told(text, other=cloud)[0]
    assert (
        "there is no target clod" in told("[targets.clod]\n" + inbound(SN) + copying("sn"), cloud={"sn": TYPES["text"]})[0]
    )


TEXT = inbound(SN + '{ to = "tel", direct = "telephoneNumber" },') + outbound(
    '{ to = "age", direct = "sn" },\n{ to = "username", direct = "sn" },\n{ to = "boss", direct = "sn" },\n'
    '{ to = "phones", direct = "tel" },',
    more="targets = []",
)


def test_rule_for_all_targets_gives_each_what_it_has() -> None:
    """An attribute that one of them lacks is left out for it."""
    text = inbound(SN) + outbound(SN + '{ to = "surname", direct = "sn" },')
    rules = rules_of(text, a={"sn": TYPES["text"]}, b={"surname": TYPES["text"]})
    merged = person_of(rules, user(sn="x"))
    assert account_of(rules, merged, "a").values == {"sn": "x"}
    assert account_of(rules, merged, "b").values == {"surname": "x"}
    assert account_of(rules, merged, "unknown").values == {"sn": "x", "surname": "x"}


def test_declared_attributes() -> None:
    """A declaration adds an attribute, or changes its type; sources are told of it."""
    text = '[attributes]\nbadge = "number"\nboss = "link"\nmail = "text[]"\n' + inbound(
        '{ to = "sn", expression = \'CStr([badge] + 1) & Item([mail], 1)\' },\n{ to = "manager", links = "boss" },'
    )
    rules = rules_of(text + copying("sn") + outbound('{ to = "m", links = "manager" },'))
    assert rules.declared == {"badge": "number", "boss": "link", "mail": "text[]"}
    assert rules.needs[ObjectKind.USER].links == {"boss"}
    assert person_of(rules, user(badge=1, mail="x")).person.values["sn"] == "2x"


def test_needs() -> None:
    """Of each kind: what scopes, joins, flows and the anchor read; nothing for what reaches no account."""
    join = '[[{ object = "employeeID", person = "sn" }]]'
    scope = '[[{ attribute = "department", operator = "ISNULL" }, { expression = \'IsNull([c])\' }]]'
    text = inbound(
        SN + '{ to = "t", expression = \'Trim([title]) & [dn]\' }, { to = "unread", direct = "l" }, '
        '{ to = "m", links = "manager" }, { to = "unread2", links = "secretary" },',
        join=join,
        scope=scope,
    )
    rules = rules_of(text + outbound('{ to = "m", links = "m" }, { to = "t", direct = "t" },'))
    needs = rules.needs[ObjectKind.USER]
    assert needs.attributes == {
        "sn", "title", "department", "c", "employeeID", "mS-DS-ConsistencyGuid", "msExchRecipientTypeDetails"
    }  # fmt: skip
    assert needs.links == {"manager"}
    assert rules.needs[ObjectKind.GROUP].attributes == frozenset()
    assert rules.searched == {"sn"}
    assert rules.unused == (("in", "unread"), ("in", "unread2"))


def test_groups_of_scopes() -> None:
    """When their members change, so do scopes: by DN and by GUID."""
    guid = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    scope = f'[[{{ operator = "ISMEMBEROF", value = "CN=g" }}], [{{ operator = "ISNOTMEMBEROF", value = "{guid}" }}]]'
    rules = rules_of(inbound(SN, scope=scope) + copying("sn"))
    assert rules.groups == {"CN=g", guid}
    assert rules.names == {"CN=g": "in"}


def test_imported_values_of_unknown_targets_have_the_type_of_a_known_attribute() -> None:
    """Of those that rules write; others are not there."""
    expression = 'IIF(Count(ImportedValue("proxyAddresses")) > 1, NULL, Split([sn], ","))'
    text = inbound(SN) + outbound(f"{{ to = \"proxyAddresses\", expression = '{expression}' }},")
    assert rules_of(text).outbound
    other = text.replace('ImportedValue("proxyAddresses")', 'ImportedValue("mail")')
    assert "the schema has no attribute mail" in told(other)[0]


def test_defaults_beside_own_rules() -> None:
    """Some may be left out; own ones have the lower precedence."""
    text = 'default_rules = true\nwithout = ["in-contact", "out-contact"]\n' + inbound(
        "{ to = \"title\", expression = 'UCase([title])' },", link="join", precedence=5
    )
    rules = rules_of(text)
    assert {rule.id for rule in rules.inbound} == {"in", "in-user", "in-group"}
    assert [rule.id for rule in rules.inbound if rule.kind is ObjectKind.USER] == ["in", "in-user"]
    merged = person_of(rules, user(title="boss", sAMAccountName="a", userPrincipalName="a@x", userAccountControl=512))
    assert account_of(rules, merged).values["title"] == "BOSS"


def test_problems_of_a_long_file_are_cut_in_the_text_only() -> None:
    """The error has all of them."""
    flows = "\n".join(f'{{ to = "x{index}", direct = "nothing{index}" }},' for index in range(60))
    with pytest.raises(RulesRefused) as refused:
        rules_of(inbound(flows) + copying("sn"))
    assert len(refused.value.problems) >= 60
    assert len(str(refused.value).splitlines()) == 51
    assert str(refused.value).endswith("more")


def test_place_of_an_empty_file() -> None:
    """A file without rules is none that excludes everybody by mistake: it is valid, and nobody has an account."""
    rules = read_rules(FILE, content=b"")
    assert (rules.inbound, rules.outbound) == ((), ())
