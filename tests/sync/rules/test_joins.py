"""Which person an object is."""

from __future__ import annotations

import pytest

from sync.model import ObjectKind, SourceObject
from sync.rules import Evaluator, Join, JoinDecision, ObjectHeld
from sync.rules.trial import Origin, TrialPersons
from tests.sync.rules.support import copying, evaluator, given, inbound, person_of, rules_of, user

MAIL = '[[{ object = "mail", person = "mail" }]]'
FLOWS = '{ to = "mail", direct = "mail" }, { to = "employeeID", direct = "employeeID" },'
REST = copying("mail", "employeeID")


def world(rules_text: str, *objects: SourceObject) -> tuple[Evaluator, TrialPersons]:
    """Each object is a person of its own, numbered from 1."""
    rules = rules_of(rules_text)
    engine = evaluator(rules)
    persons = TrialPersons()
    for number, found in enumerate(objects, 1):
        contributions = given(engine, found)
        persons.contributions[number] = [contributions]
        persons.merged[number] = engine.person(number, [contributions], previous=None, now=0.0)
    return engine, persons


def joined(engine: Evaluator, persons: TrialPersons, found: SourceObject, existing: Join | None = None) -> JoinDecision:
    return engine.join(found, given(engine, found), existing, persons)


def test_one_match_joins() -> None:
    """Without case, unless the rule says otherwise."""
    text = inbound(FLOWS, join=MAIL) + REST
    engine, persons = world(text, user("a", mail="A@example.com"), user("b", mail="b@example.com"))
    assert joined(engine, persons, user("x", "hr", mail="a@EXAMPLE.com")) == JoinDecision(1, "in")
    strict = text.replace('person = "mail"', 'person = "mail", case_sensitive = true')
    engine, persons = world(strict, user("a", mail="A@example.com"))
    assert joined(engine, persons, user("x", "hr", mail="a@EXAMPLE.com")).makes_person
    assert joined(engine, persons, user("x", "hr", mail="A@example.com")).person == 1


def test_no_match_makes_a_person() -> None:
    """Where the rule provisions; a joining rule leaves the object alone."""
    engine, persons = world(inbound(FLOWS, join=MAIL) + REST, user("a", mail="a@example.com"))
    assert joined(engine, persons, user("x", "hr", mail="x@example.com")) == JoinDecision(None, "in")
    for link in ("join", "sticky_join"):
        text = inbound(FLOWS, join=MAIL, link=link) + REST
        engine, persons = world(text)
        decision = joined(engine, persons, user("x", "hr", mail="x@example.com"))
        assert decision == JoinDecision(None)
        assert not decision.makes_person


def test_object_without_any_value_to_join_by_makes_no_person() -> None:
    """No later object could be joined to it (Connect: Provision projects only if a join attribute has a value)."""
    engine, persons = world(inbound(FLOWS, join=MAIL) + REST)
    assert not joined(engine, persons, user("x", "hr")).makes_person
    assert not joined(engine, persons, user("x", "hr", mail="")).makes_person
    engine, persons = world(inbound(FLOWS) + REST)
    assert joined(engine, persons, user("x", "hr")).makes_person


def test_several_matches_lead_to_the_next_group() -> None:
    """And if that finds exactly one, to this."""
    join = '[[{ object = "mail", person = "mail" }], [{ object = "employeeID", person = "employeeID" }]]'
    engine, persons = world(
        inbound(FLOWS, join=join) + REST, user("a", mail="m", employeeID="1"), user("b", mail="m", employeeID="2")
    )
    assert joined(engine, persons, user("x", "hr", mail="m", employeeID="2")).person == 2


def test_ambiguity_names_all_and_the_rule() -> None:
    """Nobody is made or joined by guess, also not where a later group finds none."""
    join = '[[{ object = "mail", person = "mail" }], [{ object = "employeeID", person = "employeeID" }]]'
    first, second = user("a", mail="m"), user("b", mail="M")
    engine, persons = world(inbound(FLOWS, join=join) + REST, first, second)
    found = user("x", "hr", mail="m", employeeID="9")
    with pytest.raises(ObjectHeld, match="AmbiguousJoin: rule in: 2 persons match") as held:
        joined(engine, persons, found)
    assert held.value.persons == (1, 2)
    assert set(held.value.objects) == {(one.source, one.key) for one in (found, first, second)}


def test_first_group_that_finds_one_wins() -> None:
    """The groups after it are not asked."""
    join = '[[{ object = "mail", person = "mail" }], [{ object = "employeeID", person = "employeeID" }]]'
    engine, persons = world(inbound(FLOWS, join=join) + REST, user("a", mail="m"), user("b", mail="n", employeeID="2"))
    assert joined(engine, persons, user("x", "hr", mail="m", employeeID="2")).person == 1


