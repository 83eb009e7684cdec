"""The store's fixtures: acts on trusts run on every database that there is."""

from tests.gateway.store.conftest import opener, pair, store, url

__all__ = ["opener", "pair", "store", "url"]
