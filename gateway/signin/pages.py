"""Renders the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import jinja2
from aiohttp import web

from gateway.signin import user_agent
from gateway.signin.applications import Application
from gateway.signin.assets import Assets
from gateway.signin.browser import safe_path, without_controls
from gateway.signin.catalogue import Catalogue, Texts, choose_language, language_name
from gateway.signin.cookies import FORM, LANGUAGE, FormToken, new_secret, read_cookie, set_cookie
from gateway.signin.messages import N_
from gateway.signin.settings import LANGUAGES, SignInSettings

_POST_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Of a page that only posts a form: `form-action` would also hold for wherever the application redirects to afterwards."""
_CSP = f"{_POST_CSP}; form-action 'self'"
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
_IMMUTABLE = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",  # of an SVG that is opened by itself
    "X-Content-Type-Options": "nosniff",
}
_FOR_A_DAY = {**_IMMUTABLE, "Cache-Control": "public, max-age=86400"}
_IN_ANY_LANGUAGE = (
    "/account",
    "/account/password",
    "/apps",
    "/device",
    "/key-trial",
    "/signed-out",
    "/signin/password",
    "/signin/new-password",
    "/signin/refused",
    "/signin/changed",
)
"""Pages that can be asked for once more in another language."""
_CARRYING = ("/continue/", "/key-trial/", "/saml/logout/")
"""So can these, whose address says all that they need."""


def check_pages(settings: SignInSettings) -> None:
    """See that the pages can look and read as the settings say, files included. Raises BadBranding."""
    Pages(settings, cast(FormToken, None))  # nothing is rendered


class Pages:
    """The organisation's pages. Raises BadBranding for settings that cannot be used."""

    def __init__(self, settings: SignInSettings, form_token: FormToken) -> None:
        self._settings, self._form_token = settings, form_token
        self._catalogue = Catalogue(settings.texts)
        self._assets = Assets(settings)
        loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
        self._templates = jinja2.Environment(
            loader=loader,
            autoescape=True,
            auto_reload=False,  # the package's own files: looking at their times is two system calls a page
            undefined=jinja2.StrictUndefined,
            finalize=without_controls,
        )
        self._templates.filters |= {"moment": _moment, "iso": _iso, "browser": user_agent.describe, "entities": entities}

    def become(self, other: Pages) -> None:
        """Show what another one would, from the next request on: settings were read anew."""
        vars(self).update(vars(other))

    def language(self, request: web.Request, application: Application | None = None) -> str:
        """The language that the person chose, else the application, else the browser."""
        wanted = request.query.get("language") or read_cookie(request, LANGUAGE)
        asked = ",".join(application.languages) if application is not None else ""
        accepted = request.headers.get("Accept-Language", "")
        return choose_language(wanted, f"{asked},{accepted}" if asked else accepted, self._settings.language)

    def render(self, request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """A page. `title`, `error`, `info` and `notice` are English texts; `value`, a number or seconds, goes into them."""
        language = self.language(request, values.get("application"))
        sent = read_cookie(request, FORM)
        cookie = sent or new_secret()
        context = {**self._context(request, language), "csrf": self._form_token.token(cookie), **values}
        text = self._templates.get_template(template).render(context)
        response = web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)
        response.headers["Content-Language"] = language
        if context["application"] is not None or context["shared"]:
            # an application that opened a window for the sign-in has to find it again when it is back there
            response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        if not sent and request.method == "GET":  # another site's form brings no cookie, and must not replace ours
            set_cookie(response, FORM, cookie)
        if request.query.get("language") == language:
            set_cookie(response, LANGUAGE, language, max_age=365 * 86400)
        return response

    def render_post(self, request: web.Request, url: str, fields: Mapping[str, str]) -> web.Response:
        """A page that posts a form to somebody else, by itself or by its button."""
        response = self.render(request, "post.html", title=N_("Continue"), url=url, fields=fields, shared=True)
        return post_elsewhere(response)

    def _context(self, request: web.Request, language: str) -> Mapping[str, Any]:
        """What a template may use, before its own values."""
        settings, texts = self._settings, self._catalogue[language]
        return {
            "language": language,
            "languages": _other_languages(request, language),
            "_": texts.text,
            "plural": texts.plural,
            "tell": partial(_tell, texts),
            "organisation": settings.organisation,
            "support": settings.support,
            "support_url": settings.support_url,
            "forgot_password_url": settings.forgot_password_url,
            "assets": self._assets,
            "application": None,
            "shared": False,
            "wide": False,
            "error": None,
            "info": None,
            "notice": None,
            "reference": "",
            "value": 0,
            "user_name": "",
            "return_to": "/account",
        }

    def redirect(self, path: str) -> web.Response:
        """Go to a path of ours, with GET."""
        response = web.Response(status=303, headers={**_HEADERS, "Location": path})
        del response.headers["Cross-Origin-Opener-Policy"]  # the page that follows says it; there it may be another one
        return response

    async def static(self, request: web.Request) -> web.Response:
        """Style sheet, script and pictures, to be cached permanently: their address changes when they do."""
        asset = self._assets.find(request.match_info["name"], request.match_info["tag"])
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(body=asset.content, content_type=asset.type, charset="utf-8", headers=_IMMUTABLE)

    async def favicon(self, _request: web.Request) -> web.Response:
        """For whoever asks without having read the page."""
        icon = self._assets.icon
        return web.Response(body=icon.content, content_type=icon.type, charset="utf-8", headers=_FOR_A_DAY)


def post_elsewhere(response: web.Response) -> web.Response:
    """A page of which a form is for an application."""
    response.headers["Content-Security-Policy"] = _POST_CSP
    response.headers["Referrer-Policy"] = "no-referrer"  # our address says what was asked
    return response


def with_return(path: str, return_to: str) -> str:
    """A path of ours, with where to go afterwards; the account page is understood."""
    if return_to == "/account":
        return path
    return f"{path}{'&' if '?' in path else '?'}return_to={quote(return_to)}"


def _tell(texts: Texts, message: str, value: float) -> str:
    return texts.text(message, n=int(value), wait=texts.duration(value))


def _other_languages(request: web.Request, language: str) -> list[tuple[str, str, str]]:
    """Tag, name and address of this page in each other language."""
    path = request.path if request.path in _IN_ANY_LANGUAGE or request.path.startswith(_CARRYING) else "/signin"
    return_to = safe_path(request.query.get("return_to"))
    return [
        (tag, language_name(tag), with_return(f"{path}?language={tag}", return_to)) for tag in LANGUAGES if tag != language
    ]


def entities(text: str) -> str:
    """Text for an attribute in double quotes, escaped. Named entities alone: there are parties that decode no others."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _moment(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"


def _iso(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
