"""`isthmus relay`."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from certs import CertsError
from foundation.times import minute, second
from gateway import app
from gateway.administrator import Administrator
from gateway.relay import API_KEY_RATE, API_KEY_RATE_MOST, API_KEY_SCOPES
from gateway.signin import BadBranding
from gateway.store import StoreError
from isthmus import logging
from isthmus.cli.admin import administrator, reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import (
    FiniteRange,
    config_option,
    counted,
    emit_json,
    json_log_option,
    json_option,
    reporting,
    run_async,
    table,
)
from isthmus.relay_settings import RelaySettings
from isthmus.scheduling import take_turns
from isthmus.terminal import visible
from settings import SettingsFileError, load_settings

relay_config = config_option("/etc/isthmus/relay.toml")


@click.group("relay")
def command() -> None:
    """The cloud side: set up, run, administer.

    Administrative commands reach the running relay through its control socket and count at once; where none runs they
    work on its database.
    """


def _load(path: Path) -> RelaySettings:
    with reporting(SettingsFileError):
        return load_settings(path, RelaySettings)


def _admin(path: Path) -> Administrator:
    return administrator(_load(path).server)


@command.command()
@relay_config
@click.option("--name", default=socket.gethostname, show_default="the host's name", help="Name of this relay node.")
@json_option
def init(config: Path, name: str, as_json: bool) -> None:
    """Make the relay's authority and keys, once. Back up its state_dir afterwards: agents pin this authority.

    \b
    Example:
      sudo -u isthmus-relay isthmus relay init --name relay1
    """
    settings = _load(config)
    with reporting(CertsError, ValueError, app.ServerError, OSError):
        authority = app.init(settings.server, name=name, now=time.time())
    result = {"state_dir": str(settings.server.state_dir), "name": name, "authority_fingerprint": authority.fingerprint}
    if as_json:
        emit_json(result)
    else:
        click.echo(f"Relay {name} is set up in {settings.server.state_dir}.")
        click.echo(f"Authority: SHA-256 {authority.fingerprint}")
        click.echo(f"Next: isthmus relay run --config {config}")


@command.command()
@relay_config
@json_log_option
@click.pass_obj
def run(debug: bool, config: Path, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    \b
    Example:
      isthmus relay run --config /etc/isthmus/relay.toml
    """
    settings = _load(config)
    logging.set_up("debug" if debug else settings.log.level, "json" if as_json else settings.log.format)

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await app.run(settings.server, stop)

    take_turns()
    with reporting(app.ServerError, StoreError, CertsError, BadBranding):
        run_async(serve())


@command.command()
@relay_config
@click.option("--name", required=True, help="Name of the agent; a new one for each machine.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help="A UPN suffix or NetBIOS name that the agent may answer for; again for more. `*`: names that nobody claims, "
    "and those that are typed without a domain.",
)
@click.option("--any-domain", is_flag=True, help="Instead: let it answer for whatever it claims, and so for everybody.")
@json_option
def token(config: Path, name: str, domains: tuple[str, ...], any_domain: bool, as_json: bool) -> None:
    """Print a single-use enrolment token for an agent.

    Name every domain of the agent's directories: their `name`, `upn_suffixes` and `netbios_name`, for each agent of a
    directory the same. The agent is believed about the people of these domains, and about nobody else.

    \b
    Examples:
      isthmus relay token --name dc1-agent --domain corp.example.com --domain CORP
      isthmus relay token --name dc1-agent --domain corp.example.com --domain '*'
      isthmus relay token --name dc1-agent --domain CORP --json | jq -r .text
    """
    if bool(domains) == any_domain:
        once_each = "Give --domain, once for each domain of the agent's directories"
        wanted = "Give --domain or --any-domain, not both" if domains else once_each
        raise click.UsageError(f"{wanted}; --any-domain trusts the agent with everybody's sign-in.")
    view = run_async(reported(_admin(config).create_token(name, domains, any_domain=any_domain)))
    if as_json:
        emit_json(view)
        return
    click.echo(f"Run this on {name}, before {minute(view.expires_at)}:\n", err=True)
    click.echo(f"isthmus agent enrol --token {view.text}")


