"""The page of the audit events. Each kind is found in the code where it is recorded; what it means is told here."""

from __future__ import annotations

import ast
import dataclasses
import importlib.resources
from collections.abc import Iterator
from importlib.resources.abc import Traversable

from gateway.store import AuditEvent
from isthmus.reference.markdown import code, page, table
from settings import docs_of

MEANINGS = {
    "signin": "A credential was checked, or smart lockout or throttling refused the attempt (`refused_by_admission`). By"
    " `admin:…` where an administrator tried it with `isthmus relay check --user`.",
    "password_change": "A person changed a password, proving the old one, or was refused.",
    "agent.enrolled": "A token was redeemed and a certificate issued; the detail is its SHA-256 fingerprint.",
    "agent.enrolment_refused": "Somebody tried to enrol and was refused; the detail says why.",
    "agent.renewed": "An agent got its next certificate; the detail is its SHA-256 fingerprint.",
    "agent.revoked": "An administrator revoked an agent; the detail is the reason given.",
    "directory.bound": "The first answer about somebody of a domain bound it to a directory, which is the detail.",
    "audit.resumed": "The trail takes entries again: for a while before, none could be written (see the relay's log).",
    "audit.head_replaced": "The end of this process's chain was not where it had left it: the database was written to, or"
    " replaced by an older copy. Another chain begins. `left` is what the log's `audit.head` had, `found` what was there.",
    "admin.audit_accepted": "An administrator accepted that newest entries of the trail are gone, as after a backup was put"
    " back. `noted` is where the chains ended that do not hold any more, and where they end now; `detail` the reason given.",
    "admin.backed_up": "An administrator made a backup, in which all keys are; the subject is its file.",
    "admin.restored": "An administrator put back a backup; the subject is the relay's name, `backup_of` the time when it was"
    " made. Everybody was signed out; `not_told` names the applications in those sessions."
    " `noted` is what was noted of the trail and is gone with what was replaced.",
    "audit.pruned": "Entries older than `keep_days` were deleted, `entries` of them; `before` is the first day kept.",
    "audit.person_removed": "What the trail said of one person was removed; it still verifies. The entry names those that it"
    " was removed from (`audit export` shows which), several such entries for more than 1,000.",
    "admin.audit_exported": "An administrator exported the trail; the subject is the file, the detail how much of it.",
    "admin.person_exported": "An administrator exported what is kept of one person; the subject is the account.",
    "admin.claims_shown": "An administrator looked at what an application would be told of a user (`isthmus relay claims`);"
    " the subject is the user.",
    "admin.directory_bound": "An administrator bound a domain to a directory; the subject is the domain. What ended by it"
    " is said as for `admin.sessions_revoked`.",
    "admin.directory_unbound": "An administrator had the relay forget which directory a domain is bound to, the detail."
    " What ended by it is said as for `admin.sessions_revoked`.",
    "admin.sessions_revoked": "An administrator ended `sessions` and `grants` of applications; the subject is the account of"
    " the user or of the one session, the trust, or `everybody`, as `of` says; of a `removed person` none."
    " `to NAME` says for each application in them how often"
    " it was told, not reached, or could not be told.",
    "admin.keys_rolled": "An administrator made new keys for cookies, forms and the audit trail; the subject is their id.",
    "admin.token_created": "An administrator made an enrolment token.",
    "admin.unlock": "An administrator had smart lockout forget what it counted against a user name.",
    "admin.api_key_created": "An administrator made an API key; the subject is its name, the detail its id and limits.",
    "admin.api_key_revoked": "An administrator revoked an API key; the subject is its id.",
    "federation.issued": "An application was given tokens for a user: of each its SHA-256, of the access token its `jti`;"
    " or a SAML response: its SHA-256, and the assertion's ID. `isthmus relay audit issued` finds it by these. The actor is"
    " the trust, `grant` the type of grant, `claims` or `attributes` the names of what it is told,"
    " `key` the signing key; `trial` says that the key was tried (`isthmus certs try`).",
    "federation.logout_requested": "An application ended sessions of a user by a SAML LogoutRequest: `sessions` of them. The"
    " actor is the application; `to NAME` says for each other one that is told without a browser what came of it.",
    "federation.logout_told": "A user's browser is telling an application, the actor, by SAML that the user has signed out:"
    " `outcome` is first `asked`, then `told`, `failed` (it answered badly) or `not answered` (it was skipped)."
    " An application with `asked` alone answered with an error or a page of its own, and those after it were not told;"
    " after 5 minutes `isthmus relay explain` says that it did not answer.",
    "federation.consent_given": "A user agreed that an application may know what its `scope` says.",
    "federation.device_connected": "A user connected a device to an application; `device` is the address it asked from.",
    "federation.revoked": "An application revoked what it was given for a user; `by` says which token it returned.",
    "federation.refused": "A request of an application, or of a user at one, was refused; `reason` is the error of the"
    " protocol (`unproven`: it was not answered, because it was not proven whose it is), `detail` says more, and"
    " `client` which client_id the request names. One entry for each trust, cause and address in a minute; `times` says how"
    " many refusals it stands for.",
    "federation.access_ended": "A user signed one device out of an application (`trust`), or ended what it was given at one"
    " sign-in; what else it has for the user continues.",
    "federation.consent_withdrawn": "A user took back what an application (`trust`) was allowed; `grants` of it ended.",
    "federation.token_reused": "A refresh token was used again after it had been replaced: somebody has a copy. What the"
    " application was given for that user has ended.",
    "federation.grant_ended": "What an application was given for a user ended, refresh tokens included, because of the"
    " account, with a `reason` as for `session.ended`, or because the trust no longer lets the user in: `access: group`,"
    " `access: network`, `access: test users`, or `claims policy: …`.",
    "session.ended": "A session ended because of the account: `reason` is `disabled`, `expired`, `gone` (deleted),"
    " `must_change`, `password_changed`, or `unchecked`: no agent could say for `unchecked_lifetime`"
    " whether it is still enabled.",
    "trust.added": "An administrator, or a trust file (`origin`), added the trust of an application that signs users in from"
    " now on; the subject is its id, `difference` its settings.",
    "trust.changed": "A trust was changed; `difference` has the lines before (`-`) and after (`+`), up to 4,000 characters.",
    "trust.disabled": "The file of a trust was removed from `trusts_dir`: nobody signs in to that application"
    " until the file is back.",
    "trust.removed": "An administrator removed a trust; nobody signs in to that application any more, and what it was"
    " given has ended.",
    "trust.logo_changed": "An administrator gave an application a logo (`sha256`, and its `source`), or removed it.",
    "trust.metadata_changed": "The metadata of a SAML trust was replaced by what its `metadata_url` has now (`sha256`), or,"
    " without one, was dropped because its `validUntil` had passed.",
    "signing_key.made": "A key that signs tokens or SAML messages was made; the subject is its id, `ring`, `algorithm` and"
    " `state` say which one. By `relay` where it was due, by `admin:…` where it was ordered.",
    "signing_key.changed": "A signing key came into another `state` (`published`, `active`, `retiring`), or an application"
    " was said to know it (`acknowledged`).",
    "signing_key.deleted": "A signing key was deleted; nothing that it has signed is accepted any more.",
    "signing_key.trial_ordered": "An administrator got an address at which a signing key, the subject, can be tried with an"
    " application (`isthmus certs try`).",
    "signing_key.trial_started": "A trial of a signing key (`key`) with an application (`trust`) was started in the browser"
    " and session of a user, the subject; `ordered_by` is who got the address.",
    "signing_key.trial_ended": "A trial of a signing key was ended by the button, before its time.",
    "alert.signing_keys.not_acknowledged": "An application that must be told of new signing keys by hand was not"
    " acknowledged in time (`problem` names it); its users are locked out once the new keys sign. At most once a day, as for"
    " the following two; `ring` says which keys, `remedy` what to do.",
    "alert.signing_keys.stopped": "The replacement of signing keys does not continue by itself; `problem` says why.",
    "alert.signing_keys.not_replaced": "A signing key is about to end, and its replacement is not in progress or not ready.",
    "alert.metadata.refused": "What a trust's `metadata_url` has cannot be used (`problem`): for example, it is not signed"
    " by `metadata_signer`, has expired, or is another party's. The metadata from before stays in use.",
    "alert.metadata.aged": "The metadata of a SAML trust could not be refreshed for two days.",
    "alert.metadata.expired": "The metadata of a SAML trust could not be refreshed, and its `validUntil` has passed: it is"
    " not used any more.",
    "alert.audit.rolled_back": "A chain of the trail ends before the head that was noted of it, or is another one: newest"
    " entries were removed, or an older copy of the database was put in its place. `noted` and `found` say where it ended"
    " and where it ends now.",
    "alert.https_certificate.unusable": "The files of the HTTPS certificate changed and cannot be used; the certificate from"
    " before is still served. Once for each change; `setting` says which file it is, `problem` why, `remedy` what to do.",
    "alert.https_certificate.not_renewed": "The ACME server did not issue the next HTTPS certificate; the one before is"
    " still served, and it is tried again each hour. At most once a day; `problem` says why.",
    "alert.audit.broken": "An entry, or an anchor that pruning left, is not what was written; `entry` and `problem` say what"
    " `isthmus relay audit verify` would. Pruning leaves the chain as it is from there on.",
    "alert.audit.prune_postponed": "The trail has entries that are older than `keep_days`, and none of the week before"
    " yesterday: nobody was here, or the clock has jumped. They are deleted in a day; `before` is the first day that is kept"
    " then, `remedy` what to do.",
    "alert.agent.cloned": "A second live process connected under one agent's name: perhaps a stolen identity.",
    "alert.agent.spoke_for_others": "An agent answered about an account, or a person, that is none of its domains': it is"
    " a rogue, or it lacks a domain; the detail says which. Once for each connection; none of these answers counts.",
    "alert.agent.quarantined": "An agent said yes to a canary, a person who does not exist, and was revoked immediately.",
}
"""Kind -> what happened. `audit_page` refuses to be written while these and the code's differ."""

