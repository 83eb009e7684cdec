"""SCIM 2.0 services as targets.

    ScimTarget ─┬─ capabilities   what the service says of itself, and settings
                ├─ queries        find, read, list, links
                ├─ accounts       create, adopt, change, delete; compared afterwards
                ├─ members        links as differences, in pieces
                └─ client         HTTP: pace, token, bounded answers; guard: what is never sent

What belongs here: the protocol, and how services differ from it. What does not: what is written, and whether it is retried.
It loads scim2-models, which loads pydantic.
"""

from sync.target.scim.settings import OAuthSettings, ScimSettings
from sync.target.scim.target import ScimTarget

__all__ = ["OAuthSettings", "ScimSettings", "ScimTarget"]
