"""What an Active Directory domain calls itself, and whether the settings call it the same.

The names stand in the configuration partition, which every authenticated user may read: one crossRef for each domain
(MS-ADTS section 6.1.1.2.1.1), and the forest's further UPN suffixes beside them. The judgement is pure.
"""

from __future__ import annotations

from collections.abc import Callable

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPInvalidDnError
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import parse_dn

from directory.errors import BaseNotFound
from directory.inspection.client import BASE, LEVEL, root_value, search, texts
from directory.ldap import user_filter
from directory.ldap.naming_contexts import domain_root, normalise_dn
from directory.model import DomainNames
from directory.settings import DirectorySettings
from findings import Finding, failed, passed, warned

InUse = Callable[[str], bool | None]
"""Whether somebody's user name has this suffix; None where that cannot be told."""


def base_dn_of(connection: ldap3.Connection) -> str:
    """The domain that this controller serves; empty where it does not say."""
    return root_value(connection, "defaultNamingContext")


def read_names(connection: ldap3.Connection) -> DomainNames | None:
    """None where the account may not read them. Blocks. Raises LDAPException."""
    base_dn, configuration = base_dn_of(connection), root_value(connection, "configurationNamingContext")
    if not base_dn or not configuration:
        return None
    partitions = f"CN=Partitions,{configuration}"
    wanted = ["nCName", "dnsRoot", "nETBIOSName"]
    try:
        domains = search(connection, partitions, "(&(objectClass=crossRef)(nETBIOSName=*))", wanted, scope=LEVEL, limit=1000)
        forest = search(connection, partitions, "(objectClass=*)", ["uPNSuffixes"], scope=BASE)
    except BaseNotFound:
        return None
    own = [entry for entry in domains if normalise_dn("".join(texts(entry, "nCName"))) == normalise_dn(base_dn)]
    if not own or not own[0].get("dnsRoot"):
        return None
    return DomainNames(
        base_dn=base_dn,
        dns_name=texts(own[0], "dnsRoot")[0],
        netbios_name=texts(own[0], "nETBIOSName")[0],
        upn_suffixes=tuple(suffix for entry in forest for suffix in texts(entry, "uPNSuffixes")),
        other_domains=tuple(name for entry in domains if entry not in own for name in texts(entry, "dnsRoot")),
    )


def suffix_in_use(settings: DirectorySettings, connection: ldap3.Connection, suffix: str) -> bool | None:
    """Whether a user signs in with this after the @. A search that no index helps: asked for few suffixes. Blocks."""
    ending = f"*@{escape_filter_chars(suffix)}"
    names = "".join(f"({name}={ending})" for name in settings.login_attributes or ("userPrincipalName",))
    try:
        return bool(search(connection, settings.base_dn, f"(&{user_filter(settings).text}(|{names}))", ["cn"], limit=1))
    except (LDAPException, BaseNotFound):
        return None


def judge_base(where: str, base_dn: str, domain: str) -> Finding | None:
    """What is wrong with `base_dn` at a controller of `domain` (its DN, empty where it does not say); None if nothing is."""
    correct = f'Set base_dn = "{domain}", or a part of it.' if domain else "Correct `base_dn`."
    try:
        parse_dn(base_dn, strip=True)
    except LDAPInvalidDnError:
        return failed("base_dn", where, f"nobody can sign in: {base_dn!r} is not a distinguished name", correct)
    if domain and normalise_dn(domain_root(base_dn)) != normalise_dn(domain):
        seen = f"nobody can sign in: {base_dn} is not in the domain that this controller serves, {domain}"
        return failed("base_dn", where, seen, correct)
    return None


def judge_names(where: str, settings: DirectorySettings, names: DomainNames, in_use: InUse) -> list[Finding]:
    """Whether users are asked for by the names that they have: each finding that is no pass says who cannot sign in."""
    found = [*_domain_name(where, settings, names), *_netbios_name(where, settings, names)]
    found += _suffixes(where, settings, names, in_use)
    if found:
        return found
    suffixes = ", ".join(dict.fromkeys(name.lower() for name in (settings.name, *settings.upn_suffixes)))
    return [passed("names", where, f"{names.netbios_name}; users of {suffixes}")]


def _domain_name(where: str, settings: DirectorySettings, names: DomainNames) -> list[Finding]:
    own = names.dns_name.lower()
    if settings.name.lower() == own:
        return []
    remedy = f'Set name = "{own}".'
    if own in _lowered(settings.upn_suffixes):
        seen = f"`name` is {settings.name}, the domain is {own}; applications see the former"
        return [warned("domain name", where, seen, remedy)]
    seen = f"users of {own} cannot sign in: `name` is {settings.name}, and {own} is not among `upn_suffixes`"
    return [failed("domain name", where, seen, remedy)]


def _netbios_name(where: str, settings: DirectorySettings, names: DomainNames) -> list[Finding]:
    theirs = names.netbios_name
    remedy = f'Set netbios_name = "{theirs}".'
    if not settings.netbios_name:
        seen = f"nobody can sign in as {theirs}\\name: `netbios_name` is not set"
        return [warned("NetBIOS name", where, seen, remedy)]
    if settings.netbios_name.lower() == theirs.lower():
        return []
    seen = f"nobody can sign in as {theirs}\\name: `netbios_name` is {settings.netbios_name}"
    return [failed("NetBIOS name", where, seen, remedy)]


def _suffixes(where: str, settings: DirectorySettings, names: DomainNames, in_use: InUse) -> list[Finding]:
    ours, offered = _lowered((settings.name, *settings.upn_suffixes)), _lowered(names.suffixes)
    if settings.login_attributes:  # then the forest's suffixes say nothing about what is typed
        offered = {names.dns_name.lower()}
    found = []
    for suffix in settings.upn_suffixes:
        if suffix.lower() in offered:
            continue
        used = in_use(suffix)
        remedy = "Correct it in `upn_suffixes`, or remove it."
        if used is None:
            seen = f"the forest has no suffix {suffix}, and whether a user has it could not be found out"
            found.append(warned("UPN suffix", where, seen, remedy))
        elif not used:
            found.append(failed("UPN suffix", where, f"no user and not even the forest has the suffix {suffix}", remedy))
    for suffix in names.upn_suffixes:
        if suffix.lower() not in ours and not settings.login_attributes and in_use(suffix):
            seen = f"users of {suffix} cannot sign in by that name: it is not among `upn_suffixes`"
            found.append(warned("UPN suffix", where, seen, f'Add "{suffix}" to `upn_suffixes`, and enrol with it.'))
    return found


def _lowered(names: tuple[str, ...]) -> set[str]:
    return {name.lower() for name in names}