@command.command()
@relay_config
@json_option
def agents(config: Path, as_json: bool) -> None:
    """List the agents: connections, state of their domain controllers, certificates.

    \b
    Examples:
      isthmus relay agents
      isthmus relay agents --json | jq '.[] | select(.connections == 0) | .name'
    """
    views = run_async(reported(_admin(config).agents()))
    if as_json:
        emit_json(views)
        return
    rows = []
    for view in views:
        away = "elsewhere" if view.nodes else "away"
        state = "revoked" if view.revoked_at else f"{view.connections} connected" if view.connections else away
        directories = ", ".join(f"{name} {state}" for name, state in view.directories.items())
        rows.append(
            [
                view.name,
                state,
                ", ".join(view.nodes) or "-",
                ", ".join(view.domains) or "-",
                directories or "-",
                minute(view.seen_at),
                minute(view.not_after),
                view.software or "-",
                view.revoked_why or ("any domain" if view.any_domain else ""),
            ]
        )
    headers = ["agent", "state", "nodes", "domains", "directories", "seen", "certificate ends", "version", "note"]
    table(headers, rows, "No agents yet: isthmus relay token --name NAME --domain DOMAIN")


@command.command()
@relay_config
@click.argument("name")
@click.option("--why", default="revoked by an administrator", show_default=True, help="Reason, for the audit trail.")
@json_option
def revoke(config: Path, name: str, why: str, as_json: bool) -> None:
    """Revoke an agent: its connections end at once, its certificates are refused.

    \b
    Example:
      isthmus relay revoke dc1-agent --why "machine was stolen"
    """
    ended = run_async(reported(_admin(config).revoke(name, why)))
    if as_json:
        emit_json({"name": name, "connections_ended": ended})
    else:
        click.echo(f"{name} is revoked; {counted(ended, 'live connection')} ended.")


@command.group()
def binding() -> None:
    """Which directory the people of a domain are in.

    The first answer about somebody of a domain binds it to the directory that the answer names: for Active Directory the
    domain's objectGUID, for LDAP the naming context. From then on no agent that names another one is believed. Change it
    where a domain was made anew or has moved, or where the wrong agent came first.
    """


@binding.command("list")
@relay_config
@json_option
def list_bindings(config: Path, as_json: bool) -> None:
    """List the domains that are bound, with their directories.

    \b
    Example:
      isthmus relay binding list --json | jq -r '.[] | .domain + " " + .directory'
    """
    views = run_async(reported(_admin(config).bindings()))
    if as_json:
        emit_json(views)
        return
    rows = [[view.domain, view.directory or "-", minute(view.bound_at), view.bound_by] for view in views]
    table(["domain", "directory", "since", "by"], rows, "No domain is bound yet: the first sign-in does it.")


@binding.command("set")
@relay_config
@click.argument("domain")
@click.argument("directory")
@json_option
def set_binding(config: Path, domain: str, directory: str, as_json: bool) -> None:
    """Bind a domain to a directory, in place of the one before. Sessions of the people of that one end.

    DIRECTORY is what the directory says of itself: for Active Directory the domain's objectGUID, for LDAP the naming
    context. Do it before the first sign-in, and no agent can bind the domain to another one.

    \b
    In PowerShell:
      (Get-ADDomain).ObjectGUID

    \b
    Examples:
      isthmus relay binding set CORP 9f2c1b7e-0d3a-4c58-8e61-2b7d5a90c4f3
      isthmus relay binding set example.org dc=example,dc=org
    """
    if not _names_a_directory(directory):
        wanted = "expected a GUID (9f2c1b7e-…), or a naming context (dc=example,dc=org)"
        raise click.BadParameter(f"{directory!r}: {wanted}", param_hint="DIRECTORY")
    view = run_async(reported(_admin(config).bind(domain, directory)))
    if as_json:
        emit_json(view)
    else:
        click.echo(f"{view.domain} is bound to {view.directory}; {counted(view.sessions, 'session')} ended.")


def _names_a_directory(text: str) -> bool:
    """Whether it is a GUID or a DN: a domain that is bound to a slip of the keyboard lets nobody in."""
    return bool(re.fullmatch(r"\s*\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?\s*", text)) or "=" in text


