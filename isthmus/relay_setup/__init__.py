"""`isthmus relay setup`: what is asked, what follows from the answers, and the steps that bring it about.

What belongs here: what a relay's machine needs. What does not: how questions are put, steps taken and files written
(`isthmus.setup`), and what is shown (`isthmus.cli.relay.setup`).
"""

from isthmus.relay_setup.answers import check_certificate, known_answers, known_domains, token_domains
from isthmus.relay_setup.plan import Observed, RelayPlan, make_plan
from isthmus.relay_setup.questions import AGENT, CERTIFICATE_FILES, QUESTIONS, QUESTIONS_ABOUT_HTTPS, USER
from isthmus.relay_setup.steps import INITIALISED, relay_steps

__all__ = [
    "AGENT",
    "CERTIFICATE_FILES",
    "INITIALISED",
    "QUESTIONS",
    "QUESTIONS_ABOUT_HTTPS",
    "USER",
    "Observed",
    "RelayPlan",
    "check_certificate",
    "known_answers",
    "known_domains",
    "make_plan",
    "relay_steps",
    "token_domains",
]
