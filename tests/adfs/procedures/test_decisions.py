"""Decisions of a token rollover that a whole run seldom meets, each by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adfs_mgmt.farm import Farm, Use
from adfs_mgmt.health import check_partners
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.token import certificates, schedule, stages
from adfs_mgmt.procedures.token.state import TokenRolloverView, TokenState
from adfs_mgmt.procedures.view import RolloverPolicy
from certs import Partner, PartnerKind
from certs.partners import Acknowledgement
from foundation.procedures import Condition, blank
from tests.adfs.farm import samples
from tests.adfs.farm.samples import NOW

OLD, NEW = samples.signing().seen, samples.signing(300, key=4).seen
FARM = samples.farm()


def view(farm: Farm = FARM, *uses: Use, **observed: Any) -> TokenRolloverView[TokenState]:
    policy, uses = RolloverPolicy(), uses or (Use.SIGNING,)
    old, new = dict.fromkeys(uses, OLD.thumbprint), dict.fromkeys(uses, NEW.thumbprint)
    state = TokenState(uses=uses, old=old, known={}, new=new, auto=True, auto_after=True, supplied=False, material=False)
    record = blank(stages.procedure(policy), "farm", state, NOW)
    return TokenRolloverView(FarmObservation(farm=farm, **observed), record, NOW, policy)


@pytest.mark.parametrize(("knows", "late"), [(NEW, []), (OLD, ["Wiki"])])
def test_a_partner_that_has_said_so_in_the_ledger(knows: Any, late: list[str]) -> None:
    """It is not waited for, whoever asks; what it knows of another certificate does not count."""
    said = {knows.thumbprint: Acknowledgement(by="ann", at=NOW)}
    partner = Partner(name="Wiki", kind=PartnerKind.MANUAL, acknowledged=said)
    assert list(schedule.lagging(view(partners=(partner,)))) == late


def test_nobody_waits_for_a_decrypting_certificate() -> None:
    """The old one goes on decrypting."""
    assert schedule.waiting_note(view(FARM, Use.DECRYPTING)) == ["at least 0 days from publication"]
    assert schedule.waiting_note(view()) == ["at least 5 days from publication"]


def test_ad_fs_lets_nobody_choose_while_it_looks_after_them() -> None:
    """Turned off first where something is due; nothing is turned off for what is done."""
    act = certificates.make_primary(view(), Use.SIGNING, OLD.thumbprint)
    due, done = [Condition("sts1", "not primary", act)], [Condition("sts1", "", act)]
    assert certificates.by_hand(view(), due)[1:] == due
    assert certificates.by_hand(view(), done) == done


def test_a_promotion_by_somebody_else_counts() -> None:
    """AD FS itself, or another administrator: tokens in flight know it although we never promoted."""
    promoted = samples.farm(sign_with=(samples.signing(300, key=4), samples.signing()))
    assert stages._was_promoted(view(promoted))
    assert not stages._was_promoted(view())


def test_a_partner_that_knew_another_certificate() -> None:
    """It was asked once, so that it counts although the certificate before is gone; one that never was does not."""
    said = {"AB" * 20: Acknowledgement(by="ann", at=NOW)}
    asked = Partner(name="Wiki", kind=PartnerKind.MANUAL, acknowledged=said)
    (found,) = check_partners(FARM, [asked, replace(asked, name="New", acknowledged={})])
    assert (found.status, found.seen.endswith(": Wiki")) == ("warn", True)


@pytest.mark.parametrize(("polled", "problem"), [(-1.0, "has not polled the primary since the change"), (1.0, "")])
def test_a_secondary_that_does_not_tell_its_certificates(polled: float, problem: str) -> None:
    """It has what the primary has once it has polled after the change, and not before."""
    second = replace(FARM.nodes[1], certificates=(), last_sync=NOW + polled)
    farm = replace(FARM, nodes=(FARM.nodes[0], second))
    conditions = certificates.on_nodes(view(farm), lambda node: True, "not there", ("promote",))
    assert [row.problem for row in conditions] == ["", problem]
