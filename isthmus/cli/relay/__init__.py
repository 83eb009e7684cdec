"""`isthmus relay`. Each part is imported when it is called; a new command is a module and a line in `_PARTS`."""

from __future__ import annotations

import click

from isthmus.cli.lazy import LazyGroup

_HERE = "isthmus.cli.relay"
_PARTS = {
    "setup": (f"{_HERE}.setup:setup", "Set this machine up as a relay."),
    "init": (f"{_HERE}.process:init", "Create the relay's certificate authority and keys, once."),
    "run": (f"{_HERE}.process:run", "Serve until SIGTERM or SIGINT."),
    "renew-certificate": (f"{_HERE}.certificate:renew_certificate", "Obtain the HTTPS certificate by ACME."),
    "check": (f"{_HERE}.check:check", "Find out what is wrong with this relay."),
    "token": (f"{_HERE}.agents:token", "Print a single-use enrolment token for an agent."),
    "agents": (f"{_HERE}.agents:agents", "List the agents: connections, controllers, certificates."),
    "revoke": (f"{_HERE}.agents:revoke", "Revoke an agent."),
    "binding": (f"{_HERE}.bindings:binding", "Show or set the directory that a domain is bound to."),
    "explain": (f"{_HERE}.explain", "Explain one sign-in: what the user saw, the cause, the remedy."),
    "unlock": (f"{_HERE}.users:unlock", "Reset the wrong passwords that smart lockout counted."),
    "locks": (f"{_HERE}.users:locks", "List the users that smart lockout has locked."),
    "person": (f"{_HERE}.people:person", "Export or pseudonymise the data stored about one person."),
    "api-key": (f"{_HERE}.api_keys:api_key", "API keys for trusted back ends (POST /api/v1/authenticate)."),
    "sessions": (f"{_HERE}.sessions:sessions", "Sessions of users: list them, end them."),
    "trust": (f"{_HERE}.trusts", "Applications that sign users in through this relay."),
    "claims": (f"{_HERE}.claims:claims", "Show what an application would be told of a user, and why."),
    "audit": (f"{_HERE}.audit", "The audit trail of every sign-in and administrative act."),
    "backup": (f"{_HERE}.backups:backup", "Back up keys and database, encrypted; verify a backup."),
    "restore": (f"{_HERE}.restoration:restore", "Restore a backup."),
    "keys": (f"{_HERE}.keys:keys", "Keys for cookies, forms and the audit trail."),
}


@click.group("relay", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """The cloud side: set up, run, administer.

    Administrative commands reach the running relay through its control socket and take effect immediately; where none
    runs they work on its database.
    """
