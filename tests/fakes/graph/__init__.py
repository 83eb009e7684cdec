"""Microsoft Graph and the identity platform in front of it, on loopback HTTPS, as their documentation describes them.

A package of its own: it imports nothing of the project, so a mistake of ours cannot hide in it. Start with `FakeGraph`:

    with FakeGraph() as graph:                      # in a thread of its own; `async with` runs it in the caller's loop
        app = graph.register("Isthmus", roles={"Domain.Read.All"})
        graph.add_domain("example.com", federation={...})

Everything under `graph.faults` makes it misbehave as the real thing can. Time is `graph.clock`, which tests may replace.

Rooms: `identity` issues tokens, `gate` asks for them, `domains` is the first part of Graph's own surface. Further parts
(users, groups, delta queries) are modules like `domains`: a class with `routes()`, added in `server`.
"""

from tests.fakes.graph.domains import Domain, Domains
from tests.fakes.graph.faults import Faults
from tests.fakes.graph.identity import Application
from tests.fakes.graph.pki import Pki, make_certificate
from tests.fakes.graph.polling import MetadataPoll
from tests.fakes.graph.server import FakeGraph

__all__ = ["Application", "Domain", "Domains", "FakeGraph", "Faults", "MetadataPoll", "Pki", "make_certificate"]
