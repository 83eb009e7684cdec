"""What each cmdlet does to the simulated state, and what it answers.

Texts and ids of errors that were seen in public reports of real farms: PS0033, PS0139, PS0159, PS0316, PS0317, the refused
net.tcp connection of a stopped service. The others say what the reference says, in words of our own, under the id of the
exception's class: nobody should ever match on them.
"""

from tests.adfs.simulator.cmdlets import deploying, functions, proxies, reading, tls, tokens, windows
from tests.adfs.simulator.cmdlets.base import CMDLETS, Call, Row

__all__ = ["CMDLETS", "Call", "Row", "deploying", "functions", "proxies", "reading", "tls", "tokens", "windows"]
