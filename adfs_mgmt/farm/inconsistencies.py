"""Where what the servers say, what the other servers say, and what anybody sees contradict each other. Pure.

Only what was read is compared: a host that did not answer contradicts nobody (that it did not answer is judged in
`adfs_mgmt.health`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adfs_mgmt.farm.model import ExternalView, Farm, Node, Proxy, Served, SyncRole, Use
from adfs_mgmt.remoting import split_host


@dataclass(frozen=True, slots=True, kw_only=True)
class Inconsistency:
    """Two views that contradict each other."""

    kind: str
    """For programs: `bindings`, `certificates`, `metadata`, `primary`, `served-tls`, `served-tls-differs`, `signer` or
    `federation-name`."""
    where: str
    """The host, or the farm's name."""
    what: str
    """In one line."""
    one: str
    """One view: who says what."""
    other: str
    """The other."""
    remedy: str


@dataclass(frozen=True, slots=True)
class _Form:
    """What there is to say of one sort of them; the texts take names in braces."""

    kind: str
    what: str
    remedy: str

    def at(self, where: str, one: str, other: str, **names: str) -> Inconsistency:
        """One that was found."""
        what, remedy = self.what.format(**names), self.remedy.format(**names)
        return Inconsistency(kind=self.kind, where=where, what=what, one=one, other=other, remedy=remedy)


_PRIMARIES = _Form(
    "primary",
    "several nodes report that they are the primary server",
    "Decide which one is to be the primary; on the others run Set-AdfsSyncProperties -Role SecondaryComputer.",
)
_POLLED = _Form(
    "primary",
    "it polls a different server than the farm's primary",
    "On this node run Set-AdfsSyncProperties -Role SecondaryComputer -PrimaryComputerName {primary}.",
)
_CONFIGURATION = _Form(
    "certificates",
    "its configuration has different {use} certificates",
    "Wait for its next poll, then check its synchronisation (event log AD FS/Admin, 344 and 345).",
)
_BINDING = _Form(
    "bindings",
    "a different certificate than on other servers is bound to {names}",
    "A renewal probably missed this server. Import the certificate with its private key on it, and "
    "run {cmdlet} -Thumbprint {usual} there.",
)
_NAME = _Form(
    "federation-name",
    "the farm's federation service name differs from the one in the settings",
    "Correct `federation_name` in the settings.",
)
_SERVICE = _Form(
    "federation-name",
    "it serves the metadata of another federation service",
    "Check what answers at this address: a host of another farm, or the wrong pool of a load balancer.",
)
_METADATA = _Form(
    "metadata",
    "its metadata has different certificates than most",
    "It is probably a secondary server that is behind: wait for its next poll, then restart its service (adfssrv).",
)
_TLS = _Form(
    "served-tls-differs",
    "it serves a different TLS certificate than most",
    "A renewal missed this host, or another device is in front of it.",
)
_SERVED_TLS = _Form(
    "served-tls",
    "it serves a different TLS certificate than the one in its binding",
    "Look for another binding that takes precedence (netsh http show sslcert: an IP:port row comes before one with a host "
    "name), or for a device in front of it that terminates TLS.",
)
_SERVED_METADATA = _Form(
    "metadata",
    "its metadata and the configuration have different {use} certificates",
    "Wait for the node's next poll, then restart its service (adfssrv); until then, partners that read its metadata get "
    "the wrong certificates.",
)
_SIGNER = _Form(
    "signer",
    "its metadata is signed with a certificate that is not the primary one",
    "The node signs tokens with it, too: wait for its next poll, then restart its service (adfssrv).",
)


def find_inconsistencies(farm: Farm, outside: ExternalView | None = None) -> list[Inconsistency]:
    """Every one, farm-wide ones first, then by host. Empty where all views agree."""
    found = [*_primaries(farm), *_configurations(farm), *_bindings(farm)]
    if outside is not None:
        found += [*_name(farm, outside), *_metadata_between(outside), *_tls_between(farm, outside)]
        for served in outside.served:
            found += [*_served_tls(farm, served), *_served_metadata(farm, served), *_signer(farm, served)]
    return found


def short_name(thumbprint: str) -> str:
    """Enough of it to tell two apart."""
    return thumbprint[:12] if thumbprint else "none"


def _name_of(host: str) -> str:
    return split_host(host)[0]


