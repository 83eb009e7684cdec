"""Orders of whoever looks, over the control socket."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from gateway.federation.inspection.errors import NotEvidence
from gateway.federation.inspection.issued import IssuedSearch
from gateway.federation.inspection.preview import ClaimsPreview
from gateway.federation.inspection.trust_walk import TrustWalk
from gateway.relay import Order, OrderHandler, order_handler


class ShowClaims(Order):
    """trust: its id; user: a name or an objectGUID; scopes: None for all that the trust may have; address: of the client."""

    trust: str
    user: str
    scopes: tuple[str, ...] | None = None
    address: str = ""


class WalkTrust(Order):
    """trust: its id."""

    trust: str


class FindIssued(Order):
    """data: the file, base64; since, until: Unix seconds."""

    data: str
    since: float | None = None
    until: float | None = None

    def __repr__(self) -> str:
        return "FindIssued(…)"

    def content(self) -> bytes:
        """Raises NotEvidence."""
        try:
            return base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotEvidence("it did not arrive as base64") from error


def inspection_orders(preview: ClaimsPreview, issued: IssuedSearch, walk: TrustWalk) -> Mapping[str, OrderHandler]:
    """The acts by name, as `control_app` takes them."""
    return {
        "show_claims": order_handler(
            ShowClaims,
            lambda order, actor: preview.show(
                order.trust,
                order.user,
                actor,
                scopes=None if order.scopes is None else frozenset(order.scopes),
                address=order.address,
            ),
        ),
        "test_trust": order_handler(WalkTrust, lambda order, _actor: walk.test(order.trust)),
        "find_issued": order_handler(
            FindIssued, lambda order, _actor: issued.find(order.content(), order.since, order.until)
        ),
    }
