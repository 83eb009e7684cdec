"""`isthmus relay trust` …: single settings of a trust. Each reads the document, changes it and puts it back."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from foundation.times import minute
from gateway.federation import MOST_SECRETS, ClientSecret, Trust, TrustChangeView, make_secret, read_trust, write_trust
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, emit_json, emit_said, json_option, reporting, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from settings import SettingsFileError


def edit_trust(config: Path, trust_id: str, change: Callable[[Trust], Trust]) -> TrustChangeView:
    """Change a trust; its document is written anew, without comments. Raises Failure."""
    admin = open_administrator(config)
    view = run_async(reported(admin.trust(trust_id)))
    where = f"{view.id}.toml"
    with reporting(SettingsFileError):
        changed = write_trust(change(read_trust(view.document.encode(), Path(where)))).decode()
    return run_async(reported(admin.put_trust(changed, where, view.version)))


@click.command("enable")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@json_option
def enable(config: Path, trust: str, as_json: bool) -> None:
    """Let users sign in to the application again.

    \b
    Example:
      isthmus relay trust enable grafana
    """
    view = edit_trust(config, trust, lambda before: replace(before, enabled=True))
    emit_said(f"{view.id} is enabled.", as_json=as_json, id=view.id, version=view.version)


@click.command("disable")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@json_option
def disable(config: Path, trust: str, as_json: bool) -> None:
    """Let nobody sign in to the application, and keep its settings.

    \b
    Example:
      isthmus relay trust disable grafana
    """
    view = edit_trust(config, trust, lambda before: replace(before, enabled=False))
    said = (
        f"{view.id} is disabled: nobody can sign in to it, and its refresh tokens are revoked. To sign its users out: "
        f"isthmus relay sessions revoke --trust {view.id}"
    )
    emit_said(said, as_json=as_json, id=view.id, version=view.version)


@click.command("refresh")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@json_option
def refresh(config: Path, trust: str, as_json: bool) -> None:
    """Fetch the metadata of a SAML trust from its `metadata_url` now. The running relay does it, as it does regularly.

    \b
    Example:
      isthmus relay trust refresh wiki
    """
    view = run_async(reported(open_administrator(config).refresh_trust(trust)))
    if view.problem:
        kept = f"; that of {minute(view.fetched_at)} stays in use" if view.fetched_at else ""
        raise Failure(f"the metadata of {view.trust} is not good{kept}: {view.problem}")
    said = "is new" if view.changed else "has not changed"
    emit_said(f"The metadata of {view.trust} {said}.", as_json=as_json, **msgspec.structs.asdict(view))


@click.command("test-users")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@click.argument("users", nargs=-1)
@click.option("--live", is_flag=True, help="No test users: the application is live.")
@json_option
def test_users(config: Path, trust: str, users: tuple[str, ...], live: bool, as_json: bool) -> None:
    """Limit an application to USERS (user name, DOMAIN\\name or GUID) while it is tested; `--live` ends the test.

    \b
    Examples:
      isthmus relay trust test-users grafana anna@corp.example.com
      isthmus relay trust test-users grafana --live
    """
    if bool(users) == live:
        raise click.UsageError("give the test users, or --live")
    view = edit_trust(config, trust, lambda before: replace(before, access=replace(before.access, test_users=users)))
    said = f"{view.id} is live." if live else f"Only {', '.join(users)} can sign in to {view.id}."
    emit_said(said, as_json=as_json, id=view.id, version=view.version, test_users=users)


@click.group("secret")
def secret() -> None:
    """Secrets of OpenID Connect clients. Two are valid at a time, so that a client can change to the next one."""


def _secrets_of(trust: Trust) -> tuple[ClientSecret, ...]:
    """Raises Failure for an application that has no use for one."""
    if trust.protocol != "oidc":
        raise Failure(f"{trust.id} uses SAML, which has no client secrets; its certificates are in `saml.certificates`")
    if not trust.oidc.authentication.startswith("client_secret"):
        raise Failure(f"{trust.id} has no secret: its `oidc.authentication` is {trust.oidc.authentication}")
    return trust.oidc.secrets


def _removals(trust: str, secrets: Sequence[ClientSecret]) -> str:
    """A line with the command for each, which says when it was made."""
    lines = [
        f"\n  isthmus relay trust secret remove {trust} {known.digest[:8]}"
        + (f"   # of {known.created}" if known.created else "")
        for known in secrets
    ]
    return "".join(lines)


@secret.command("add")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@json_option
def add_secret(config: Path, trust: str, as_json: bool) -> None:
    """Add a secret to a client and print it; it is not shown again. The one before stays valid until it is removed.

    \b
    Example:
      isthmus relay trust secret add grafana
    """
    text, kept = make_secret(today())
    before: list[ClientSecret] = []

    def with_one_more(found: Trust) -> Trust:
        before.extend(_secrets_of(found))
        if len(before) >= MOST_SECRETS:
            raise Failure(f"{found.id} has {len(before)} secrets already; remove one first:{_removals(found.id, before)}")
        return replace(found, oidc=replace(found.oidc, secrets=(*before, kept)))

    view = edit_trust(config, trust, with_one_more)
    if as_json:
        emit_json({"id": view.id, "secret": text, "digest": kept.digest})
        return
    click.echo(f"The new secret of {view.id}; it is not shown again:", err=True)
    click.echo(text)
    if before:
        click.echo(f"Once the application uses it, remove the one before:{_removals(view.id, before)}", err=True)


@secret.command("remove")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@click.argument("digest")
@json_option
def remove_secret(config: Path, trust: str, digest: str, as_json: bool) -> None:
    """Remove the secret whose digest begins with DIGEST; it is invalid immediately. `show` prints the digests.

    \b
    Example:
      isthmus relay trust secret remove grafana 3f6c0d9b
    """

    def without(before: Trust) -> Trust:
        secrets = _secrets_of(before)
        kept = tuple(known for known in secrets if not known.digest.startswith(digest.lower()))
        if len(kept) != len(secrets) - 1:
            found = f"{len(secrets) - len(kept) or 'no'} secrets of {before.id} have a digest that begins with {digest!r}"
            raise Failure(f"{found}; to remove one of its secrets:{_removals(before.id, secrets)}")
        return replace(before, oidc=replace(before.oidc, secrets=kept))

    view = edit_trust(config, trust, without)
    emit_said(f"The secret of {view.id} is removed.", as_json=as_json, id=view.id, version=view.version)


@secret.command("make")
@json_option
def make(as_json: bool) -> None:
    """Print a new secret and its digest, for a trust file. Nothing is stored.

    \b
    Example:
      isthmus relay trust secret make
    """
    text, kept = make_secret(today())
    if as_json:
        emit_json({"secret": text, "digest": kept.digest})
        return
    click.echo(
        f'secret, for the application:\n  {text}\nfor the trust file:\n  [[oidc.secrets]]\n  digest = "{kept.digest}"'
    )


def today() -> str:
    """For people."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()
