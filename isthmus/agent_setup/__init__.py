"""`isthmus agent setup`: an agent's machine from a token, a service account, and what the directory says of itself.

What belongs here: what is asked, found out and done for an agent. What does not: what all setups have in common
(`isthmus.setup`), how a directory is read (`directory`), and how it is shown (`isthmus.cli`).
"""

from isthmus.agent_setup.decision import ChosenNames, TrustProposal, choose_names, propose_trust
from isthmus.agent_setup.errors import DirectoryUnusable, DomainsDiffer, RelayUnusable, TrustUndecided, described
from isthmus.agent_setup.plan import SERVICE, plan_steps, wanted_settings
from isthmus.agent_setup.preparation import Installer, Preparation, Preparer
from isthmus.agent_setup.questions import QUESTIONS, TEST_PASSWORD, TEST_USER, USER
from isthmus.agent_setup.settings_before import ExistingSettings, known_answers, read_existing
from isthmus.agent_setup.steps import AgentChecked, AgentEnrolled, said, sign_in_lines
from isthmus.agent_setup.surroundings import Enrolled, RealSurroundings, Surroundings

__all__ = [
    "QUESTIONS",
    "SERVICE",
    "TEST_PASSWORD",
    "TEST_USER",
    "USER",
    "AgentChecked",
    "AgentEnrolled",
    "ChosenNames",
    "DirectoryUnusable",
    "DomainsDiffer",
    "Enrolled",
    "ExistingSettings",
    "Installer",
    "Preparation",
    "Preparer",
    "RealSurroundings",
    "RelayUnusable",
    "Surroundings",
    "TrustProposal",
    "TrustUndecided",
    "choose_names",
    "described",
    "known_answers",
    "plan_steps",
    "propose_trust",
    "read_existing",
    "said",
    "sign_in_lines",
    "wanted_settings",
]
