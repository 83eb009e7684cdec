"""What follows from what was found: by which names users are known, and whom to believe to be a domain controller. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from directory import DomainReading, ShownCertificate, ShownChain, root_of
from isthmus.agent_setup.errors import DomainsDiffer, TrustUndecided


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenNames:
    """How the directory stands in the settings. notes: who cannot sign in so, and why; for people."""

    name: str
    base_dn: str
    netbios_name: str
    upn_suffixes: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose_names(reading: DomainReading, allowed: Sequence[str] | None, agent: str) -> ChosenNames:
    """The names under which the relay will ask this agent. allowed: the token's domains; None for any.

    Raises DomainsDiffer where the domain's own name is not among them: nobody's answer would be believed.
    """
    names, notes = reading.names, []
    own = names.dns_name.lower()
    in_use = [suffix for suffix in _lower(names.upn_suffixes) if reading.in_use.get(suffix) is not False]
    if allowed is None:
        return ChosenNames(name=own, base_dn=names.base_dn, netbios_name=names.netbios_name, upn_suffixes=tuple(in_use))
    wanted = set(_lower(allowed))
    if own not in wanted:
        missing = [own, names.netbios_name.lower(), *(suffix for suffix in in_use if suffix not in wanted)]
        raise DomainsDiffer([own, names.netbios_name, *in_use], allowed, missing, agent)
    netbios = names.netbios_name if names.netbios_name.lower() in wanted else ""
    if not netbios:
        notes.append(f"nobody can sign in as {names.netbios_name}\\name: the token is not for {names.netbios_name}")
    for suffix in in_use:
        if suffix not in wanted:
            notes.append(f"users of {suffix} cannot sign in by that name: the token is not for {suffix}")
    offered = set(_lower(names.suffixes))
    suffixes = [suffix for suffix in _lower(allowed) if suffix in offered and suffix != own]
    for suffix in _lower(allowed):
        if suffix in offered or suffix in {own, "*", names.netbios_name.lower()}:
            continue
        if reading.in_use.get(suffix):  # Active Directory lets administrators give a user any suffix
            suffixes.append(suffix)
        else:
            notes.append(f"the token is for {suffix} as well, which is not a name of this directory")
    return ChosenNames(
        name=own, base_dn=names.base_dn, netbios_name=netbios, upn_suffixes=tuple(suffixes), notes=tuple(notes)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustProposal:
    """What has to be accepted before a password goes to these servers.

    roots: authorities, which vouch for all the servers' certificates. Without them, servers: certificates of the domain
    controllers themselves, by server.
    """

    roots: tuple[ShownCertificate, ...]
    servers: Mapping[str, ShownCertificate]

    @property
    def shown(self) -> tuple[ShownCertificate, ...]:
        """What somebody has to look at."""
        return self.roots or tuple(dict.fromkeys(self.servers.values()))

    def verify_accepted(self, accepted: Sequence[str]) -> None:
        """accepted: SHA-256 fingerprints. Raises TrustUndecided."""
        missing = [certificate for certificate in self.shown if certificate.fingerprint not in accepted]
        if missing:
            raise TrustUndecided(missing, accepted)


def propose_trust(chains: Sequence[ShownChain]) -> TrustProposal:
    """From what the servers show: their authorities where each one's is known, else their own certificates."""
    roots = [chain.root for chain in chains if chain.root is not None]
    if len(roots) == len(chains):
        return TrustProposal(roots=tuple(dict.fromkeys(roots)), servers={})
    servers = {chain.server: chain.certificates[0] for chain in chains if chain.certificates}
    return TrustProposal(roots=(), servers=servers)


def complete_roots(chains: Sequence[ShownChain], published: Sequence[bytes]) -> tuple[ShownCertificate, ...]:
    """The authorities of all servers, with those that the directory publishes (DER); empty where one is still missing."""
    found = [root_of([link.der for link in chain.certificates], published) for chain in chains]
    roots = [root for root in found if root is not None]
    return tuple(dict.fromkeys(roots)) if len(roots) == len(chains) else ()


def domain_of(allowed: Sequence[str] | None) -> str | None:
    """The token's domain that is most likely the directory's own: the first that is a DNS name."""
    return next((domain for domain in allowed or () if "." in domain), None)


def _lower(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.lower() for name in names))