_RECORDERS = {"_record": "", "_event": "", "_alarm": "alert.", "_check": "", "tell_end": ""}
"""Methods whose first argument is a kind -> what stands before it."""
_PACKAGES = (
    "gateway.relay",
    "gateway.relay.credentials",
    "gateway.relay.agents",
    "gateway.relay.administration",
    "gateway.federation",
    "gateway.federation.oidc",
    "gateway.federation.oidc.endpoints",
    "gateway.federation.oidc.grant_types",
    "gateway.federation",
    "gateway.federation.inspection",
    "gateway.federation.keys",
    "gateway.federation.keys.rollover",
    "gateway.federation.sessions",
    "gateway.federation.trials",
    "gateway.federation.trusts",
    "gateway.federation.saml",
    "gateway.federation.saml.logout",
    "gateway.signin",
    "gateway.store",
    "gateway.backup",
    "gateway",
)


class KindsDiffer(Exception):
    """The code records kinds that have no meaning here, or the other way round."""

    def __init__(self, unexplained: set[str], unrecorded: set[str]) -> None:
        super().__init__(unexplained, unrecorded)
        self.unexplained, self.unrecorded = unexplained, unrecorded

    def __str__(self) -> str:
        return (
            f"isthmus.reference.audit.MEANINGS lacks {sorted(self.unexplained) or 'nothing'} "
            f"and explains {sorted(self.unrecorded) or 'nothing'} in vain"
        )


