"""What a person meets: sign-in page, session, account page; and the authentication API for trusted back ends.

What belongs here: pages, cookies, sessions, the words people read. What does not: whether an attempt may go on and who
checks it (relay), what applications speak (federation).
"""

from gateway.signin.account_checks import PATIENCE, AccountChecks, AccountVerdict, HeldAccount
from gateway.signin.api import AUTHENTICATE_PATH, Api
from gateway.signin.application_pages import ApplicationPages
from gateway.signin.applications import Application, ApplicationLink, Applications, LastingAccess, LetIn, PersonApplications
from gateway.signin.branding import parse_colour, unnamed_warning
from gateway.signin.catalogue import Catalogue, is_proofread, language_name, shipped_texts
from gateway.signin.cookies import CookieSigner, DeviceCookie, FormToken, delete_cookie, read_cookie, set_cookie
from gateway.signin.departures import Departure, DepartureOutcome, Farewell, SessionDependents
from gateway.signin.errors import BadBranding
from gateway.signin.messages import Message, message_of, rejection
from gateway.signin.pages import Pages, check_pages
from gateway.signin.seal import Seal
from gateway.signin.sessions import SKEW, Session, Sessions, session_key
from gateway.signin.settings import LANGUAGES, SignInSettings
from gateway.signin.steps import Steps
from gateway.signin.web import SignInPages

__all__ = [
    "AUTHENTICATE_PATH",
    "LANGUAGES",
    "PATIENCE",
    "SKEW",
    "AccountChecks",
    "AccountVerdict",
    "Api",
    "Application",
    "ApplicationLink",
    "ApplicationPages",
    "Applications",
    "BadBranding",
    "Catalogue",
    "CookieSigner",
    "Departure",
    "DepartureOutcome",
    "DeviceCookie",
    "Farewell",
    "FormToken",
    "HeldAccount",
    "LastingAccess",
    "LetIn",
    "Message",
    "Pages",
    "PersonApplications",
    "Seal",
    "Session",
    "SessionDependents",
    "Sessions",
    "SignInPages",
    "SignInSettings",
    "Steps",
    "check_pages",
    "delete_cookie",
    "is_proofread",
    "language_name",
    "message_of",
    "parse_colour",
    "read_cookie",
    "rejection",
    "session_key",
    "set_cookie",
    "shipped_texts",
    "unnamed_warning",
]
