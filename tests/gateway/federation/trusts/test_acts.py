"""Administrative acts on trusts, on every database: what they change, what they refuse, what the trail says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.federation.trusts import TrustActs, TrustRegistry, make_secret, matching_secret
from gateway.federation.trusts.changes import LARGEST
from gateway.federation.trusts.errors import NameTaken, TrustExists, TrustFromFile, TrustUnusable, UnknownTrust
from gateway.protocol import AccountId
from gateway.store import AuditEvent, ConsentRecord, GrantRecord, Store, StoreFull, TrustOutdated
from tests.gateway.federation.trusts.samples import DIGEST, NOW, OIDC, SAML, record

ACTOR = "admin:test"
PAGES = OIDC.replace('"Wiki"', '"Pages"')


@pytest.fixture
def registry(store: Store) -> TrustRegistry:
    return TrustRegistry(store.trusts)


@pytest.fixture
def acts(store: Store, registry: TrustRegistry) -> TrustActs:
    return TrustActs(store, registry, lambda: NOW, with_files=True)


async def trail(store: Store) -> Sequence[AuditEvent]:
    """Oldest first."""
    return [entry.event for entry in reversed(await store.audit.entries(limit=50))]


async def test_a_trust_is_added_changed_and_removed(acts: TrustActs, registry: TrustRegistry, store: Store) -> None:
    """Each is in force here at once, and in the trail with what is different."""
    added = await acts.put(OIDC, "wiki.toml", 0, ACTOR)
    assert (added.action, added.version) == ("add", 1)
    assert registry.get("wiki") is not None
    changed = await acts.put(PAGES, "wiki.toml", 1, ACTOR)
    assert (changed.action, changed.version, changed.changed) == ("change", 2, ("name",))
    (view,) = await acts.trusts()
    assert (view.name, view.state, view.identifier, view.document) == ("Pages", "live", "wiki", "")
    removed = await acts.remove("wiki", ACTOR)
    assert removed.document == PAGES
    assert registry.get("wiki") is None
    events = await trail(store)
    assert [(event.kind, event.subject, event.actor) for event in events] == [
        ("trust.added", "wiki", ACTOR),
        ("trust.changed", "wiki", ACTOR),
        ("trust.removed", "wiki", ACTOR),
    ]
    assert events[1].detail == {"version": "2", "origin": "command", "difference": '- name = "Wiki"\n+ name = "Pages"'}
    assert '+ redirect_uris = ["https://wiki.example.com/callback"]' in events[0].detail["difference"]


async def test_a_plan_changes_nothing(acts: TrustActs, store: Store) -> None:
    """It says what would be different, and what to think of."""
    plan = await acts.plan(OIDC.replace("[oidc]", '[oidc]\npkce = "optional"'), "wiki.toml")
    assert (plan.action, plan.version, plan.warnings[0].partition(":")[0]) == ("add", 1, "oidc.pkce")
    assert await acts.trusts() == []
    assert await trail(store) == []


async def test_the_same_document_again_is_no_change(acts: TrustActs, store: Store) -> None:
    """Whoever runs a script twice makes no second version."""
    await acts.put(OIDC, "wiki.toml", 0, ACTOR)
    again = await acts.put(OIDC, "wiki.toml", 1, ACTOR)
    assert (again.action, again.version) == ("none", 1)
    assert len(await trail(store)) == 1


async def test_two_administrators_do_not_undo_each_other(acts: TrustActs) -> None:
    """Whoever changes says which version was seen."""
    await acts.put(OIDC, "wiki.toml", 0, ACTOR)
    with pytest.raises(TrustExists, match="there is a trust 'wiki'"):
        await acts.put(PAGES, "wiki.toml", 0, ACTOR)
    await acts.put(PAGES, "wiki.toml", 1, ACTOR)
    with pytest.raises(TrustOutdated):
        await acts.put(OIDC, "wiki.toml", 1, ACTOR)
    with pytest.raises(TrustOutdated):
        await acts.put(SAML, "crm.toml", 1, ACTOR)


async def test_a_mistake_is_told_with_its_file(acts: TrustActs) -> None:
    """Before anything is kept."""
    with pytest.raises(TrustUnusable, match=r"^new\.toml cannot be used:\n  oidc\.redirect_uri \(line 7\)"):
        await acts.put(OIDC.replace("redirect_uris", "redirect_uri"), "new.toml", 0, ACTOR)
    with pytest.raises(TrustUnusable, match="more than 262144 bytes"):
        await acts.plan("#" * (LARGEST + 1), "new.toml")
    with pytest.raises(UnknownTrust, match="there is no trust 'wiki'"):
        await acts.trust("wiki")
    with pytest.raises(UnknownTrust):
        await acts.remove("wiki", ACTOR)


@pytest.mark.parametrize("first", [OIDC, OIDC.replace("[oidc]", "enabled = false\n[oidc]", 1)])
async def test_a_name_is_one_trusts(acts: TrustActs, first: str) -> None:
    """Also of one that is disabled: it could be enabled again."""
    await acts.put(first, "wiki.toml", 0, ACTOR)
    second = OIDC.replace('"wiki"', '"other"', 1).replace("[oidc]", '[oidc]\nclient_id = "wiki"', 1)
    with pytest.raises(NameTaken, match="the client_id 'wiki' is that of the trust 'wiki'"):
        await acts.plan(second, "other.toml")
    await acts.put(SAML, "crm.toml", 0, ACTOR)
    with pytest.raises(NameTaken, match="the entity_id"):
        await acts.put(SAML.replace('"crm"', '"crm2"', 1), "crm2.toml", 0, ACTOR)
    await acts.put(SAML.replace("CRM", "Customers"), "crm.toml", 1, ACTOR)


async def keep(store: Store, **changes: str) -> None:
    unit = store.unit()
    unit.put_trust(record(OIDC, origin="file:wiki.toml", **changes))  # type: ignore[arg-type]
    await unit.commit()


async def test_what_comes_from_a_file_is_changed_there(acts: TrustActs, store: Store) -> None:
    """Else the next look at the file would undo it."""
    await keep(store)
    with pytest.raises(TrustFromFile, match=r"comes from the file wiki\.toml"):
        await acts.put(PAGES, "wiki.toml", 1, ACTOR)
    with pytest.raises(TrustFromFile):
        await acts.remove("wiki", ACTOR)


async def test_what_a_file_left_behind_can_be_taken_over(acts: TrustActs, store: Store) -> None:
    """Its file was removed: by command it is enabled again, and a command's from then on."""
    await keep(store, disabled="its file was removed")
    (view,) = await acts.trusts()
    assert (view.state, view.why) == ("disabled", "its file was removed")
    put = await acts.put(OIDC, "wiki.toml", 1, ACTOR)
    assert (put.action, put.changed) == ("change", ("enabled again",))
    (view,) = await acts.trusts()
    assert (view.state, view.origin) == ("live", "command")