@binding.command("remove")
@relay_config
@click.argument("domain")
@json_option
def remove_binding(config: Path, domain: str, as_json: bool) -> None:
    """Forget which directory a domain is bound to: the next answer binds it. Sessions of the directory's people end.

    Revoke an agent that came first without a right to: isthmus relay revoke NAME.

    \b
    Example:
      isthmus relay binding remove corp.example.com
    """
    view = run_async(reported(_admin(config).unbind(domain)))
    if as_json:
        emit_json(view)
    elif view.before is None:
        click.echo(f"{view.domain} is not bound to a directory. Which are: isthmus relay binding list")
    else:
        click.echo(f"{view.domain} is not bound any more; {counted(view.sessions, 'session')} ended.")
    if view.before is None:
        raise SystemExit(1)


@command.command()
@relay_config
@click.argument("user")
@json_option
def unlock(config: Path, user: str, as_json: bool) -> None:
    """Forget the wrong passwords that smart lockout counted (not AD's own lock).

    USER is any spelling of the user name, or the account's objectGUID or entryUUID.

    \b
    Examples:
      isthmus relay unlock anna@corp.example.com
      isthmus relay unlock 6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21
    """
    if not user.strip():
        raise click.BadParameter("it is blank", param_hint="USER")
    admin = _admin(config)
    found = run_async(reported(admin.unlock(user)))
    if as_json:
        emit_json({"user": user, "was_counted": found, "relay_running": admin.reached_relay})
    else:
        nothing = (
            f"Nothing was counted against {visible(user)} here. Who is locked: isthmus relay locks. "
            "AD's own lock is ended in AD."
        )
        click.echo(f"{visible(user)} is unlocked." if found else nothing)


@command.command()
@relay_config
@json_option
def locks(config: Path, as_json: bool) -> None:
    """List whom smart lockout refuses now. Name and account are those of the last wrong password in the audit trail.

    An account is locked for browsers in which the person signed in before ("familiar") and for all "others" apart. It is
    the account's GUID; "-" where nobody has signed in by that name so far.

    \b
    Examples:
      isthmus relay locks
      isthmus relay locks --json | jq -r '.[].user'
    """
    views = run_async(reported(_admin(config).locks()))
    if as_json:
        emit_json(views)
        return
    rows = [
        [
            view.user or "-",
            view.account or "-",
            "familiar" if view.familiar else "others",
            second(view.until),
            str(view.failures),
            str(view.locks),
            second(view.time),
            view.address or "-",
        ]
        for view in views
    ]
    headers = ["user", "account", "browsers", "until", "wrong passwords", "locks", "last", "from"]
    table(headers, rows, "Nobody is locked out here (AD's own locks are not listed).")


@command.command("remove-person")
@relay_config
@click.argument("user")
@yes_option
@json_option
def remove_person(config: Path, user: str, yes: bool, as_json: bool) -> None:
    """Remove what is kept of a person: sessions, and what the audit trail says.

    USER is a name exactly as it was typed at a sign-in that succeeded (`isthmus relay audit list` shows it), or the
    account's objectGUID or entryUUID. It cannot be undone. The trail still verifies; that it was done is an entry itself,
    which names nobody.

    \b
    Examples:
      isthmus relay remove-person anna@corp.example.com
      isthmus relay remove-person 6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21 --yes
    """
    admin = _admin(config)
    question = f"What is kept of {user} is removed for good. Type the name again to do it"
    confirm(question, user, Manner(yes=yes, as_json=as_json))
    view = run_async(reported(admin.remove_person(user)))
    if as_json:
        emit_json(view)
    else:
        sessions, entries = counted(view.sessions, "session"), counted(view.entries, "entry", "entries")
        click.echo(f"Removed: {sessions}, and what {entries} of the audit trail said.")


@command.group("api-key")
def api_key() -> None:
    """Keys for trusted back ends (POST /api/v1/authenticate)."""


