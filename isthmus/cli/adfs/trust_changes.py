"""`isthmus adfs trust update|convert|backup|restore`: each shows its plan first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from adfs_mgmt.trust.backup import Backup, Backups, creation_of, load_backup, plan_restore, restore
from adfs_mgmt.trust.compare import SigningKeys
from adfs_mgmt.trust.convert import check_federate, check_manage, configuration_for, federate, manage
from adfs_mgmt.trust.entra import read, read_one
from adfs_mgmt.trust.errors import Refused, TrustError
from adfs_mgmt.trust.model import EntraTrust, FederatedDomain
from adfs_mgmt.trust.update import Change, DomainResult, apply, plan_publish, plan_retire
from certs import Certificate
from findings import Finding
from foundation.graph import Graph, GraphError, SignInRefused
from isthmus.cli.adfs import adfs_config, load
from isthmus.cli.adfs.looking import outside_option
from isthmus.cli.adfs.thumbprints import thumbprint as pasted
from isthmus.cli.adfs.trust_tables import show_checklist
from isthmus.cli.adfs.trust_work import (
    confirm,
    confirmed_name,
    error_kind,
    farm_keys,
    live_of,
    now,
    on_graph,
    only,
    pairs,
    tenant_option,
    yes_option,
)
from isthmus.cli.output import REFUSED, Failure, emit_json, json_option, reporting

_MFA = ("acceptIfMfaDoneByFederatedIdp", "enforceMfaByFederatedIdp", "rejectMfaByFederatedIdp")


@click.command("update")
@adfs_config
@tenant_option
@outside_option
@click.option("--domain", "only_domains", multiple=True, metavar="DOMAIN", help="Only this one; may be given again.")
@click.option("--retire", type=pasted, default="", metavar="THUMBPRINT", help="Take this old certificate out instead.")
@yes_option
@json_option
def update(
    config: Path, tenant: str, outside: bool, only_domains: tuple[str, ...], retire: str, yes: bool, as_json: bool
) -> None:
    """Publish the certificate that signs now, else its successor, to every domain that is federated with the farm.

    Only the slot that does not hold the live key is written, after a backup, and read back. Nothing else is touched. A
    domain that fails does not stop the others; exit code 1 then.

    \b
    Examples:
      isthmus adfs trust update
      isthmus adfs trust update --outside --yes
      isthmus adfs trust update --retire 0123456789ABCDEF0123456789ABCDEF01234567
    """
    settings = load(config)
    pair = only(pairs(settings, tenant))
    keys = farm_keys(settings, pair.farm, outside_only=outside)
    live = live_of(keys)
    trust = on_graph(pair.entra, lambda graph: read(graph, now()))
    domains = _chosen(trust, keys.federation_name, only_domains)
    changes, problems = _planned(domains, keys, live, retire)
    if not as_json:
        _show_plan(domains, changes, problems)
    if not changes:
        _finish([*problems], as_json, plan=[])
        return
    if as_json and not yes:
        emit_json({"plan": [str(each) for each in changes], "problems": [each.text for each in problems]})
    confirm("Do this?", yes=yes, as_json=as_json)
    backups = Backups(settings.state_dir, pair.entra.tenant)
    results = on_graph(pair.entra, lambda graph: _apply_all(graph, changes, backups))
    _finish([*results, *problems], as_json, plan=[str(each) for each in changes])


@click.command("convert")
@adfs_config
@tenant_option
@outside_option
@click.argument("domain")
@click.argument("kind", type=click.Choice(["managed", "federated"]))
@click.option("--from", "source", type=click.Path(path_type=Path, dir_okay=False), help="Federate as in this backup.")
@click.option("--mfa", type=click.Choice(_MFA), default=None, help="federatedIdpMfaBehavior. It cannot be unset again.")
@click.option("--only-domain", is_flag=True, help="Take the farm's identifier as the issuer: for the only domain of a farm.")
@click.option("--without-backup", is_flag=True, help="To managed, even where the configuration cannot be read.")
@click.option("--confirm", "confirmation", default="", metavar="DOMAIN", help="The domain's name once more. For programs.")
@json_option
def convert(
    config: Path,
    tenant: str,
    outside: bool,
    domain: str,
    kind: str,
    source: Path | None,
    mfa: str | None,
    only_domain: bool,
    without_backup: bool,
    confirmation: str,
    as_json: bool,
) -> None:
    """Convert a domain between managed and federated, after a checklist and a confirmation that names the domain.

    Every user of the domain signs in differently afterwards, for some time before it reaches everywhere (up to an hour).

    \b
    Examples:
      isthmus adfs trust convert example.com managed
      isthmus adfs trust convert example.com federated
      isthmus adfs trust convert example.com federated --from state/backups/entra-….json
    """
    settings = load(config)
    pair = only(pairs(settings, tenant))
    trust = on_graph(pair.entra, lambda graph: read(graph, now()))
    values: dict[str, Any] = {}
    if kind == "federated":
        keys = farm_keys(settings, pair.farm, outside_only=outside)
        with reporting(TrustError, GraphError):
            values = _federation(domain, keys, source, mfa or "", only_domain)
        checks = check_federate(trust, domain, values, now(), keys)
    else:
        checks = check_manage(trust, domain)
    _show_conversion(domain, kind, values, checks, as_json)
    if any(line.status == "fail" for line in checks):
        raise Failure("nothing was changed: see what is not so (!)")
    typed = confirmed_name(domain, confirmation, as_json=as_json)
    backups = Backups(settings.state_dir, pair.entra.tenant)

    async def work(graph: Graph) -> Path | None:
        if kind == "federated":
            await federate(graph, domain, values, checks, confirmation=typed)
            return None
        _, saved = await manage(
            graph, domain, checks, confirmation=typed, backups=backups, now=now(), without_backup=without_backup
        )
        return saved

    saved = on_graph(pair.entra, work)
    if as_json:
        emit_json({"domain": domain, "authentication": kind, "backup": str(saved) if saved else None})
        return
    click.echo(f"{domain} is {kind} now." + (f" The way back: {saved}" if saved else ""))


@click.command("backup")
@adfs_config
@tenant_option
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@json_option
def backup(config: Path, tenant: str, domains: tuple[str, ...], as_json: bool) -> None:
    """Copy the federation of these domains (of all, for none) into files of state_dir/backups, mode 0600.

    \b
    Examples:
      isthmus adfs trust backup
      isthmus adfs trust backup example.com --json
    """
    settings = load(config)
    pair = only(pairs(settings, tenant))
    trust = on_graph(pair.entra, lambda graph: read(graph, now()))
    found = [each for each in trust.domains if each.federated and (not domains or each.name in domains)]
    missing = set(domains) - {each.name for each in found}
    unread = [each for each in found if each.error]
    with reporting(TrustError, GraphError):
        backups = Backups(settings.state_dir, pair.entra.tenant)
        saved = {
            e.name: backups.save(e.name, e.configuration, "by hand", now()) for e in found if e.configuration is not None
        }
    if as_json:
        problems = [*sorted(missing), *(each.name for each in unread)]
        emit_json({"saved": {name: str(path) for name, path in saved.items()}, "not_saved": problems})
    else:
        for name, path in saved.items():
            click.echo(f"{name}: {path}")
    if missing or unread:
        texts = [f"{name} is not federated, or not in the tenant" for name in sorted(missing)]
        raise Failure("; ".join([*texts, *(f"{each.name}: {each.error}" for each in unread)]))


@click.command("restore")
@adfs_config
@tenant_option
@outside_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--mfa", is_flag=True, help="Restore federatedIdpMfaBehavior, too. It cannot be unset again.")
@click.option("--blind", is_flag=True, help="Without looking at the farm, which may be gone: the live key may be lost.")
@yes_option
@json_option
def restore_(config: Path, tenant: str, outside: bool, file: Path, mfa: bool, blind: bool, yes: bool, as_json: bool) -> None:
    """Write what a backup holds back to its domain: only what differs, and never without the key that signs now.

    \b
    Examples:
      isthmus adfs trust restore state/backups/entra-….json
    """
    settings = load(config)
    pair = only(pairs(settings, tenant))
    with reporting(TrustError, GraphError):
        taken = load_backup(file)
    live = "" if blind else live_of(farm_keys(settings, pair.farm, outside_only=outside)).thumbprint
    domain, values = on_graph(pair.entra, lambda graph: _plan_restore(graph, taken, live, mfa))
    if not as_json:
        click.echo(f"{domain.name}: " + (", ".join(values) or "nothing differs") + (" will be written" if values else ""))
    if not values:
        _emit_restore(domain, values, None, as_json)
        return
    if as_json and not yes:
        emit_json({"domain": domain.name, "plan": list(values)})
    confirm("Do this?", yes=yes, as_json=as_json)
    backups = Backups(settings.state_dir, pair.entra.tenant)
    saved = on_graph(pair.entra, lambda graph: _restore(graph, domain, values, backups))
    _emit_restore(domain, values, saved, as_json)


def _chosen(trust: EntraTrust, federation_name: str, names: Sequence[str]) -> Sequence[FederatedDomain]:
    domains = trust.federated_with(federation_name)
    if not names:
        if not domains:
            raise Failure(f"no domain of {trust.tenant} is federated with {federation_name}")
        return domains
    unknown = {name.lower() for name in names} - {each.name.lower() for each in domains}
    if unknown:
        raise Failure(f"not federated with {federation_name}: {', '.join(sorted(unknown))}")
    return [each for each in domains if each.name.lower() in {name.lower() for name in names}]


def _planned(
    domains: Sequence[FederatedDomain], keys: SigningKeys, live: Certificate, retire: str
) -> tuple[list[Change], list[DomainResult]]:
    """For each domain one change at most: the live key first, then its successor."""
    changes: list[Change] = []
    problems: list[DomainResult] = []
    for domain in domains:
        try:
            change = plan_retire(domain, retire, live.thumbprint) if retire else _plan_publish(domain, keys, live)
        except (TrustError, GraphError) as error:
            problems.append(DomainResult(domain=domain.name, done=False, text=str(error), error=error))
        else:
            changes += [change] if change else []
    return changes, problems


def _plan_publish(domain: FederatedDomain, keys: SigningKeys, live: Certificate) -> Change | None:
    change = plan_publish(domain, live, live.thumbprint)
    if change is None and keys.successor is not None:
        return plan_publish(domain, keys.successor, live.thumbprint)
    return change


async def _apply_all(graph: Graph, changes: Sequence[Change], backups: Backups) -> list[DomainResult]:
    results: list[DomainResult] = []
    for change in changes:
        try:
            saved = await apply(graph, change, backups, now())
        except SignInRefused:
            raise  # not tried again for the other domains
        except (TrustError, GraphError) as error:
            results.append(DomainResult(domain=change.domain, done=False, text=str(error), error=error))
        else:
            text = f"{change} (backup: {saved})"
            results.append(DomainResult(domain=change.domain, done=True, changed=True, text=text))
    return results


def _show_plan(domains: Sequence[FederatedDomain], changes: Sequence[Change], problems: Sequence[DomainResult]) -> None:
    click.secho("Plan", bold=True)
    planned = {each.domain for each in changes} | {each.domain for each in problems}
    for change in changes:
        click.echo(f"  {change}")
    for problem in problems:
        click.echo(f"  {problem.domain}: cannot be done")
    for domain in domains:
        if domain.name not in planned:
            click.echo(f"  {domain.name}: nothing to do")


def _finish(results: Sequence[DomainResult], as_json: bool, *, plan: list[str]) -> None:
    if as_json:
        rows = [
            {
                "domain": each.domain,
                "done": each.done,
                "changed": each.changed,
                "text": each.text,
                "error": error_kind(each.error),
            }
            for each in results
        ]
        emit_json({"plan": plan, "results": rows})
    else:
        for each in results:
            click.secho("done    " if each.done else "failed  ", fg="green" if each.done else "red", nl=False)
            click.echo(each.text)
    if not all(each.done for each in results):
        raise SystemExit(REFUSED)


def _federation(domain: str, keys: SigningKeys, source: Path | None, mfa: str, only_domain: bool) -> dict[str, Any]:
    if source is None:
        return configuration_for(domain, keys, mfa=mfa, only_domain=only_domain)
    taken = load_backup(source)
    if taken.domain.lower() != domain.lower():
        raise Refused(f"federating {domain}", [f"{source.name} is a backup of {taken.domain}"])
    if keys.live is not None and taken.configuration.slot_of(keys.live.thumbprint) is None:
        reason = f"{source.name} does not hold {keys.live.thumbprint}, which signs now. Leave --from out"
        raise Refused(f"federating {domain}", [reason])
    return creation_of(taken) | ({"federatedIdpMfaBehavior": mfa} if mfa else {})


def _show_conversion(domain: str, kind: str, values: Mapping[str, Any], checks: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        return
    click.secho(f"{domain} to {kind}", bold=True)
    for name, value in values.items():
        shown = "…" if name.endswith("ertificate") else value
        click.echo(f"  {name} = {shown}")
    show_checklist(checks)


async def _plan_restore(graph: Graph, taken: Backup, live: str, mfa: bool) -> tuple[FederatedDomain, dict[str, Any]]:
    domain = await read_one(graph, taken.domain)
    return domain, plan_restore(taken, domain, live=live, with_mfa=mfa)


async def _restore(graph: Graph, domain: FederatedDomain, values: Mapping[str, Any], backups: Backups) -> Path | None:
    """What is there now is saved before it is written over."""
    saved = backups.save(domain.name, domain.configuration, "before a restore", now()) if domain.configuration else None
    await restore(graph, domain, values)
    return saved


def _emit_restore(domain: FederatedDomain, values: Mapping[str, Any], saved: Path | None, as_json: bool) -> None:
    if as_json:
        emit_json({"domain": domain.name, "restored": list(values), "backup": str(saved) if saved else None})
    elif values:
        click.echo(f"{domain.name} is restored." + (f" What was there: {saved}" if saved else ""))
