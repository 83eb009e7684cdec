"""How keys are replaced: two procedures, their executor, and the duty that runs them.

    partners        which applications must know a key before it signs
    state           what a replacement remembers, and what its stages see
    stages          the planned rollover      emergency   all keys of a ring are replaced now
    acts            what is done to keys, as changes of their records
    health          what is due, and what holds a replacement up
    gauges          for monitoring
    executor        observes and does, under the duty
    orders          acts of an administrator, over the control socket
    rollovers       what is due is started, what is in progress continues; plans, orders, acknowledgements

All but the last four are pure.
"""

from gateway.federation.keys.rollover.executor import RingContext
from gateway.federation.keys.rollover.gauges import KeyGauges
from gateway.federation.keys.rollover.health import RingHealth
from gateway.federation.keys.rollover.orders import KeyActs, key_orders
from gateway.federation.keys.rollover.rollovers import ROLLOVER_STATES, KeyView, RingView, Rollovers, RolloverView

__all__ = [
    "ROLLOVER_STATES",
    "KeyActs",
    "KeyGauges",
    "KeyView",
    "RingContext",
    "RingHealth",
    "RingView",
    "RolloverView",
    "Rollovers",
    "key_orders",
]
