"""Rules of synchronisation: from the objects of sources to what a person should be in each target. Pure.

What belongs here: what rules say, how they are read, and what follows from them for given objects. What does not: reading
sources, keeping state, writing to targets, and the clock. So far there are the expressions that rules contain.
"""

from sync.rules.expressions import Catalogued, catalogue

__all__ = ["Catalogued", "catalogue"]