def _listed(thumbprints: Iterable[str]) -> str:
    return ", ".join(short_name(thumbprint) for thumbprint in sorted(thumbprints)) or "none"


# -- among the servers


def _primaries(farm: Farm) -> Iterator[Inconsistency]:
    """A WID farm has one primary, and every secondary polls that one."""
    if farm.error or farm.properties.sql:
        return
    primaries = [node for node in farm.nodes if node.role is SyncRole.PRIMARY]
    if len(primaries) > 1:
        others = ", ".join(_name_of(node.host) for node in primaries[1:])
        yield _PRIMARIES.at(farm.name, _name_of(primaries[0].host), others)
    for node in farm.nodes:
        if len(primaries) == 1 and node.primary and not _is(primaries[0], node.primary):
            name = _name_of(primaries[0].host)
            one, other = f"{_name_of(node.host)}: {node.primary}", f"primary is {name}"
            yield _POLLED.at(node.host, one, other, primary=primaries[0].fqdn or name)


def _is(node: Node, name: str) -> bool:
    """The short name counts, too: that is what older versions of Windows put there."""
    known = {_name_of(node.host).lower(), node.fqdn.lower()}
    return name.lower() in known | {full.partition(".")[0] for full in known}


def _configurations(farm: Farm) -> Iterator[Inconsistency]:
    """`Get-AdfsCertificate` says the same on every node, or a secondary is behind."""
    nodes = [node for node in farm.nodes if node.certificates]
    yes = farm.primary or next(iter(nodes), None)
    if yes is None or not yes.certificates:
        return
    for node in nodes:
        for use in (Use.SIGNING, Use.DECRYPTING, Use.SERVICE):
            ours, theirs = _configured(yes, use), _configured(node, use)
            if ours != theirs:
                one, other = f"{_name_of(yes.host)}: {_rows(ours)}", f"{_name_of(node.host)}: {_rows(theirs)}"
                yield _CONFIGURATION.at(node.host, one, other, use=use.value)


def _configured(node: Node, use: Use) -> frozenset[tuple[str, bool]]:
    return frozenset((row.certificate.thumbprint, row.is_primary) for row in node.certificates if row.use is use)


def _rows(rows: Iterable[tuple[str, bool]]) -> str:
    ordered = sorted(rows, key=lambda row: (not row[1], row[0]))
    return ", ".join(short_name(name) + (" (primary)" if primary else "") for name, primary in ordered) or "none"


def _bindings(farm: Farm) -> Iterator[Inconsistency]:
    """The same name and port have the same certificate everywhere; what most nodes have is right, or most proxies."""
    votes = _votes(farm.proxies) | _votes(farm.nodes)
    stored = [row.certificate for host in farm.hosts for row in host.stored]
    ends = {certificate.thumbprint: certificate.not_after for certificate in stored if certificate.not_after is not None}
    for host in farm.hosts:
        named = [row for row in host.bindings if not row.by_address]
        rows = [(row, _usual(votes[row.host_name.lower(), row.port], ends)) for row in named]
        for usual in sorted({usual for row, usual in rows if row.thumbprint != usual}):
            names = ", ".join(f"{row.host_name}:{row.port}" for row, other in rows if usual == other != row.thumbprint)
            theirs = {row.thumbprint for row, other in rows if usual == other != row.thumbprint}
            one = f"{'nodes' if farm.nodes else 'most'}: {short_name(usual)}"
            other = f"{_name_of(host.host)}: {_listed(theirs)}"
            yield _BINDING.at(host.host, one, other, names=names, cmdlet=_set_ssl(host), usual=usual)


def _votes(hosts: Sequence[Node] | Sequence[Proxy]) -> dict[tuple[str, int], Counter[str]]:
    votes: dict[tuple[str, int], Counter[str]] = {}
    for host in hosts:
        for row in host.bindings:
            votes.setdefault((row.host_name.lower(), row.port), Counter())[row.thumbprint] += 1
    return votes


def _usual(votes: Counter[str], ends: Mapping[str, float] | None = None) -> str:
    """What most say; of two that are as frequent the one that ends later, which a renewal brought; else always the same."""
    return max(sorted(votes), key=lambda thumbprint: (votes[thumbprint], (ends or {}).get(thumbprint, 0.0)))


