"""What goes wrong with Kerberos, in an administrator's words.

libkrb5 numbers its errors from one base: the protocol's own (RFC 4120 section 7.5.9) come first, the library's follow.
GSS-API hands them on as its minor code.

    who says it                    what it becomes
    the KDC, of user and password  CredentialRefused, or NoTicket where it was not asked
    the KDC, of a host; libkrb5    NoTicket
    the host, of our ticket        AccessDenied
"""

from __future__ import annotations

from adfs_mgmt.remoting.errors import AccessDenied, CredentialRefused, NoTicket, RemotingError

_BASE = -1765328384
_UNKNOWN = -1

UNKNOWN_CLIENT = 6
_NO_TYPE, _EXPIRED, _SKEW, _NO_TICKET, _NO_FILE = 14, 32, 37, 141, 195
_UNKNOWN_SERVER, _NO_DEFAULT, _NO_REALM, _NO_KDC = 7, 224, 154, 156
_NOT_FOR_IT = {31, 35, 36, 41, 44, 45, 60}
"""The host cannot read the ticket. MIT's acceptor says 60 (generic) of some."""

_CLOCK = "the clocks are too far apart (more than five minutes): set the time of this machine, {other}"
_KDC = {
    UNKNOWN_CLIENT: "it does not know this user",
    12: "its policy does not allow the user to log on from here or at this time",
    _NO_TYPE: "it and this machine have no encryption type in common; see `permitted_enctypes` in krb5.conf",
    18: "the account is disabled, locked or expired",
    23: "the password has expired; change it first",
    24: "the password is wrong",
    31: "the password is wrong",
}


def number_of(error: BaseException | None) -> int:
    """libkrb5's number for it, counted from 0; -1 where it has none."""
    code = getattr(error, "err_code", None) or getattr(error, "min_code", None)
    if not isinstance(code, int):
        return _UNKNOWN
    number = (code - 2**32 if code >= 2**31 else code) - _BASE
    return number if 0 <= number < 256 else _UNKNOWN


def explain_kdc(host: str, user: str, error: BaseException) -> RemotingError:
    """What became of the try to get a ticket for a user with a password, on the way to a host."""
    number = number_of(error)
    way = _on_the_way(number)
    if way:
        return NoTicket(host, f"no ticket for {user}: {way}")
    said = _KDC.get(number, str(error).strip() or type(error).__name__)
    return CredentialRefused(
        host,
        f"the domain controller refused a ticket for {user}: {said}; this is not retried, so that no account is locked out: "
        "check `user` and `password_file`, then start again",
    )


def explain_host(host: str, user: str, spn: str, error: BaseException | None) -> RemotingError | None:
    """What became of the try to use a ticket at a host; None where it is no error of Kerberos."""
    number = number_of(error)
    if number == _UNKNOWN:
        return None
    way = _on_the_way(number)
    if way:
        return NoTicket(host, f"no ticket for it: {way}")
    if number == _UNKNOWN_SERVER:
        return NoTicket(
            host,
            f"the domain controller does not know {spn}: check that this is the server's full name, and `spn_service` "
            "(on a server of the domain, `setspn -L` with its name lists its SPNs)",
        )
    if number == _EXPIRED:
        return NoTicket(host, f"your Kerberos ticket has expired: run `kinit {user or 'you@YOUR.REALM'}`")
    if number in {_NO_TICKET, _NO_FILE}:
        whom = f" for {user}" if user else ""
        run = f"run `kinit {user or 'you@YOUR.REALM'}`, or give `user` and `password_file`"
        return NoTicket(host, f"there is no Kerberos ticket{whom}: {run}")
    if number in _NOT_FOR_IT:
        return AccessDenied(
            host,
            f"the server cannot decrypt the ticket for {spn}: another account has that SPN (for example because the name "
            f"is that of the federation service), or the server has left the domain; see `setspn -Q {spn}`",
        )
    return NoTicket(host, f"no ticket for {spn}: {_last_words(error)}")


def _on_the_way(number: int) -> str:
    """What can go wrong with any question to the KDC."""
    if number == _SKEW:
        return _CLOCK.format(other="of the domain controller or of that host")
    if number == _NO_KDC:
        return "no domain controller answers on port 88; see [realms] in krb5.conf, or the DNS servers of this machine"
    if number in {_NO_REALM, _NO_DEFAULT}:
        return "this machine does not know the realm: name it, in capitals, in krb5.conf (`default_realm`, [realms])"
    return ""


def _last_words(error: BaseException | None) -> str:
    """GSS-API's minor text alone."""
    return str(error).rpartition("): ")[2].strip() or type(error).__name__
