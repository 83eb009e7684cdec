"""`isthmus relay trust import`: trusts from files, or one from an application's metadata."""

from __future__ import annotations

import time
from pathlib import Path

import click

from gateway.administrator import Administrator
from gateway.federation import (
    LARGEST_METADATA,
    MetadataImport,
    MetadataRefused,
    MetadataSource,
    Trust,
    TrustChangeView,
    import_metadata,
    read_trust,
    write_trust,
)
from gateway.relay import RelayAbsent
from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import FILE, Failure, emit_json, emit_said, json_option, reporting, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.sources import is_address, read_source
from isthmus.cli.relay.trust_logo import read_logo
from isthmus.cli.relay.trusts import show_change
from isthmus.terminal import visible
from settings import SettingsFileError


@click.command("import")
@relay_config
@click.argument("files", type=FILE, nargs=-1)
@click.option("--metadata", metavar="FILE|URL", help="SAML metadata of one application, instead of trust files.")
@click.option("--id", "trust_id", metavar="ID", help="With --metadata: the trust. [default: the one of the entity ID]")
@click.option("--entity", metavar="ENTITY_ID", help="With --metadata: which entity, where there are several.")
@click.option("--signer", metavar="SHA256", help="With --metadata: thumbprint of the certificate that must have signed it.")
@yes_option
@json_option
def import_trusts(
    config: Path,
    files: tuple[Path, ...],
    metadata: str | None,
    trust_id: str | None,
    entity: str | None,
    signer: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Add or change trusts: from trust files, or one from the SAML metadata of an application.

    The changes are shown first; nothing is changed if anything has a mistake. With --metadata, what is taken from the
    document and what is not is shown, too. From a file, addresses and certificates are copied into the trust. From an
    https:// address, the trust names the address, and the relay reads it regularly. Claims, access and other settings
    of a trust that exists stay as they are.

    \b
    Examples:
      isthmus relay trust import grafana.toml
      isthmus relay trust import trusts/*.toml --yes --json
      isthmus relay trust import --metadata wiki.xml --id wiki
      isthmus relay trust import --metadata https://wiki.example.com/saml
    """
    if bool(files) == bool(metadata) or (not metadata and (trust_id or entity or signer)):
        raise click.UsageError("give trust files; or --metadata, with which --id, --entity and --signer go")
    admin, manner = open_administrator(config), Manner(yes=yes, as_json=as_json)
    if metadata:
        source = _source(config, metadata, entity or "", signer or "")
        _import_metadata(admin, source, trust_id, manner, config)
    else:
        _import_files(admin, files, manner)


def _import_files(admin: Administrator, files: tuple[Path, ...], manner: Manner) -> None:
    texts = {file: _text_of(file) for file in files}
    plans = {file: run_async(reported(admin.plan_trust(text, str(file)))) for file, text in texts.items()}
    names = [view.id for view in plans.values()]
    if len(set(names)) < len(names):
        raise Failure("two of the files are of the same trust; nothing was changed")
    if manner.as_json and not manner.yes:
        emit_json(list(plans.values()))
        return
    due = {file: view for file, view in plans.items() if view.action != "none"}
    if manner.shows_plan:
        for view in plans.values():
            show_change(view)
    if due:
        confirm(f"{len(due)} trusts change. Type import to do it", "import", manner)
    done = [_put(admin, texts[file], str(file), view) for file, view in due.items()]
    emit_said(
        "\n".join(f"{view.id}: version {view.version} is in force." for view in done) or "Nothing to change.",
        as_json=manner.as_json,
        changed=done,
    )


def _import_metadata(
    admin: Administrator, source: MetadataSource, trust_id: str | None, manner: Manner, config: Path
) -> None:
    found = _imported(admin, source, trust_id)
    document, where = write_trust(found.trust).decode(), f"{found.trust.id}.toml"
    plan = run_async(reported(admin.plan_trust(document, where)))
    shown = {"plan": plan, "taken": found.taken, "dropped": found.dropped}
    if manner.as_json and not manner.yes:
        emit_json({**shown, "document": document})
        return
    if manner.shows_plan:
        for title, lines in (("Taken from the metadata:", found.taken), ("Not taken:", found.dropped)):
            if lines:
                click.echo("\n".join([title, *(visible(f"  {line}") for line in lines)]))
        show_change(plan)
    done = plan
    if plan.action != "none":
        confirm(f"Type {found.trust.id} to do it", found.trust.id, manner)
        done = _put(admin, document, where, plan)
    logo = _copy_logo(admin, config, found) if plan.action != "none" else ""
    said = f"{done.id}: version {done.version} is in force." if plan.action != "none" else "Nothing to change."
    emit_said(said + _read_now(admin, found.trust) + logo, as_json=manner.as_json, **{**shown, "plan": done})


def _imported(admin: Administrator, source: MetadataSource, trust_id: str | None) -> MetadataImport:
    """Raises Failure."""
    with reporting(MetadataRefused):
        entity_id = import_metadata(source, "new", None, time.time()).trust.saml.entity_id
    views = run_async(reported(admin.trusts()))
    owner = next((view.id for view in views if view.protocol == "saml" and view.identifier == entity_id), None)
    chosen = trust_id or owner
    if chosen is None:
        raise Failure(f"no trust has the entity ID {entity_id}; give the new trust's id with --id")
    if owner not in {None, chosen}:
        raise Failure(f"the entity ID {entity_id} is that of the trust {owner!r}, not of {chosen!r}")
    before = None
    if any(view.id == chosen for view in views):
        document = run_async(reported(admin.trust(chosen))).document
        with reporting(SettingsFileError):
            before = read_trust(document.encode(), Path(f"{chosen}.toml"))
        if before.protocol != "saml":
            raise Failure(f"the trust {chosen!r} is of OpenID Connect; give another --id")
    with reporting(MetadataRefused):
        return import_metadata(source, chosen, before, time.time())


def _source(config: Path, metadata: str, entity: str, signer: str) -> MetadataSource:
    """Raises Failure."""
    document = read_source(config, metadata, LARGEST_METADATA)
    url = metadata if is_address(metadata) else ""
    return MetadataSource(document=document, url=url, entity_id=entity, signer=signer)


def _copy_logo(admin: Administrator, config: Path, found: MetadataImport) -> str:
    """The trust is in force whether that succeeds or not."""
    if not found.logo:
        return ""
    try:
        run_async(reported(admin.put_logo(found.trust.id, read_logo(config, found.logo), found.logo)))
    except Failure as error:
        return f" Its logo is not used: {error}"
    return " Its logo is in use."


def _read_now(admin: Administrator, trust: Trust) -> str:
    """Has the running relay read the address at once, not within a minute."""
    if not trust.saml.metadata_url:
        return ""
    try:
        view = run_async(reported(admin.refresh_trust(trust.id)))
    except Failure as error:
        absent = isinstance(error.__cause__, RelayAbsent)
        return " Its metadata is read when the relay runs." if absent else f" Its metadata is not read yet: {error}"
    return f" Its metadata is not read yet: {view.problem}" if view.problem else " Its metadata is in use."


def _put(admin: Administrator, text: str, where: str, plan: TrustChangeView) -> TrustChangeView:
    return run_async(reported(admin.put_trust(text, where, plan.version - 1)))


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {error}") from error