def _set_ssl(host: Node | Proxy) -> str:
    return "Set-AdfsSslCertificate" if isinstance(host, Node) else "Set-WebApplicationProxySslCertificate"


# -- inside against outside


def _name(farm: Farm, outside: ExternalView) -> Iterator[Inconsistency]:
    if farm.error:
        return
    if farm.properties.federation_name.lower() != outside.federation_name.lower():
        one = f"farm: {farm.properties.federation_name or 'none'}"
        yield _NAME.at(farm.name, one, f"settings: {outside.federation_name}")
    for served in outside.served:
        if served.entity_id and farm.properties.identifier and served.entity_id != farm.properties.identifier:
            one, other = f"farm: {farm.properties.identifier}", f"metadata: {served.entity_id}"
            yield _SERVICE.at(served.host, one, other)


def _metadata_between(outside: ExternalView) -> Iterator[Inconsistency]:
    views = {served.host: served for served in outside.served if served.signing or served.encryption}
    if not views:
        return
    votes = Counter(_keys(served) for served in views.values())
    usual = max(sorted(votes), key=lambda keys: votes[keys])
    for host, served in views.items():
        if _keys(served) != usual:
            other = f"{_name_of(host)}: {_described(_keys(served))}"
            yield _METADATA.at(host, f"most: {_described(usual)}", other)


_Keys = tuple[tuple[str, ...], tuple[str, ...]]


def _keys(served: Served) -> _Keys:
    return tuple(sorted(served.signing)), tuple(sorted(served.encryption))


def _described(keys: _Keys) -> str:
    return f"signing {_listed(keys[0])}; encryption {_listed(keys[1])}"


def _tls_between(farm: Farm, outside: ExternalView) -> Iterator[Inconsistency]:
    """Only where the servers' own word is not known: else each is compared with its binding."""
    bound = {host.host for host in farm.hosts if host.bindings}
    views = {row.host: row.tls.thumbprint for row in outside.served if row.tls is not None and row.host not in bound}
    if not views:
        return
    usual = _usual(Counter(views.values()))
    for host, thumbprint in views.items():
        if thumbprint != usual:
            other = f"{_name_of(host)}: {short_name(thumbprint)}"
            yield _TLS.at(host, f"most: {short_name(usual)}", other)


def _served_tls(farm: Farm, served: Served) -> Iterator[Inconsistency]:
    host = _host(farm, served.host)
    if host is None or served.tls is None:
        return
    name = farm.properties.federation_name.lower()
    port = farm.properties.https_port
    bound = next((row.thumbprint for row in host.bindings if row.host_name.lower() == name and row.port == port), "")
    if bound and bound != served.tls.thumbprint:
        other = f"served: {short_name(served.tls.thumbprint)}"
        yield _SERVED_TLS.at(served.host, f"binding: {short_name(bound)}", other)


def _host(farm: Farm, name: str) -> Node | Proxy | None:
    return next((host for host in farm.hosts if host.host == name), None)


def _served_metadata(farm: Farm, served: Served) -> Iterator[Inconsistency]:
    primary = farm.reference
    if primary is None or not served.signing:
        return
    for use, published in ((Use.SIGNING, served.signing), (Use.DECRYPTING, served.encryption)):
        rows = {row.certificate.thumbprint: row for row in primary.certificates if row.use is use}
        # AD FS publishes only the primary certificate for encryption
        expected = {name for name, row in rows.items() if row.is_primary or use is Use.SIGNING}
        if expected - set(published) or set(published) - set(rows):
            one = f"configuration of {_name_of(primary.host)}: {_listed(expected)}"
            yield _SERVED_METADATA.at(served.host, one, f"metadata: {_listed(published)}", use=use.value)


def _signer(farm: Farm, served: Served) -> Iterator[Inconsistency]:
    primary = farm.reference
    if primary is None or not served.signed_by:
        return
    rows = {row.certificate.thumbprint: row.is_primary for row in primary.certificates if row.use is Use.SIGNING}
    if not rows.get(served.signed_by, False):
        one = f"primary: {_listed(name for name, is_primary in rows.items() if is_primary)}"
        unknown = "" if served.signed_by in rows else ", which the farm does not have"
        yield _SIGNER.at(served.host, one, f"signed by {short_name(served.signed_by)}{unknown}")