@api_key.command("create")
@relay_config
@click.option("--name", required=True, help="What the key is for.")
@click.option("--days", type=FiniteRange(min=0.01), help="Days until it expires; never unless given.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(API_KEY_SCOPES),
    default=("check",),
    show_default="check",
    help="`check` passwords, `change` them (proving the old one); again for both.",
)
@click.option(
    "--from",
    "networks",
    metavar="NETWORK",
    multiple=True,
    help="Addresses that it may be used from, as 192.0.2.7 or 2001:db8::/32; again for more. Anywhere unless given.",
)
@click.option(
    "--rate",
    type=click.IntRange(1, API_KEY_RATE_MOST),
    default=int(API_KEY_RATE),
    show_default=True,
    help="Checks and changes a minute, at each relay node; up to a minute's worth at once.",
)
@json_option
def create_api_key(
    config: Path,
    name: str,
    days: float | None,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    rate: int,
    as_json: bool,
) -> None:
    """Make an API key and print it, this once.

    A key that was stolen is good for as much as you give it: name the back end's addresses, its peak load as the rate, and
    `change` only where it has a form for that.

    \b
    Examples:
      isthmus relay api-key create --name crm --from 192.0.2.7 --days 365
      isthmus relay api-key create --name portal --scope check --scope change
    """
    lifetime = days * 86400 if days is not None else None
    made = _admin(config).create_api_key(name, lifetime, scopes=scopes, networks=networks, rate=float(rate))
    view = run_async(reported(made))
    if as_json:
        emit_json(view)
        return
    click.echo("Keep this key safe; it is not shown again:", err=True)
    click.echo(view.secret)


@api_key.command("list")
@relay_config
@json_option
def list_api_keys(config: Path, as_json: bool) -> None:
    """List the API keys, without their secrets.

    \b
    Example:
      isthmus relay api-key list --json | jq -r '.[] | [.id, .name] | @tsv'
    """
    views = run_async(reported(_admin(config).api_keys()))
    if as_json:
        emit_json(views)
        return
    rows = [
        [
            view.id,
            view.name,
            ", ".join(view.scopes),
            ", ".join(view.networks) or "anywhere",
            f"{view.rate:g}",
            minute(view.created_at),
            minute(view.expires_at),
            minute(view.revoked_at),
        ]
        for view in views
    ]
    headers = ["id", "name", "for", "from", "a minute", "made", "expires", "revoked"]
    table(headers, rows, "No API keys: isthmus relay api-key create --name NAME")


@api_key.command("revoke")
@relay_config
@click.argument("key_id")
@json_option
def revoke_api_key(config: Path, key_id: str, as_json: bool) -> None:
    """Revoke an API key, at once. `isthmus relay api-key list` shows the ids.

    \b
    Example:
      isthmus relay api-key revoke 3f6c0d9be1a24c55
    """
    revoked = run_async(reported(_admin(config).revoke_api_key(key_id)))
    if as_json:
        emit_json({"id": key_id, "revoked": revoked})
    else:
        click.echo(f"{key_id} is revoked." if revoked else f"There is no live key {visible(key_id)}.")
    if not revoked:
        raise SystemExit(1)


@command.group()
def audit() -> None:
    """The audit trail of every sign-in and administrative act."""


@audit.command("list")
@relay_config
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Entries at most.")
@click.option("--before", metavar="ID", help="Only entries before this one.")
@click.option("--kind", default="", help="Only this kind: signin, password_change, agent.enrolled, …")
@click.option("--user", "subject", default="", help="Only this user name, or agent, exactly as recorded.")
@click.option("--agent", default="", help="Only what this agent checked.")
@click.option("--outcome", default="", help="Only this outcome: success, wrong_credential, …")
@click.option("--correlation-id", default="", help="Only this attempt: the X-Correlation-Id of its answer.")
@json_option
def list_audit(config: Path, as_json: bool, **chosen: Any) -> None:
    """Show the trail, newest first.

    \b
    Examples:
      isthmus relay audit list --user anna@corp.example.com
      isthmus relay audit list --kind agent.enrolled --json
    """
    views = run_async(reported(_admin(config).audit(**chosen)))
    if as_json:
        emit_json(views)
        return
    rows = [
        [
            view.id,
            minute(view.time),
            view.kind,
            view.subject or "-",
            view.outcome or "-",
            view.address or "-",
            view.agent or view.actor,
            " ".join(view.detail.values()),
        ]
        for view in views
    ]
    searched = any(value for name, value in chosen.items() if name != "limit")
    nothing = "No entry is like that; names must be given exactly as they were typed." if searched else "The trail is empty."
    table(["id", "time", "kind", "whom", "outcome", "from", "by", "detail"], rows, nothing)


