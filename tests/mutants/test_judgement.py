"""The judge of mutants: what may survive, and what may not."""

from __future__ import annotations

import pytest

from tests.mutants.judgement import Change, Mutant, Survivor, judge, parse_progress, parse_results, parse_show, read_listed

FUNCTION = "gateway.protocol.session.Session.tick"
MUTANT = Mutant("gateway.protocol.session.xǁSessionǁtick__mutmut_4", "survived")
CHANGE = Change(FUNCTION, "if now > end:", "if now >= end:")
DIFF = """# gateway.protocol.session.xǁSessionǁtick__mutmut_4: survived
--- gateway/protocol/session.py
+++ gateway/protocol/session.py
@@ -1,9 +1,9 @@
 def tick(self, now: float) -> list[Event]:
-    if now > end:
+    if now >= end:
         return []
"""


def listing(*changes: Change, reason: str = "equivalent") -> str:
    entry = "[[survivor]]\nfunction = '{}'\ncode = '{}'\nmutant = '{}'\nreason = '{}'\n"
    return "".join(entry.format(change.function, change.code, change.mutant, reason) for change in changes)


def test_a_mutant_is_known_by_its_function_and_its_lines() -> None:
    """Not by mutmut's number, nor by where it stands."""
    assert (MUTANT.module, MUTANT.function) == ("gateway.protocol.session", FUNCTION)
    assert Mutant("certs.policy.x_due__mutmut_31", "killed").function == "certs.policy.due"
    assert parse_show(MUTANT, DIFF).change == CHANGE


def test_a_survivor_passes_only_if_it_is_listed() -> None:
    """With its reason."""
    survivor = Survivor(MUTANT, CHANGE)
    assert judge([MUTANT], [survivor], read_listed(listing(CHANGE))).problems() == []
    (problem,) = judge([MUTANT], [survivor], []).problems()
    assert "if now >= end:" in problem
    with pytest.raises(ValueError, match="without a reason"):
        read_listed(listing(CHANGE, reason=" "))


def test_a_line_that_stands_twice_is_listed_twice() -> None:
    """Where one of them is killed, one entry too many is listed."""
    both = [Survivor(MUTANT, CHANGE), Survivor(MUTANT, CHANGE)]
    assert len(judge([MUTANT], both, read_listed(listing(CHANGE))).unlisted) == 1
    assert judge([MUTANT], both, read_listed(listing(CHANGE, CHANGE))).problems() == []
    assert judge([MUTANT], both[:1], read_listed(listing(CHANGE, CHANGE))).stale == [CHANGE]


def test_a_list_that_is_no_longer_true_does_not_pass() -> None:
    """Somebody wrote the test, or the code has gone."""
    (problem,) = judge([MUTANT], [], read_listed(listing(CHANGE))).problems()
    assert "Listed" in problem


def test_at_most_thirty_are_listed() -> None:
    """However good their reasons are."""
    changes = [Change(FUNCTION, str(number), "") for number in range(31)]
    survivors = [Survivor(MUTANT, change) for change in changes]
    assert judge([MUTANT], survivors[:30], read_listed(listing(*changes[:30]))).problems() == []
    (problem,) = judge([MUTANT], survivors, read_listed(listing(*changes))).problems()
    assert "1 survivors too many" in problem


@pytest.mark.parametrize(
    ("code", "mutant", "is_wording"),
    [
        ('raise Late("came too late")', 'raise Late("XXcame too lateXX")', True),
        ('raise Late("came too late")', "raise Late(None)", False),
        ('raise Late("late")', 'raise Late("LATE")', False),
        ('sha256(b"two words")', 'sha256(b"TWO WORDS")', False),
        ('if late: log("came too late")', 'if not late: log("came too late")', False),
    ],
)
def test_the_wording_of_a_sentence_is_no_decision(code: str, mutant: str, is_wording: bool) -> None:
    """That there is one may be; a single word or bytes may be read by a program."""
    survivor = Survivor(MUTANT, Change(FUNCTION, code, mutant))
    assert survivor.is_wording is is_wording
    assert bool(judge([MUTANT], [survivor], []).problems()) is not is_wording


def test_whatever_mutmut_cannot_decide_is_no_kill() -> None:
    """Only a failing test is, or one that never ends."""
    said = ("killed", "no tests", "timeout")
    text = "".join(f"    certs.policy.x_due__mutmut_{number}: {word}\n" for number, word in enumerate(said))
    mutants = parse_results(text)
    assert [mutant.status for mutant in mutants] == list(said)
    report = judge(mutants, [Survivor(mutants[1], CHANGE)], [])
    assert "no tests" in report.problems()[0]
    assert report.table().splitlines()[-1].split() == ["together", "3", "1", "1", "0", "0", "1"]


def test_progress_is_told_in_words() -> None:
    """Of the lines that count."""
    line = "⠴ 12/1618  🎉 7 🫥 0  ⏰ 1  🤔 0  🙁 4  🔇 0  🧙 0"
    assert parse_progress(line) == "12 of 1618 mutants: 7 killed, 1 timed out, 4 survived"
    assert parse_progress("Running stats") is None
