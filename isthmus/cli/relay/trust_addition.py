"""`isthmus relay trust add`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from gateway.federation import (
    PresetUnfit,
    Trust,
    fill_paste,
    fill_preset,
    make_secret,
    preset_names,
    read_preset,
    read_trust,
    relay_addresses,
    write_trust,
)
from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import Failure, emit_json, json_option, reporting, run_async
from isthmus.cli.relay.context import load_relay_settings, open_administrator, relay_config
from isthmus.cli.relay.trust_edits import today
from isthmus.cli.relay.trusts import show_change
from isthmus.terminal import visible, visible_lines
from settings import SettingsFileError, toml_value

_PLACEHOLDER = "0" * 64
"""A digest that no secret has: until the real one is made, the document is otherwise complete."""
_OIDC_PASTE = {"issuer": "issuer", "client_id": "client_id", "client_secret": "client_secret"}
_SAML_PASTE = {
    "metadata_url": "metadata of the identity provider",
    "idp_entity_id": "entity ID (issuer)",
    "sso_url": "sign-in URL (redirect, POST)",
    "slo_url": "sign-out URL (redirect, POST, SOAP)",
}
"""What to enter, by the names of `relay_addresses`, in the words that applications use."""


@click.command("add")
@relay_config
@click.argument("trust_id", metavar="ID", required=False)
@click.option("--preset", type=click.Choice(preset_names()), help="A well-known application.")
@click.option("--set", "values", metavar="NAME=VALUE", multiple=True, help="A value for the preset; can be repeated.")
@click.option("--name", help="Name of the application, for users. [default: ID]")
@click.option("--redirect-uri", "redirects", multiple=True, help="OpenID Connect: where answers go; can be repeated.")
@click.option("--public", is_flag=True, help="OpenID Connect: the client cannot keep a secret.")
@click.option("--entity-id", help="SAML: entity ID of the application.")
@click.option("--acs", "consumers", multiple=True, help="SAML: where responses go; can be repeated.")
@click.option("--test-user", "test_users", metavar="USER", multiple=True, help="Who can sign in at first; can be repeated.")
@yes_option
@json_option
def add(
    config: Path,
    trust_id: str | None,
    preset: str | None,
    values: tuple[str, ...],
    name: str | None,
    redirects: tuple[str, ...],
    public: bool,
    entity_id: str | None,
    consumers: tuple[str, ...],
    test_users: tuple[str, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Add the trust of an application, and print what to enter there. A client's secret is shown once.

    For all other settings export the trust, edit the file and import it. With --test-user nobody else can sign in to the
    application until `isthmus relay trust test-users ID --live`.

    \b
    Examples:
      isthmus relay trust add --preset grafana --set host=grafana.example.com
      isthmus relay trust add wiki --redirect-uri https://wiki.example.com/cb
      isthmus relay trust add crm --entity-id https://crm.example.com/saml \\
        --acs https://crm.example.com/saml/acs --test-user anna@corp.example.com
    """
    given = _given(values)
    if preset is not None:
        if redirects or public or entity_id or consumers:
            raise click.UsageError("--preset goes with --set, not with other settings")
        chosen = trust_id or preset
        with reporting(PresetUnfit):
            document = fill_preset(read_preset(preset), chosen, given)
    else:
        if trust_id is None or bool(redirects) == bool(entity_id and consumers) or given:
            raise click.UsageError("give --preset; or an ID with --redirect-uri, or with --entity-id and --acs")
        chosen, document = trust_id, _plain(trust_id, redirects, public, entity_id or "", consumers)
    trust, text = _with_secret(_read(document, chosen))
    if name:
        trust = replace(trust, name=name)
    if test_users:
        trust = replace(trust, access=replace(trust.access, test_users=test_users))
    document = write_trust(trust).decode()
    admin, manner = open_administrator(config), Manner(yes=yes, as_json=as_json)
    plan = run_async(reported(admin.plan_trust(document, f"{chosen}.toml")))
    if plan.action != "add":
        raise Failure(f"there is a trust {chosen!r} already; give another ID")
    if manner.shows_plan and not as_json:
        show_change(plan)
        click.echo(visible_lines(document))
    confirm(f"Type {chosen} to add this trust", chosen, manner)
    view = run_async(reported(admin.put_trust(document, f"{chosen}.toml", 0)))
    relay = relay_addresses(load_relay_settings(config).server.public_url)
    known = {**relay, "client_id": trust.client_id, "client_secret": text or "", **given}
    paste = fill_paste(read_preset(preset), known).strip() if preset else _paste(trust, known)
    if as_json:
        emit_json({"id": view.id, "version": view.version, "secret": text, "paste": paste, "relay": relay})
        return
    once = "; the secret is not shown again" if text else ""
    click.echo(visible(f"{view.id} is added. Enter this in the application{once}:"), err=True)
    click.echo(err=True)
    click.echo(visible_lines(paste))


def _given(values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--set")
    return {name: value for name, _, value in pairs}


def _plain(trust_id: str, redirects: tuple[str, ...], public: bool, entity_id: str, consumers: tuple[str, ...]) -> str:
    head = [f"id = {toml_value(trust_id)}", f"name = {toml_value(trust_id)}"]
    if redirects:
        authentication = ['authentication = "none"'] if public else []
        return "\n".join([*head, 'protocol = "oidc"', "[oidc]", f"redirect_uris = {toml_value(redirects)}", *authentication])
    lines = [*head, 'protocol = "saml"', "[saml]", f"entity_id = {toml_value(entity_id)}"]
    for index, url in enumerate(consumers):
        lines += ["[[saml.consumers]]", f"url = {toml_value(url)}"]
        lines += [f"index = {index}"] if index else ["default = true"]
    return "\n".join(lines)


def _read(document: str, name: str) -> Trust:
    """With a secret's place, where the client needs one. Raises Failure, without a line: what was typed has none."""
    where = Path(f"{name}.toml")
    if 'protocol = "oidc"' in document and 'authentication = "none"' not in document:
        document += f'\n[[oidc.secrets]]\ndigest = "{_PLACEHOLDER}"\n'
    try:
        return read_trust(document.encode(), where)
    except SettingsFileError as error:
        told = "".join(f"\n  {replace(problem, line=None)}" for problem in error.problems)
        raise Failure(f"{name} cannot be added:{told}") from error


def _with_secret(trust: Trust) -> tuple[Trust, str | None]:
    if not trust.oidc.secrets:
        return trust, None
    text, kept = make_secret(today())
    return replace(trust, oidc=replace(trust.oidc, secrets=(kept,))), text


def _paste(trust: Trust, known: dict[str, str]) -> str:
    words = _SAML_PASTE if trust.protocol == "saml" else _OIDC_PASTE
    return "\n".join(f"{label} = {known[name]}" for name, label in words.items() if known[name])
