"""Reads forms: an ordered list of small checks."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.relay import read_body
from gateway.signin.browser import CONTROLS, is_cross_site
from gateway.signin.cookies import FORM, FormToken, read_cookie
from gateway.signin.errors import BadForm, StaleForm
from gateway.signin.messages import Message

MAX_FORM = 64 * 1024
MAX_NAME = 256
"""Characters of a user name."""
MAX_FIELD = 1024
"""Characters of a password; AD takes no more than 127 or 256."""


async def read_form(request: web.Request, form_token: FormToken, origin: str) -> Mapping[str, str]:
    """Read a form that one of our pages sent. Raises BadForm."""
    check_type(request)
    check_origin(request, origin)
    try:
        fields = parse(await read_body(request, MAX_FORM))
    except web.HTTPException as unread:
        raise BadForm(Message.TOO_LONG if unread.status == 413 else Message.STALE, unread.status) from unread
    cookie = read_cookie(request, FORM)
    if not form_token.fits(cookie, fields.get("csrf", "")):
        raise StaleForm(fields.get("return_to", ""), cookie=bool(cookie))
    return fields


def check_type(request: web.Request) -> None:
    """Only what a plain HTML form sends."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise BadForm(Message.STALE, 415)


def check_origin(request: web.Request, origin: str) -> None:
    """Refuse what another site made the browser send."""
    if is_cross_site(request, origin):
        raise BadForm(Message.STALE, 403)


def parse(body: bytes) -> Mapping[str, str]:
    """`application/x-www-form-urlencoded` in UTF-8 to fields. Raises BadForm."""
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict"))
    except (ValueError, UnicodeDecodeError) as error:
        raise BadForm(Message.BAD_CHARACTERS) from error


def user_name_of(fields: Mapping[str, str]) -> str:
    """The user name, white space around it removed. Raises BadForm."""
    name = fields.get("user_name", "").strip()
    if not name:
        raise BadForm(Message.MISSING_USER, field="user_name")
    check_text(name, "user_name", MAX_NAME)
    return name


def password_of(fields: Mapping[str, str], field: str = "password") -> str:
    """A password, exactly as typed. Raises BadForm, also for an empty one: AD would take it for anonymous."""
    password = fields.get(field, "")
    if not password:
        raise BadForm(Message.MISSING_NEW if field == "new_password" else Message.MISSING_PASSWORD, field=field)
    check_text(password, field)
    return password


def new_password_of(fields: Mapping[str, str]) -> str:
    """A new password, typed twice. Raises BadForm."""
    new_password = password_of(fields, "new_password")
    if new_password != fields.get("again"):
        raise BadForm(Message.NOT_SAME, field="new_password")
    return new_password


def check_text(text: str, field: str, longest: int = MAX_FIELD) -> None:
    """Refuse what no directory takes. Raises BadForm."""
    if len(text) > longest:
        raise BadForm(Message.TOO_LONG, field=field)
    if CONTROLS.search(text):
        raise BadForm(Message.BAD_CHARACTERS, field=field)
