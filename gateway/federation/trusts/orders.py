"""Orders about trusts over the control socket."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.federation.trusts.acts import TrustActs
from gateway.federation.trusts.folder import TrustFolder
from gateway.relay import Order, OrderHandler, order_handler


class AboutTrust(Order):
    """trust: its id."""

    trust: str


class PlanTrust(Order):
    """document: TOML; where: the file that problems are told of."""

    document: str
    where: str


class PutTrust(PlanTrust):
    """version: the one that is to be changed; 0 for a new trust."""

    version: int


def trust_orders(acts: TrustActs, files: TrustFolder | None) -> Mapping[str, OrderHandler]:
    """The acts by name, as `control_app` takes them. files: the folder that this node follows."""

    async def problems() -> Mapping[str, str]:
        return files.problems if files is not None else {}

    return {
        "trust_files": order_handler(Order, lambda _order, _actor: problems()),
        "trusts": order_handler(Order, lambda _order, _actor: acts.trusts()),
        "trust": order_handler(AboutTrust, lambda order, _actor: acts.trust(order.trust)),
        "plan_trust": order_handler(PlanTrust, lambda order, _actor: acts.plan(order.document, order.where)),
        "put_trust": order_handler(
            PutTrust, lambda order, actor: acts.put(order.document, order.where, order.version, actor)
        ),
        "remove_trust": order_handler(AboutTrust, lambda order, actor: acts.remove(order.trust, actor)),
    }
