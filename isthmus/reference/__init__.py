"""The reference pages: settings, commands, metrics, audit events and HTTP API, written from the code that they describe.

`python -m isthmus.reference docs` writes them and checks every link of the documentation, and every file, test
and module that it names in backticks; with `--check` it writes
nothing and fails where a page is not what the code says. What belongs here: pages that a program can write. What does
not: explanations, which people write (`docs/operators`, `docs/developers`).
"""

from isthmus.reference.links import BrokenLink, broken_links, documents
from isthmus.reference.mentions import stale_mentions
from isthmus.reference.pages import pages, stale, write

__all__ = ["BrokenLink", "broken_links", "documents", "pages", "stale", "stale_mentions", "write"]
