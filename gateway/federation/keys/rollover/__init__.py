"""How keys are replaced: two procedures, their executor, and the duty that runs them.

    partners        which applications must know a key before it signs
    state           what a replacement remembers, and what its stages see
    stages          the planned rollover      emergency   all keys of a ring are replaced now
    acts            what is done to keys, as changes of their records
    executor        observes and does, under the duty
    orders          acts of an administrator, over the control socket
    rollovers       what is due is started, what is in progress continues; plans, orders, acknowledgements

All but the last three are pure.
"""

from gateway.federation.keys.rollover.executor import RingContext
from gateway.federation.keys.rollover.orders import KeyActs, key_orders
from gateway.federation.keys.rollover.rollovers import KeyView, RingView, Rollovers, RolloverView

__all__ = ["KeyActs", "KeyView", "RingContext", "RingView", "RolloverView", "Rollovers", "key_orders"]