async def test_without_a_folder_files_hold_nothing(store: Store, registry: TrustRegistry) -> None:
    """Whoever gave up configuration management can change by command what came from it."""
    await keep(store)
    acts = TrustActs(store, registry, lambda: NOW, with_files=False)
    assert (await acts.put(PAGES, "wiki.toml", 1, ACTOR)).version == 2


async def test_trusts_are_bounded(acts: TrustActs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is in the memory of every node."""
    monkeypatch.setattr("gateway.federation.trusts.acts.MOST", 1)
    await acts.put(OIDC, "wiki.toml", 0, ACTOR)
    with pytest.raises(StoreFull):
        await acts.put(SAML, "crm.toml", 0, ACTOR)
    await acts.put(PAGES, "wiki.toml", 1, ACTOR)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (OIDC + '[access]\ntest_users = ["ada@corp.example.com"]\n', "test users only"),
        (OIDC.replace("[oidc]", "enabled = false\n[oidc]", 1), "disabled"),
    ],
)
async def test_states(acts: TrustActs, text: str, state: str) -> None:
    """As an administrator sees them."""
    await acts.put(text, "wiki.toml", 0, ACTOR)
    view = await acts.trust("wiki")
    assert (view.state, view.document) == (state, text)


async def test_another_node_hears_of_it(pair: tuple[Store, Store]) -> None:
    """By the generation, in the change's own transaction."""
    here, there = pair
    registry = TrustRegistry(there.trusts)
    there.generations.watch("trusts", registry.load)
    await there.generations.look()
    await TrustActs(here, TrustRegistry(here.trusts), lambda: NOW, with_files=False).put(OIDC, "wiki.toml", 0, ACTOR)
    assert registry.get("wiki") is None
    await there.generations.look()
    assert registry.get("wiki") is not None


def test_a_secret_is_recognised_by_its_digest() -> None:
    """Two are valid at a time; what is kept is not the secret."""
    (first, kept), (second, next_kept) = make_secret("2026-12-01"), make_secret("2027-01-01")
    both = (kept, next_kept)
    assert (matching_secret(both, first), matching_secret(both, second)) == (kept, next_kept)
    for wrong in ("", first[:-1], first + "x", kept.digest, DIGEST, "\ud800"):
        assert matching_secret(both, wrong) is None
    assert first not in repr(both)
    assert len(first) >= 43


ANNA = AccountId("d", "anna")


async def give(store: Store, trust: str) -> None:
    """Anna has let it in."""
    kept = {"trust": trust, "account": ANNA, "details": b"", "created_at": NOW}
    await store.grants.add(GrantRecord(digest=trust.encode(), expires_at=NOW + 9, idle_at=NOW + 9, **kept))  # type: ignore[arg-type]
    await store.consents.put(ConsentRecord(account=ANNA, trust=trust, scopes=frozenset({"openid"}), at=NOW))


async def held(store: Store) -> list[str]:
    """Trusts that something of Anna's hangs on."""
    grants, consents = await store.grants.of_account(ANNA, NOW), await store.consents.of_account(ANNA)
    return sorted([*(grant.trust for grant in grants), *(consent.trust for consent in consents)])


@pytest.mark.parametrize("how", ["removed", "disabled"])
async def test_what_a_trust_was_given_ends_with_it(acts: TrustActs, store: Store, how: str) -> None:
    """Tokens and people's word; those of another trust stay, and so do they at any other change."""
    await acts.put(OIDC, "wiki.toml", 0, ACTOR)
    for trust in ("wiki", "shop"):
        await give(store, trust)
    await acts.put(PAGES, "wiki.toml", 1, ACTOR)
    assert await held(store) == ["shop", "shop", "wiki", "wiki"]
    if how == "removed":
        await acts.remove("wiki", ACTOR)
    else:
        await acts.put(f"enabled = false\n{PAGES}", "wiki.toml", 2, ACTOR)
    assert await held(store) == ["shop", "shop"]


async def test_a_new_trust_inherits_nothing(acts: TrustActs, store: Store) -> None:
    """Whatever was left of an earlier one of that id, whose relay stopped when it was removed."""
    await give(store, "wiki")
    await acts.put(OIDC, "wiki.toml", 0, ACTOR)
    assert await held(store) == []
