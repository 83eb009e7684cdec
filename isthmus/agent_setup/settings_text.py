"""The agent's settings file: made anew, or changed so that what an administrator wrote around it stays. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from isthmus.agent_settings import AgentSettings
from isthmus.setup import edited
from settings import example, toml_value

_HEADLINE = "Settings of `isthmus agent`, made by `isthmus agent setup`. What is commented out shows the default."


def settings_text(before: str | None, wanted: Mapping[str, object]) -> str:
    """wanted: by dotted key, `directories.base_dn`; None for what must not stand there. before: the file's text, or None.

    Raises NotEditable, tomllib.TOMLDecodeError.
    """
    if before is not None:
        return edited(before, wanted)
    values = {key: toml_value(value) for key, value in wanted.items() if value is not None}
    return example(AgentSettings, _HEADLINE, values)