def test_all_conditions_of_a_group_hold() -> None:
    """An absent value equals nothing."""
    join = '[[{ object = "mail", person = "mail" }, { object = "employeeID", person = "employeeID" }]]'
    engine, persons = world(
        inbound(FLOWS, join=join) + REST,
        user("a", mail="m", employeeID="1"),
        user("b", mail="m", employeeID="2"),
        user("c", mail="n"),
    )
    assert joined(engine, persons, user("x", "hr", mail="m", employeeID="2")).person == 2
    assert joined(engine, persons, user("x", "hr", mail="m", employeeID="3")).makes_person
    assert joined(engine, persons, user("x", "hr", mail="n")).makes_person


def test_any_of_several_values_matches() -> None:
    """Of the object, and of the person."""
    join = '[[{ object = "proxyAddresses", person = "proxyAddresses" }]]'
    text = inbound('{ to = "proxyAddresses", direct = "proxyAddresses" },', join=join) + copying("proxyAddresses")
    engine, persons = world(text, user("a", proxyAddresses=("x", "y")))
    assert joined(engine, persons, user("x", "hr", proxyAddresses=("z", "Y"))).person == 1


def test_two_objects_of_one_source_never_join() -> None:
    """Both are named; the object itself is no other one."""
    engine, persons = world(inbound(FLOWS, join=MAIL) + REST, user("a", mail="m"))
    with pytest.raises(ObjectHeld, match="TwoFromOneSource: rule in: the person that matches has an object of corp") as held:
        joined(engine, persons, user("x", mail="m"))
    assert held.value.persons == (1,)
    assert set(held.value.objects) == {("corp", user("x").key), ("corp", user("a").key)}
    assert joined(engine, persons, user("a", mail="m")).person == 1


def test_join_is_kept_while_its_rule_is_in_scope() -> None:
    """Also where it would be made otherwise today."""
    engine, persons = world(inbound(FLOWS, join=MAIL) + REST, user("a", mail="m"), user("b", mail="n"))
    found = user("x", "hr", mail="n")
    assert joined(engine, persons, found, Join(1, "in")) == JoinDecision(1, "in")
    assert joined(engine, persons, found, Join(1, "gone")) == JoinDecision(2, "in")


def test_rule_that_provisions_takes_over_from_one_that_left_scope() -> None:
    """The person, and with it the account, stays the same."""
    text = inbound(FLOWS, rule="other") + REST
    engine, persons = world(text, user("a", mail="m"))
    assert joined(engine, persons, user("a", mail="m"), Join(1, "gone")) == JoinDecision(1, "other")


def test_join_groups_stand_in_one_rule_in_scope() -> None:
    """Which of two would be right, nobody can say."""
    text = inbound(FLOWS, rule="r1", precedence=1, join=MAIL) + inbound(rule="r2", precedence=2, join=MAIL) + REST
    engine, persons = world(text)
    with pytest.raises(ObjectHeld, match=r"ConflictingRules: join groups stand in several rules.*: r1, r2"):
        joined(engine, persons, user("x", mail="m"))
    apart = text.replace('id = "r2"', 'id = "r2"\nscope = [[{ attribute = "sn", operator = "ISNOTNULL" }]]')
    engine, persons = world(apart)
    assert joined(engine, persons, user("x", mail="m")).makes_person


def test_contacts_join_users_and_groups_join_groups() -> None:
    """A contact may stand for a user of another forest; the person stays a user."""
    contact = inbound(FLOWS, rule="c", kind="contact", join=MAIL)
    group = inbound(FLOWS, rule="g", kind="group", join=MAIL)
    text = inbound(FLOWS, join=MAIL) + contact + group + REST
    engine, persons = world(text, user("a", mail="m"))
    assert joined(engine, persons, user("x", "hr", ObjectKind.CONTACT, mail="m")).person == 1
    assert joined(engine, persons, user("x", "hr", ObjectKind.GROUP, mail="m")).makes_person
    both = [user("a", mail="m"), user("x", "hr", ObjectKind.CONTACT, mail="m")]
    assert person_of(text, *both).person.kind is ObjectKind.USER
    assert person_of(text, both[1]).person.kind is ObjectKind.CONTACT


def test_objects_of_other_kinds_join_by_what_they_have() -> None:
    """A foreign security principal is the user of another forest: by SID, by key or by DN."""
    sid = '[[{ object = "cn", person = "sid" }]]'
    text = inbound('{ to = "sid", direct = "employeeID" },') + inbound(rule="o", kind="other", link="join", join=sid)
    engine, persons = world(text + copying("sid"), user("a", employeeID="S-1-5-21-1"))
    assert joined(engine, persons, user("p", "hr", ObjectKind.OTHER, cn="S-1-5-21-1")).person == 1
    by_dn = text.replace('object = "cn"', 'object = "dn"') + copying("sid")
    engine, persons = world(by_dn, user("a", employeeID="CN=x"))
    assert joined(engine, persons, user("p", "hr", ObjectKind.OTHER, dn="cn=X")).person == 1


def test_search_sees_persons_of_one_origin() -> None:
    """The fake search answers as the port says."""
    _, persons = world(inbound(FLOWS) + REST, user("a", mail="m"))
    origin: Origin = ("corp", user("a").key)
    assert list(persons.objects_of(1)) == [origin]
    assert list(persons.objects_of(9)) == []
