"""Checks of tokens that were asked for with a test account. Pure.

What a token says is compared with what the farm says of itself, and, where it was not read, with what its metadata says:
a token is right if the primary token-signing certificate signed it, the farm issued it, now, for whom it was asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adfs_mgmt.farm import ExternalView, Farm, Use, short_name
from adfs_mgmt.health.forecast import primary_of
from adfs_mgmt.health.rendering import host_label
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.trust import is_entra
from findings import Finding, failed, passed, warned
from foundation.saml import Assertion, SignInOutcome, SyntheticSignIn

NAME = "synthetic-token"
_ENDPOINTS = "usernamemixed"
_LOG = "its event log AD FS/Admin"
_ANOTHER = "set `synthetic_relying_party` to one"
_REMEDIES = {
    SignInOutcome.BAD_TOKEN: f"Check {_LOG}, and any device between here and AD FS.",
    SignInOutcome.REFUSED: "The name or password is wrong, or the account is locked, disabled or expired: AD FS does not "
    "say which. Check the account, then `synthetic_user` and `synthetic_password_file`.",
    SignInOutcome.DENIED: "Permit the account in the access control policy of that relying party, or "
    f"{_ANOTHER} that permits it.",
    SignInOutcome.UNKNOWN_PARTY: "Set `synthetic_relying_party` to a relying party trust that exists "
    "and is enabled: isthmus adfs status lists "
    "them.",
    SignInOutcome.NOT_OFFERED: f"Enable-AdfsEndpoint -TargetAddressPath …/{_ENDPOINTS}, restart "
    "adfssrv. Or check whether the service "
    "is down.",
    SignInOutcome.UNTRUSTED: "The password was not sent. Set `tls_ca_file`, or fix the certificate: isthmus adfs ssl plan.",
    SignInOutcome.UNREACHED: "Check that the server is up, the service is running and the port is open.",
    SignInOutcome.NO_VERDICT: f"Check {_LOG}, the clocks, and any device between here and AD FS.",
}
_NOT_PROXIED = (
    "If external clients need it: Set-AdfsEndpoint -TargetAddressPath … -Proxy $true, restart "
    "adfssrv and the proxies. Otherwise "
    "set `federation_address` to a node or to the nodes' load balancer."
)
_OTHER_ISSUER = (
    "Another farm answers at this address, or a claim rule of that relying party trust sets the issuer: choose another "
    "`synthetic_relying_party`."
)
_SAID = {
    SignInOutcome.BAD_TOKEN: "the response is not a valid token",
    SignInOutcome.REFUSED: "the test account was refused",
    SignInOutcome.DENIED: "the test account is not permitted to get a token for {party}",
    SignInOutcome.UNKNOWN_PARTY: "it has no relying party trust for {party}",
    SignInOutcome.NOT_OFFERED: f"it does not offer {_ENDPOINTS}",
    SignInOutcome.UNTRUSTED: "its TLS certificate is not trusted",
    SignInOutcome.UNREACHED: "it cannot be reached",
    SignInOutcome.NO_VERDICT: "no token was returned",
}


@dataclass(frozen=True, slots=True)
class _Expected:
    """What a token of this farm says. Empty where it is not known."""

    signers: frozenset[str]
    issuers: frozenset[str]


def check_sign_ins(
    farm: Farm, external: ExternalView | None, sign_ins: Sequence[SyntheticSignIn], thresholds: Thresholds
) -> Iterator[Finding]:
    """One finding for each address that was asked."""
    expected = _Expected(_signers(farm, external), _issuers(farm, external))
    name = external.federation_name if external else ""
    nodes_issue = any(asked.token for asked in sign_ins if asked.host != name)
    for asked in sign_ins:
        if asked.token is not None:
            yield _check_token(asked, asked.token, expected, thresholds)
        elif (
            nodes_issue
            and asked.outcome is SignInOutcome.NOT_OFFERED
            and external
            and asked.host == external.federation_name
        ):
            yield warned(NAME, asked.host, f"{_said(asked)}, though nodes do", _NOT_PROXIED)
        else:
            yield _check_refusal(asked, thresholds)


def _signers(farm: Farm, external: ExternalView | None) -> frozenset[str]:
    """The primary token-signing certificate; else who signs the metadata, which is the same."""
    node = farm.reference
    primary = primary_of([row for row in node.certificates if row.use is Use.SIGNING]) if node is not None else None
    if primary is not None:
        return frozenset({primary.thumbprint})
    return frozenset(served.signed_by for served in (external.served if external else ()) if served.signed_by)


def _issuers(farm: Farm, external: ExternalView | None) -> frozenset[str]:
    if farm.properties.identifier:
        return frozenset({farm.properties.identifier})
    return frozenset(
        served.entity_id for served in (external.served if external else ()) if served.signed_by and served.entity_id
    )


def _check_refusal(asked: SyntheticSignIn, thresholds: Thresholds) -> Finding:
    where = host_label(asked.host)
    if asked.outcome is SignInOutcome.NOT_ASKED:
        return warned(NAME, where, f"not asked, so that the account is not locked: {asked.reason}", "See that result.")
    if asked.outcome is SignInOutcome.ENCRYPTED:
        seen = (
            f"a token in {asked.milliseconds:.0f} ms, encrypted for {asked.relying_party}, so its content cannot be checked"
        )
        return _check_speed(where, f"{seen}; {_ANOTHER} without an encryption certificate", asked, thresholds)
    return failed(NAME, where, _said(asked), _REMEDIES[asked.outcome])


def _said(asked: SyntheticSignIn) -> str:
    said = _SAID[asked.outcome].format(party=asked.relying_party)
    return said + (f" ({asked.reason})" if asked.reason else "")


def _check_token(asked: SyntheticSignIn, token: Assertion, expected: _Expected, thresholds: Thresholds) -> Finding:
    where = host_label(asked.host)
    wrong = [*_wrong_signer(token, expected), *_wrong_time(asked, token, thresholds), *_wrong_names(asked, token, expected)]
    if wrong:
        return failed(NAME, where, "; ".join(seen for seen, _ in wrong), wrong[0][1])
    seen = f"a {token.version} token in {asked.milliseconds:.0f} ms, signed by {short_name(token.signer.thumbprint)}"
    if not expected.signers:
        return warned(
            NAME,
            where,
            f"{seen}; the primary token-signing certificate is not known",
            "Make sure that a node or the federation metadata can be read.",
        )
    if token.sha1:
        remedy = "Set-AdfsRelyingPartyTrust -SignatureAlgorithm http://www.w3.org/2001/04/xmldsig-more#rsa-sha256."
        return warned(NAME, where, f"{seen} with SHA-1", remedy)
    return _check_speed(where, seen, asked, thresholds)


def _check_speed(where: str, seen: str, asked: SyntheticSignIn, thresholds: Thresholds) -> Finding:
    if asked.milliseconds <= thresholds.slow_milliseconds:
        return passed(NAME, where, seen)
    remedy = (
        "Check the load, the connection to domain controllers, the database, and the attribute stores that claim rules use."
    )
    return warned(NAME, where, f"{seen}: slow", remedy)


_Fault = tuple[str, str]
"""What was seen, and the remedy."""


def _wrong_signer(token: Assertion, expected: _Expected) -> Iterator[_Fault]:
    if expected.signers and token.signer.thumbprint not in expected.signers:
        names = ", ".join(short_name(thumbprint) for thumbprint in sorted(expected.signers))
        remedy = "It is running with an outdated configuration: wait for its next poll, then restart its service (adfssrv)."
        yield f"signed by {short_name(token.signer.thumbprint)}, which is not the primary certificate ({names})", remedy


def _wrong_time(asked: SyntheticSignIn, token: Assertion, thresholds: Thresholds) -> Iterator[_Fault]:
    """A clock may differ a little."""
    remedy = "Compare its clock with a third clock: w32tm /query /status there, or this workstation."
    if token.not_before > asked.at + thresholds.clock_seconds:
        yield f"not valid until {token.not_before - asked.at:.0f} s from now", remedy
    if token.not_after <= asked.at - thresholds.clock_seconds:
        yield f"expired {asked.at - token.not_after:.0f} s ago", remedy


def _wrong_names(asked: SyntheticSignIn, token: Assertion, expected: _Expected) -> Iterator[_Fault]:
    """For several domains Entra ID wants an issuer for each, which a claim rule of that relying party writes."""
    if asked.relying_party not in token.audiences:
        seen = f"for {_some(token.audiences) or 'no audience'} instead of {asked.relying_party}"
        yield seen, f"Check the identifiers of that relying party trust, or {_ANOTHER}."
    if expected.issuers and token.issuer not in expected.issuers and not is_entra([asked.relying_party]):
        yield f"issued by {token.issuer[:200]!r} instead of {_some(expected.issuers)}", _OTHER_ISSUER


def _some(names: Iterable[str]) -> str:
    """At most three, none longer than 200 characters: they come from a token that may be hostile."""
    return ", ".join(name[:200] for name in sorted(names)[:3])
