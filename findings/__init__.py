"""One check's result, how it is told to monitoring, and why something failed, in words.

What belongs here: the one vocabulary in which every check of the project answers, whatever it looked at, so that the report
of an agent, of an AD FS farm, of a procedure's preflight and of a checklist read alike. What does not: the checks,
and how a command prints what they found.
"""

from findings.differences import difference
from findings.finding import Finding, Status, explain, failed, passed, undecided, warned, worst
from findings.prometheus import Labels, exposition, finding_lines, gauge_lines
from findings.reasons import plain_reason

__all__ = [
    "Finding",
    "Labels",
    "Status",
    "difference",
    "explain",
    "exposition",
    "failed",
    "finding_lines",
    "gauge_lines",
    "passed",
    "plain_reason",
    "undecided",
    "warned",
    "worst",
]