def audit_page() -> str:
    """Every kind of event and the fields of each. Raises KindsDiffer."""
    check_kinds(recorded_kinds())
    introduction = """\
The relay records every credential check and every administrative act in a chain of keyed hashes: `isthmus relay audit
list` shows it, newest first. `isthmus relay audit verify` finds every entry that was changed, inserted or removed by
somebody who could write to the database but not read the key in the relay's `state_dir`."""
    docs = docs_of(AuditEvent)
    kinds = table(("kind", "what happened"), [(code(kind), words) for kind, words in MEANINGS.items()])
    fields = [(code(field.name), _FIELDS.get(field.name) or docs[field.name]) for field in dataclasses.fields(AuditEvent)]
    return page("Audit events", introduction, "## Kinds", kinds, "## Fields", table(("field", "meaning"), fields))


_FIELDS = {
    "time": "Unix seconds.",
    "kind": "See above.",
    "actor": "Who did it: `page`, `api:<name>`, `relay`, `admin:<account>`, `admin:<login> as <account>` after `sudo`"
    " or `su`, `admin:root (claimed: <name>)` where only SUDO_UID says it.",
    "account": "Who signed in: `directory` (what the directory says of itself) and `object_guid`; empty where nobody did.",
    "outcome": "Of a credential check; see the outcomes in [Metrics](metrics.md).",
    "address": "IP address of the person, or of the agent that enrols.",
    "agent": "Name of the agent that checked.",
    "controller": "The domain controller that answered.",
    "correlation_id": "The same in the log of the relay, the log of the agent and the answer's `X-Correlation-Id`.",
    "via": "How a credential came: `page`, `api:<name of the API key>`.",
    "milliseconds": "Duration of a credential check.",
    "detail": "More, by name.",
}
"""What the model leaves to its names, or tells programmers only."""


def check_kinds(found: set[str]) -> None:
    """Every kind has its meaning, every meaning its kind. Raises KindsDiffer."""
    if found != set(MEANINGS):
        raise KindsDiffer(found - set(MEANINGS), set(MEANINGS) - found)


def recorded_kinds() -> set[str]:
    """The kinds that the packages of the relay record."""
    files = [file for package in _PACKAGES for file in importlib.resources.files(package).iterdir()]
    return {kind for file in files if file.name.endswith(".py") for kind in _kinds_in(file)}


def _kinds_in(file: Traversable) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str(kind)), *_]) if name in _RECORDERS:
                yield _RECORDERS[name] + kind
            case ast.keyword(arg="kind", value=ast.Constant(value=str(kind))):
                yield kind
