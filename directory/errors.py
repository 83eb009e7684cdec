"""What can go wrong between us and a directory. A refused credential is not here: that is a `CheckResult`.

DirectoryError
├── SettingsProblem                    a setting, or the file it names, cannot be used
├── NoDirectory                        no domain controller could be asked
├── ServiceAccountRefused              our own account may not sign in
├── ServerRefused                      the server answered an operation with an LDAP error
│   └── BaseNotFound                     … because nothing is where `base_dn` points
├── Ambiguous                          more than one account answers to a name
├── NotFound                           no account answers to a name
├── StateUnreadable                    our own account may not read whether an account is disabled
├── LdapConnectionError                the connection
│   ├── ConnectFailed                    … could not be made: nothing was sent
│   │   └── ServerCertificateRefused       … because the server's certificate is not the one that we trust
│   ├── ConnectionBroken                 … broke; `sent` tells whether the request had left
│   │   └── ConnectionTimedOut             … stayed silent for too long
│   └── Malformed                        … brought bytes that are not LDAP
└── Abandoned                          the caller's `before_bind` said no: nothing was bound
"""

from __future__ import annotations

from settings import Unfit


class DirectoryError(Exception):
    """Base of everything that this package raises."""


class SettingsProblem(DirectoryError):
    """A setting cannot be used."""

    def __init__(self, setting: str, problem: str, remedy: str = "") -> None:
        super().__init__(setting, problem, remedy)
        self.setting = setting
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.setting}: {self.problem}. {self.remedy}".rstrip()

    def as_unfit(self, setting: str) -> Unfit:
        """As settings files tell it, where the remedy continues after a semicolon. setting: the whole key."""
        return Unfit(self.problem, f"{self.remedy[:1].lower()}{self.remedy[1:]}".rstrip("."), setting=setting)


class NoDirectory(DirectoryError):
    """No domain controller of this directory could be asked; nothing was bound."""

    def __init__(self, directory: str, tried: tuple[str, ...], reason: str) -> None:
        super().__init__(directory, tried, reason)
        self.directory = directory
        self.tried = tried
        self.reason = reason

    def __str__(self) -> str:
        tried = ", ".join(self.tried) or "none is due for another try"
        return f"No domain controller of {self.directory} answered (tried: {tried}): {self.reason}"


class ServiceAccountRefused(DirectoryError):
    """The directory refused our own account."""

    def __init__(self, server: str, user: str, reason: str) -> None:
        super().__init__(server, user, reason)
        self.server = server
        self.user = user
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"{self.server} refuses the service account {self.user}: {self.reason}. "
            "Check `service_user`, its account in the directory and the password in `service_password_file`."
        )


class ServerRefused(DirectoryError):
    """The server answered an operation with an LDAP result other than success (RFC 4511 section 4.1.9)."""

    def __init__(self, server: str, operation: str, code: int, text: str) -> None:
        super().__init__(server, operation, code, text)
        self.server = server
        self.operation = operation
        self.code = code
        self.text = text

    def __str__(self) -> str:
        return f"{self.server} refuses to {self.operation}: LDAP result {self.code}, {self.text or 'no reason given'}"


class BaseNotFound(ServerRefused):
    """Nothing is at the DN below which people are searched for: "nobody by that name" would be said of everybody."""

    def __init__(self, server: str, base: str, code: int, text: str) -> None:
        super().__init__(server, "search", code, text)
        self.args = (server, base, code, text)
        self.base = base

    def __str__(self) -> str:
        return (
            f"{self.server} has nothing at {self.base!r} that the service account may see (LDAP result {self.code}"
            f"{', ' if self.text else ''}{self.text}). Correct `base_dn`, or let the service account read there."
        )


class Ambiguous(DirectoryError):
    """More than one account answers to a name: contradictory data is never guessed about."""

    def __init__(self, name: str, dns: tuple[str, ...]) -> None:
        super().__init__(name, dns)
        self.name = name
        self.dns = dns

    def __str__(self) -> str:
        return f"{self.name} is the name of several accounts: {'; '.join(self.dns)}. Make it unique, or set `user_filter`."


class NotFound(DirectoryError):
    """No account answers to a name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"No account of a configured directory answers to {self.name!r}."


class StateUnreadable(DirectoryError):
    """The service account cannot read whether an account is enabled: "live" would be said of everybody."""

    def __init__(self, directory: str, dn: str) -> None:
        super().__init__(directory, dn)
        self.directory, self.dn = directory, dn

    def __str__(self) -> str:
        return (
            f"{self.directory}: userAccountControl of {self.dn} is not readable. Let the service account read all "
            "properties of users, as the group Pre-Windows 2000 Compatible Access does."
        )


class LdapConnectionError(DirectoryError):
    """Something about one connection; `server` is host:port."""

    sent = False
    """True where the request may have reached the server."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(server, reason)
        self.server = server
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.server}: {self.reason}"


class ConnectFailed(LdapConnectionError):
    """No connection could be made."""


class ServerCertificateRefused(ConnectFailed):
    """The server's certificate is not one that the settings trust."""


class ConnectionBroken(LdapConnectionError):
    """The connection broke in the middle of an operation."""

    def __init__(self, server: str, reason: str, *, sent: bool, waited: float = 0.0) -> None:
        super().__init__(server, reason)
        self.sent = sent
        self.waited = waited
        """Seconds that went by before it was given up."""


class ConnectionTimedOut(ConnectionBroken):
    """The server stayed silent."""


class Malformed(LdapConnectionError):
    """What arrived is not LDAP, or not an answer to what was asked."""

    sent = True


class Abandoned(DirectoryError):
    """Raised by a caller's `before_bind` to stop: no password is sent after it."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Abandoned before the bind: {self.reason or 'no reason given'}"