@audit.command("verify")
@relay_config
@click.option(
    "--noted",
    metavar="ID:HASH",
    help="A head that was noted on another machine (`audit.head` in the log): it must be in the trail.",
)
@json_option
def verify_audit(config: Path, noted: str | None, as_json: bool) -> None:
    """Check all chains; exit code 1 names the first entry that cannot be trusted.

    An older copy of the database is whole in itself. That it is older shows by what the relay has noted in its state_dir
    (`audit-heads`), each minute; against those who can write there too, only by a head that was noted on another machine.

    \b
    Examples:
      isthmus relay audit verify --json
      isthmus relay audit verify --noted 3-1204:9f31…
    """

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty() and not as_json:
            click.echo(f"\r{done} of {total}", nl=False, err=True)

    report = run_async(reported(_admin(config).verify_audit(progress, noted=_noted(noted) if noted is not None else None)))
    if as_json:
        emit_json({"ok": True, **msgspec.to_builtins(report)})
        return
    if report.witnessed is None and report.entries:
        missing = "state_dir has no file audit-heads; a running relay writes it each minute"
        click.echo(f"Not compared with what was noted before: {missing}.", err=True)
    if not report.entries:
        click.echo("The trail is empty.")
    else:
        gone = f"what {report.removed} of them said of a person was removed; " if report.removed else ""
        click.echo(
            f"{counted(report.entries, 'entry', 'entries')} in {counted(len(report.heads), 'chain')}, none changed; "
            f"{gone}the newest ends {report.heads[-1]}"
        )


@audit.command("accept")
@relay_config
@click.option("--why", required=True, help="Reason, for the audit trail: which backup was put back, and when.")
@yes_option
@json_option
def accept_audit(config: Path, why: str, yes: bool, as_json: bool) -> None:
    """Accept that the trail's newest entries are gone, after you have put back a backup of the database.

    Until then `audit verify` calls the trail broken, and each start of the relay raises an alarm. What was noted and is
    gone is written into the trail. If nobody has put back a backup: do not accept it, somebody removed entries.

    \b
    Example:
      isthmus relay audit accept --why "backup of 28 November was put back"
    """
    question = "Entries that the relay had noted are gone for good. Type accept to accept that"
    confirm(question, "accept", Manner(yes=yes, as_json=as_json))
    chains = run_async(reported(_admin(config).accept_audit(why)))
    if as_json:
        emit_json({"chains": chains})
    else:
        click.echo(f"Accepted for {counted(chains, 'chain')}; the trail says so. See: isthmus relay audit verify")


def _noted(text: str) -> tuple[int, int, str]:
    """Chain, number and hash of a head, as the log has it."""
    matched = re.fullmatch(r"([1-9][0-9]*)-([1-9][0-9]*):([0-9A-Fa-f]+)", text)
    if matched is None:
        raise click.BadParameter(f"{text!r}: expected ID:HASH, as the log has it", param_hint="--noted")
    return int(matched[1]), int(matched[2]), matched[3]


@command.group()
def keys() -> None:
    """What the relay signs cookies, forms and the audit trail with."""


@keys.command("roll")
@relay_config
@json_option
def roll_keys(config: Path, as_json: bool) -> None:
    """Make new keys. They are in use two minutes later; the ones before stay valid until the next roll.

    Nobody is signed out. Where a key may be known to others, roll twice: the second time once the first is in use.

    \b
    Example:
      isthmus relay keys roll
    """
    view = run_async(reported(_admin(config).roll_keys()))
    if as_json:
        emit_json(view)
    else:
        click.echo(f"Keys {view.id} are in use from {minute(view.active_from)} on.")
