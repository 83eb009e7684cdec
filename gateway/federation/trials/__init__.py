"""Signing keys are tried with one application before anybody depends on them (`isthmus certs try`).

    orders      the administrator's order, which comes to an address
    carriage    what the address and the browser's cookie say, sealed
    pages       where the address is opened, and the trial ended

What belongs here: how a trial begins and ends, and which browser it is in. What does not: which keys may be tried
(`gateway.federation.keys.trial`), and signing with them (the protocols).
"""

from gateway.federation.trials.carriage import Trials
from gateway.federation.trials.orders import TrialActs, TrialAddressView, trial_orders
from gateway.federation.trials.pages import TrialPages

__all__ = ["TrialActs", "TrialAddressView", "TrialPages", "Trials", "trial_orders"]
