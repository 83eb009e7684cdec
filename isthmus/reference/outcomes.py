"""The page of the outcomes of a credential check, from the table that `relay explain` uses."""

from __future__ import annotations

from gateway.protocol import Outcome
from isthmus.explanation import api_status, page_text
from isthmus.outcomes import causes
from isthmus.reference.markdown import code, page, table


def outcomes_page() -> str:
    """Every outcome: what the user sees, why it came about, what to do."""
    introduction = """\
What can come of a credential check: in the audit trail, the metrics and the logs. `isthmus relay explain REFERENCE` says for
one sign-in what stands here. The texts are those of the page in English; who did not enter the correct password sees
those of `wrong_credential` instead of any that says something about the account."""
    return page("Outcomes", introduction, *(_section(outcome) for outcome in causes()))


def _section(outcome: str) -> str:
    shown = "the user is signed in" if outcome == Outcome.SUCCESS else f"\u201c{page_text(outcome)}\u201d"
    rows = [(", ".join(map(code, cause.shown)), cause.meaning, cause.next) for cause in causes()[outcome]]
    facts = f"Page: {shown}\n\nAPI: {api_status(outcome)}"
    return f"## {code(outcome)}\n\n{facts}\n\n{table(('detail', 'meaning', 'what to do'), rows)}"
