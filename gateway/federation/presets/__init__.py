"""Presets: trusts of well-known applications with gaps to fill, and what has to be entered over there. Data beside code.

`NAME.toml` holds a trust (TOML with `${parameter}` in it) and a text for the administrator of the application. What belongs
here: what the applications' own documentation says. What does not: what a trust is (trusts).
"""

from gateway.federation.presets.catalogue import (
    Preset,
    PresetUnfit,
    fill_paste,
    fill_preset,
    preset_names,
    read_preset,
    relay_addresses,
)

__all__ = ["Preset", "PresetUnfit", "fill_paste", "fill_preset", "preset_names", "read_preset", "relay_addresses"]
