"""The files that the pages link to, in the organisation's look; each at an address that changes when it does."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.signin import branding
from gateway.signin.branding import Asset
from gateway.signin.settings import SignInSettings


class Assets:
    """Raises BadBranding for settings that cannot be used."""

    def __init__(self, settings: SignInSettings) -> None:
        found = {
            "logo": branding.load_logo("logo_file", settings.logo_file),
            "logo-dark": branding.load_logo("logo_file_dark", settings.logo_file_dark),
            "background": branding.load_background(settings.background_file),
            "signin.js": branding.script(),
        }
        self.icon = branding.icon(settings)
        self._assets: Mapping[str, Asset] = {name: asset for name, asset in found.items() if asset is not None}
        style = branding.stylesheet(settings, self.address("background"))
        self._assets = {**self._assets, "icon.svg": self.icon, "signin.css": style}
        self.script_integrity = self._assets["signin.js"].integrity

    def find(self, name: str, tag: str) -> Asset | None:
        """The file of that name, if it is the one that the tag belongs to."""
        asset = self._assets.get(name)
        return asset if asset is not None and asset.tag == tag else None

    def address(self, name: str) -> str:
        """Where it is; empty where there is none."""
        asset = self._assets.get(name)
        return f"/static/{asset.tag}/{name}" if asset is not None else ""
