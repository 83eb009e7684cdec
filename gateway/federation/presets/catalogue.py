"""Presets read and filled in."""

from __future__ import annotations

import importlib.resources
import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from settings import Lines, load_settings, not_empty

_HARMLESS = re.compile(r"[^\x00-\x1f\x7f-\x9f\"'\\$]{1,500}")
"""A value inside a TOML string, or in somebody's settings file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One application."""

    title: Annotated[str, not_empty]
    """What it is, and by which protocol."""
    source: Annotated[str, not_empty]
    """The documentation that its values are from."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What has to be given, by name, with what it is and an example."""
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Of parameters that need not be given."""
    trust: Annotated[Lines, not_empty]
    """The trust's document without its id."""
    paste: Annotated[Lines, not_empty]
    """What has to be entered in the application; with the parameters, `${client_secret}` and the relay's addresses."""


class PresetUnfit(ValueError):
    """A preset that there is not, or values that do not fit it."""


def preset_names() -> list[str]:
    """All of them."""
    here = importlib.resources.files("gateway.federation.presets")
    return sorted(file.name.removesuffix(".toml") for file in here.iterdir() if file.name.endswith(".toml"))


def read_preset(name: str) -> Preset:
    """A preset by name. Raises PresetUnfit."""
    if name not in preset_names():
        raise PresetUnfit(f"there is no preset {name!r}; there are {', '.join(preset_names())}")
    content = importlib.resources.files("gateway.federation.presets").joinpath(f"{name}.toml").read_bytes()
    return load_settings(Path(f"{name}.toml"), Preset, content)


def fill_preset(preset: Preset, trust_id: str, given: Mapping[str, str]) -> str:
    """The document of a trust with these values. Raises PresetUnfit."""
    check_values(preset, given)
    values = {**preset.defaults, **given}
    return f'id = "{trust_id}"\n' + string.Template(preset.trust).substitute(values)


def fill_paste(preset: Preset, values: Mapping[str, str]) -> str:
    """The text for the administrator of the application. values: those of `fill_preset` and the relay's."""
    return string.Template(preset.paste).substitute({**preset.defaults, **values})


def check_values(preset: Preset, given: Mapping[str, str]) -> None:
    """Whether all parameters are there, and no others. Raises PresetUnfit."""
    for name, value in given.items():
        if name not in preset.parameters:
            raise PresetUnfit(f"there is no parameter {name!r}; there are {', '.join(preset.parameters)}")
        if not _HARMLESS.fullmatch(value):
            raise PresetUnfit(f"the value of {name} is empty, too long, or has quotes, $, a backslash or control characters")
    missing = [name for name in preset.parameters if name not in given and name not in preset.defaults]
    if missing:
        told = "".join(f"\n  --set {name}=…  {preset.parameters[name]}" for name in missing)
        raise PresetUnfit(f"some values are missing:{told}")


def relay_addresses(public_url: str) -> dict[str, str]:
    """What applications have to be told of the relay, by the names that presets use."""
    base = public_url.rstrip("/")
    return {
        "issuer": base,
        "authorization_url": f"{base}/oidc/authorize",
        "token_url": f"{base}/oidc/token",
        "userinfo_url": f"{base}/oidc/userinfo",
        "jwks_url": f"{base}/oidc/jwks",
        "end_session_url": f"{base}/oidc/logout",
        "idp_entity_id": f"{base}/saml/metadata",
        "metadata_url": f"{base}/saml/metadata",
        "sso_url": f"{base}/saml/sso",
        "slo_url": f"{base}/saml/slo",
    }
