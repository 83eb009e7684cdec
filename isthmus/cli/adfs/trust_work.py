"""What the commands of `isthmus adfs trust` share: tenants and their farms, confirmations, words for people."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from adfs_mgmt.trust.compare import SigningKeys, keys_of
from adfs_mgmt.trust.errors import TrustError
from adfs_mgmt.trust.model import FederatedDomain
from adfs_mgmt.trust.settings import EntraSettings
from certs import Certificate
from foundation.graph import Graph, GraphError, Throttled, Unreachable
from isthmus.adfs_settings import AdfsSettings
from isthmus.cli.adfs.looking import look_at
from isthmus.cli.output import UNREACHABLE, Failure, moment, run_async

T = TypeVar("T")

tenant_option = click.option("--tenant", default="", metavar="TENANT", help="The tenant, where the settings have several.")
yes_option = click.option("--yes", is_flag=True, help="Do it without asking. For programs.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A tenant, and the farm that its domains are federated with."""

    entra: EntraSettings
    farm: str


def pairs(settings: AdfsSettings, tenant: str) -> list[Pair]:
    """Every tenant of the settings with its farm, or the one that is named. Raises Failure."""
    if not settings.entra:
        raise Failure("there is no tenant in the settings; add one: [[entra]]")
    wanted = [each for each in settings.entra if not tenant or each.tenant == tenant]
    if not wanted:
        raise Failure(f"no tenant {tenant} in the settings; there is {', '.join(each.tenant for each in settings.entra)}")
    return [Pair(entra=each, farm=_farm_of(settings, each)) for each in wanted]


def only(found: Sequence[Pair]) -> Pair:
    """The one tenant. Raises Failure where there are several."""
    if len(found) > 1:
        raise Failure(f"there are several tenants, name one with --tenant: {', '.join(each.entra.tenant for each in found)}")
    return found[0]


def farm_keys(settings: AdfsSettings, farm: str, *, outside_only: bool) -> SigningKeys:
    """What the farm signs with, read now. Raises Failure."""
    (look,) = look_at(settings, [farm], outside_only=outside_only)
    return keys_of(look.farm, look.outside)


def live_of(keys: SigningKeys) -> Certificate:
    """The certificate that signs now. Raises Failure."""
    if keys.live is None:
        raise Failure(
            f"which certificate signs now at {keys.federation_name} is not known, so no slot is known to be free: "
            "look at `isthmus adfs status`",
            UNREACHABLE,
        )
    return keys.live


def on_graph(entra: EntraSettings, work: Callable[[Graph], Awaitable[T]]) -> T:
    """Run it with a Graph of this tenant. Raises Failure."""

    async def running() -> T:
        async with Graph(entra) as graph:
            return await work(graph)

    try:
        return run_async(running())
    except (Unreachable, Throttled) as error:
        raise Failure(str(error), UNREACHABLE) from error
    except (TrustError, GraphError) as error:
        raise Failure(str(error)) from error


def confirm(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask on a terminal; elsewhere only `--yes` will do. Raises Failure."""
    if yes:
        return
    if as_json or not _somebody_is_there():
        raise Failure("nothing was changed: this is the plan; do it with --yes")
    if click.prompt(f"{question} Type yes", default="", show_default=False, err=True) != "yes":
        raise Failure("nothing was changed")


def confirmed_name(domain: str, given: str, *, as_json: bool) -> str:
    """The domain's name as somebody typed it, or as `--confirm` has it."""
    if given or as_json or not _somebody_is_there():
        return given
    typed: str = click.prompt(f"Type the domain's name to convert {domain}", default="", show_default=False, err=True)
    return typed


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def actor() -> str:
    """Who is at the keyboard. Unlike getpass.getuser, never an error where the user has no name."""
    return os.environ.get("USER") or os.environ.get("USERNAME") or "unknown"


def now() -> float:
    """Unix seconds."""
    return time.time()


def as_plain(domain: FederatedDomain) -> dict[str, Any]:
    """For JSON."""
    configuration = domain.configuration
    return {
        "name": domain.name,
        "authentication": domain.authentication.value,
        "default": domain.is_default,
        "initial": domain.is_initial,
        "root": domain.is_root,
        "verified": domain.is_verified,
        "error": domain.error,
        "configuration": None
        if configuration is None
        else {
            "id": configuration.id,
            "issuer_uri": configuration.issuer_uri,
            "federation_service": configuration.host(),
            "certificates": {slot.value: plain_certificate(each) for slot, each in configuration.certificates.items()},
            "mfa_behaviour": configuration.mfa_behaviour,
            "update_result": configuration.update.result if configuration.update else None,
            "update_at": configuration.update.at if configuration.update else None,
            "problems": list(configuration.problems),
        },
    }


def plain_certificate(certificate: Certificate) -> Mapping[str, Any]:
    """For JSON, without the DER."""
    return {
        "thumbprint": certificate.thumbprint,
        "subject": certificate.subject,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
    }


def until(certificate: Certificate) -> str:
    """Its end, for people."""
    return f"until {moment(certificate.not_after)}"


def error_kind(error: TrustError | GraphError | None) -> str:
    """For programs."""
    return type(error).__name__ if isinstance(error, GraphError | TrustError) else ""


def _farm_of(settings: AdfsSettings, entra: EntraSettings) -> str:
    names = [each.name for each in settings.farms]
    if entra.farm:
        if entra.farm not in names:
            raise Failure(f"[[entra]] {entra.tenant}: there is no farm {entra.farm!r} in the settings")
        return entra.farm
    if len(names) != 1:
        raise Failure(f"[[entra]] {entra.tenant}: set `farm` to one of {', '.join(names) or 'the farms (there is none)'}")
    return names[0]
