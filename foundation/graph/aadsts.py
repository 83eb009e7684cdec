"""The identity platform's error codes in plain words, each with its remedy.

Source: Microsoft, "Microsoft Entra authentication and authorization error codes". Its own text is not shown: it names
nothing that helps and may quote what we sent.
"""

from __future__ import annotations

_KNOWN: dict[int, tuple[str, str]] = {
    7000215: (
        "the secret is wrong",
        "Put its value (not its id) into secret_file; make a new one under App registrations, Certificates & secrets",
    ),
    7000222: (
        "the secret has expired",
        "Make a new one under App registrations, Certificates & secrets, or use a certificate",
    ),
    700016: (
        "there is no such application in this tenant",
        "Check client_id and tenant; a multi-tenant application needs an administrator's consent there first",
    ),
    700027: (
        "the certificate is not registered with the application, or its key is another one",
        "Upload the public part of certificate_file under App registrations, Certificates & secrets",
    ),
    700021: ("the assertion is for another application", "Check client_id"),
    700023: ("the assertion is for another tenant", "Check tenant and authority"),
    700024: ("the assertion is too old or too young", "Set this machine's clock: it differs by more than five minutes"),
    50027: ("the assertion cannot be read", "Check that certificate_file holds an RSA key and its certificate, in PEM"),
    90002: ("there is no such tenant in this cloud", "Check tenant; national clouds have an authority of their own"),
    7000112: ("the application is disabled", "Enable it under Enterprise applications, Properties"),
    7000218: ("no secret and no assertion was sent", "Set certificate_file or secret_file in [[entra]]"),
    500011: (
        "this tenant knows no Graph by that address",
        "Check `graph`: it must be of the same cloud as `authority`",
    ),
    1002012: ("the scope is not valid", "Check `graph`: an address without a path"),
    53003: ("Conditional Access forbids the sign-in", "Allow this workload identity, or its address, in the policy"),
    50034: ("the account does not exist in this tenant", "Check tenant and client_id"),
}


def explain(code: int) -> tuple[str, str]:
    """Reason and remedy, without a full stop."""
    unknown = (
        "the sign-in was refused",
        f"Look it up: https://login.microsoftonline.com/error?code={code}" if code else "Look into the tenant's sign-in log",
    )
    return _KNOWN.get(code, unknown)
