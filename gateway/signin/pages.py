"""Renders the pages."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import jinja2
from aiohttp import web

from gateway.signin import branding, user_agent
from gateway.signin.browser import safe_path, without_controls
from gateway.signin.catalogue import Catalogue, Texts, choose_language, language_name
from gateway.signin.cookies import FORM, LANGUAGE, FormToken, new_secret, read_cookie, set_cookie
from gateway.signin.settings import LANGUAGES, SignInSettings

_CSP = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send our own forms with `Origin: null`
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def check_pages(settings: SignInSettings) -> None:
    """See that the pages can look and read as the settings say, files included. Raises BadBranding."""
    Pages(settings, cast(FormToken, None))  # nothing is rendered


class Pages:
    """The organisation's pages. Raises branding.BadBranding for settings that cannot be used."""

    def __init__(self, settings: SignInSettings, form_token: FormToken) -> None:
        self._settings, self._form_token = settings, form_token
        self._catalogue = Catalogue(settings.texts)
        self._style = branding.stylesheet(settings)
        self._logo = branding.load_logo(settings.logo_file)
        loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
        self._templates = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, finalize=without_controls
        )
        self._templates.filters["moment"] = _moment
        self._templates.filters["browser"] = user_agent.describe

    def become(self, other: Pages) -> None:
        """Show what another one would, from the next request on: settings were read anew."""
        vars(self).update(vars(other))

    def language(self, request: web.Request) -> str:
        """The language of this browser."""
        wanted = request.query.get("language") or read_cookie(request, LANGUAGE)
        return choose_language(wanted, request.headers.get("Accept-Language", ""), self._settings.language)

    def render(self, request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """A page. `title`, `error` and `notice` are English texts; `value`, a number or seconds, goes into them."""
        language = self.language(request)
        texts = self._catalogue[language]
        sent = read_cookie(request, FORM)
        cookie = sent or new_secret()
        context = {
            "language": language,
            "_": texts.text,
            "tell": partial(_tell, texts),
            "organisation": self._settings.organisation,
            "support": self._settings.support,
            "support_url": self._settings.support_url,
            "style_tag": self._style.tag,
            "logo_tag": self._logo.tag if self._logo else "",
            "languages": _other_languages(request, language),
            "csrf": self._form_token.token(cookie),
            "wide": False,
            "error": "",
            "notice": "",
            "reference": "",
            "value": 0,
            "user_name": "",
            "return_to": "/account",
            **values,
        }
        text = self._templates.get_template(template).render(context)
        response = web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
        response.headers["Content-Language"] = language
        if not sent:
            set_cookie(response, FORM, cookie)
        if request.query.get("language") == language:
            set_cookie(response, LANGUAGE, language, max_age=365 * 86400)
        return response

    def redirect(self, path: str) -> web.Response:
        """Go to a path of ours, with GET."""
        return web.Response(status=303, headers={**_HEADERS, "Location": path})

    async def static(self, request: web.Request) -> web.Response:
        """The style sheet and the logo, to be cached permanently: their address changes when they do."""
        for name, asset in (("signin.css", self._style), ("logo", self._logo)):
            if asset is not None and request.match_info["name"] == name and request.match_info["tag"] == asset.tag:
                headers = {**_IMMUTABLE, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
                return web.Response(body=asset.content, content_type=asset.type, charset="utf-8", headers=headers)
        raise web.HTTPNotFound


def _tell(texts: Texts, message: str, value: float) -> str:
    return texts.text(message, n=value, wait=texts.duration(value)) if message else ""


def _other_languages(request: web.Request, language: str) -> list[tuple[str, str, str]]:
    """Tag, name and address of this page in each other language."""
    path = request.path if request.path in {"/account", "/account/password"} else "/signin"
    return_to = safe_path(request.query.get("return_to"))
    rest = f"&return_to={quote(return_to)}" if return_to != "/account" else ""
    return [(tag, language_name(tag), f"{path}?language={tag}{rest}") for tag in LANGUAGES if tag != language]


def _moment(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"
