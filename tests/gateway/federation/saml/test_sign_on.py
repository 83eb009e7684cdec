"""Single sign-on: a request comes, a person signs in, the party is told who it is; and what is refused."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import Mock
from urllib.parse import quote

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from structlog.testing import capture_logs

from foundation.saml.algorithms import RSA_SHA256 as ALGORITHM
from foundation.saml.redirect_binding import deflate
from gateway.federation.claims import ClaimRule, ClaimsPolicy
from gateway.federation.keys import NoSigningKey
from gateway.federation.saml.checks import AHEAD, OLDEST
from gateway.federation.trusts import Lifetimes, TrustAccess
from gateway.protocol import Outcome
from gateway.relay.credentials.attempt import Verdict
from gateway.store import StoreUnavailable
from tests.foundation.saml.parties import elliptic_party, party
from tests.gateway.federation.saml.conftest import Provider
from tests.gateway.federation.saml.service_provider import (
    ACS,
    ENTITY,
    IDP,
    OTHER_ACS,
    SSO,
    Answer,
    answer_in,
    authn_request,
    by_post,
    by_redirect,
    instant,
    own_keys,
    pem,
)
from tests.gateway.signin.site import Shown, Site
from tests.support.fakes import identity_of

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
MAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"


async def opened(site: Site, path: str) -> Answer:
    """What comes back where a person is signed in already."""
    _, page, _ = await site.get(path)
    return answer_in(page)


async def signed_in(site: Site, path: str) -> Answer:
    """Where nobody is: the person signs in."""
    shown = await site.open(path)
    shown = await site.sign_in(return_to=shown.field("return_to"))
    return answer_in(shown.page)


def unproven(shown: Shown) -> bool:
    """A page of ours, and no form that would post anything."""
    return shown.status == 400 and "SAMLResponse" not in shown.page


async def test_a_person_signs_in_and_the_party_is_told(site: Site, provider: Provider) -> None:
    """Every field that a service provider looks at (saml-profiles-2.0-os section 4.1.4.2, 4.1.4.3)."""
    answer = await signed_in(site, by_redirect(authn_request(site.now), "deep/link?a=1&b=2"))
    assert (answer.action, answer.relay_state, answer.status) == (ACS, "deep/link?a=1&b=2", ["Success"])
    assert answer.text("/p:Response/@InResponseTo") == "_request1"
    assert answer.text("/p:Response/@Destination") == ACS
    assert answer.text("/p:Response/a:Issuer") == IDP
    assert answer.text("//a:Assertion/a:Issuer") == IDP
    assert answer.text("//a:SubjectConfirmationData/@Recipient") == ACS
    assert answer.text("//a:SubjectConfirmationData/@InResponseTo") == "_request1"
    assert answer.text("//a:SubjectConfirmationData/@NotOnOrAfter") == instant(site.now + 300)
    assert answer.find("//a:SubjectConfirmationData/@NotBefore") == []
    assert answer.text("//a:Conditions/@NotBefore") == instant(site.now - 60)
    assert answer.text("//a:Conditions/@NotOnOrAfter") == instant(site.now + 300)
    assert answer.text("//a:Audience") == ENTITY
    assert answer.text("//a:AuthnStatement/@AuthnInstant") == instant(site.now)
    assert answer.text("//a:AuthnContextClassRef") == PASSWORD
    assert answer.text("//a:NameID/@Format") == PERSISTENT
    assert answer.text("//a:NameID/@SPNameQualifier") == ENTITY
    assert len(answer.text("//a:NameID")) == 43
    assert answer.attributes()["urn:oid:0.9.2342.19200300.100.1.1"] == ["anna@corp.example.com"]


async def test_the_same_person_has_the_same_name_and_another_one_elsewhere(site: Site, provider: Provider) -> None:
    """A persistent identifier is for one party alone (saml-core-2.0-os section 8.3.7)."""
    first = await signed_in(site, by_redirect(authn_request(site.now)))
    again = await opened(site, by_redirect(authn_request(site.now, ID="_request2")))
    other = replace(provider.trust, id="other", saml=replace(provider.trust.saml, entity_id="https://other.example.com"))
    await provider.trusted(other)
    elsewhere = await opened(site, by_redirect(authn_request(site.now, "", "https://other.example.com")))
    names = [answer.text("//a:NameID") for answer in (first, again, elsewhere)]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("sign", "signed"), [("assertion", {"Assertion"}), ("response", {"Response"}), ("both", {"Assertion", "Response"})]
)
async def test_what_the_trust_says_is_signed(site: Site, provider: Provider, sign: str, signed: set[str]) -> None:
    """By the key whose certificate the metadata shows; the other element has no signature."""
    await provider.change(sign=sign)
    answer = await signed_in(site, by_redirect(authn_request(site.now)))
    ids = answer.signed_ids(provider.keys.active("saml", "RSA").certificate)
    names = {element.tag.rpartition("}")[2] for element in answer.find("//*[@ID]") if element.get("ID") in ids}
    assert names == signed
    assert len(answer.find("//ds:Signature")) == len(signed)


@pytest.mark.parametrize("known", ["", pem(elliptic_party()[1])], ids=["no certificate", "not RSA"])
async def test_what_cannot_be_encrypted_is_not_told(site: Site, provider: Provider, known: str) -> None:
    """Metadata has expired, or names a key that nothing can be encrypted for: then not in the clear either."""
    await provider.change(encrypt=True, metadata_url="https://wiki.example.com/metadata", encryption_certificate=known)
    answer = await signed_in(site, by_redirect(authn_request(site.now), keys=own_keys()))
    assert answer.status == ["Responder", "RequestDenied"]
    assert b"anna" not in answer.document
    assert answer.find("//a:NameID") == []


@pytest.mark.parametrize("name", ["uri", "basic", "unspecified"])
async def test_every_attribute_name_format_is_written(site: Site, provider: Provider, name: str) -> None:
    """saml-core-2.0-os section 8.2: as the trust says; all attributes alike."""
    await provider.change(attribute_name_format=name)
    answer = await signed_in(site, by_redirect(authn_request(site.now)))
    assert set(answer.find("//a:Attribute/@NameFormat")) == {f"urn:oasis:names:tc:SAML:2.0:attrname-format:{name}"}


async def test_a_post_signed_by_the_party_is_taken(site: Site, provider: Provider) -> None:
    """HTTP-POST with an enveloped signature; RelayState comes back as it was sent."""
    await provider.change(require_signed_requests=True)
    await site.sign_in()
    _, page, _ = await site.request("POST", "/saml/sso", data=by_post(authn_request(site.now), "<\"'&>", keys=own_keys()))
    answer = answer_in(page)
    assert (answer.status, answer.relay_state) == (["Success"], "<\"'&>")


async def test_no_entity_by_number_stands_in_the_form(site: Site, provider: Provider) -> None:
    """O22: SharePoint decodes named entities alone; a RelayState breaks out of nothing."""
    await site.sign_in()
    _, page, _ = await site.get(by_redirect(authn_request(site.now), "'\"><script>alert(1)</script>"))
    assert "<script>alert" not in page
    assert "&#" not in page.partition("<form")[2].partition("</form>")[0]


# -- who asks, and where the answer goes

UNPROVEN: dict[str, tuple[Callable[[float], str], str]] = {
    "S20 no trust": (lambda now: by_redirect(authn_request(now, "", "https://stranger.example.com")), "no trust has"),
    "S20 another's key": (lambda now: by_redirect(authn_request(now), keys=party("stranger")), "signature does not hold"),
    "S20 signature taken away": (lambda now: by_redirect(authn_request(now)), "is not signed"),
    "S20 RelayState changed": (
        lambda now: signed(now, "a").replace("RelayState=a", "RelayState=b"),
        "signature does not hold",
    ),
    "S20 RelayState added": (lambda now: signed(now) + "&RelayState=b", "signature does not hold"),
    "S20 algorithm changed": (lambda now: signed(now).replace("sha256", "sha512"), "signature does not hold"),
    "S21 twice": (lambda now: signed(now) + "&SigAlg=x", "is there twice"),
    "S22 another address": (lambda now: signed(now, acs="https://evil.example.com/acs"), "none of the trust's"),
    "S22 case": (lambda now: signed(now, acs=ACS.upper()), "none of the trust's"),
    "S22 port": (lambda now: signed(now, acs=ACS.replace(".com", ".com:443")), "none of the trust's"),
    "S22 user info": (lambda now: signed(now, acs=ACS.replace("//", "//wiki@")), "none of the trust's"),
    "S22 dots": (lambda now: signed(now, acs=ACS.replace("/saml/", "/saml/x/../")), "none of the trust's"),
    "S22 index": (lambda now: signed(now, acs=None, AssertionConsumerServiceIndex="3"), "none of the trust's"),
    "S22 address and index": (lambda now: signed(now, AssertionConsumerServiceIndex="0"), "an address and an index"),
    "S24 Destination": (lambda now: signed(now, Destination=f"{SSO}/"), "meant for"),
    "S24 no Destination": (lambda now: signed(now, Destination=None), "does not say for whom"),
    "no message": (lambda _: "/saml/sso", "has no message"),
    "no base64": (lambda _: "/saml/sso?SAMLRequest=%3C%3E", "base64"),
    "a response": (lambda now: signed(now).replace("SAMLRequest=", "SAMLResponse="), "instead of a SAMLRequest"),
}


def signed(now: float, relay_state: str = "", acs: str | None = ACS, **attributes: str | None) -> str:
    """The path of a request that the party signed."""
    document = authn_request(now, **{"AssertionConsumerServiceURL": acs, **attributes})
    return by_redirect(document, relay_state, keys=own_keys())


@pytest.mark.parametrize(("made", "reason"), UNPROVEN.values(), ids=UNPROVEN)
async def test_whoever_is_not_proven_gets_a_page(
    site: Site, provider: Provider, made: Callable[[float], str], reason: str
) -> None:
    """Nothing is sent to any address, and the page does not say why; the log does."""
    await provider.change(require_signed_requests=True)
    await site.sign_in()
    with capture_logs() as logs:
        shown = await site.open(made(site.now))
    assert unproven(shown)
    (entry,) = [entry for entry in logs if entry["event"] == "saml.unproven"]
    assert reason in entry["reason"]
    assert reason not in shown.page


async def test_a_signed_request_is_taken_as_it_was_sent(site: Site, provider: Provider) -> None:
    """S21: the signature is over the text of the address, whatever the case of its escapes. All rows above differ in one
    thing from this."""
    await provider.change(require_signed_requests=True)
    await site.sign_in()
    assert (await opened(site, signed(site.now, "a/b"))).status == ["Success"]
    message = base64.b64encode(deflate(authn_request(site.now, ID="_request2"))).decode()
    text = f"SAMLRequest={escaped(message)}&RelayState=a%2fb&SigAlg={escaped(ALGORITHM.uri)}"
    value = base64.b64encode(own_keys().key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    answer = await opened(site, f"/saml/sso?{text}&x=1&Signature={escaped(value)}")
    assert (answer.status, answer.relay_state) == (["Success"], "a/b")


def escaped(text: str) -> str:
    """As AD FS and Entra ID write it: in lower case."""
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=""))


async def test_an_index_of_the_trust_is_taken(site: Site, provider: Provider) -> None:
    """The negative rows of S22 would pass with a check that refuses all."""
    await site.sign_in()
    by_index = authn_request(site.now, AssertionConsumerServiceURL=None, AssertionConsumerServiceIndex="7")
    assert (await opened(site, by_redirect(by_index))).action == OTHER_ACS
    default = authn_request(site.now, AssertionConsumerServiceURL=None, ID="_request2")
    assert (await opened(site, by_redirect(default))).action == ACS


# -- what the party is told instead of an assertion


def policy(**attributes: str) -> str:
    written = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"<p:NameIDPolicy {written}/>"


def contexts(comparison: str, *classes: str) -> str:
    listed = "".join(f"<a:AuthnContextClassRef>{name}</a:AuthnContextClassRef>" for name in classes)
    return f'<p:RequestedAuthnContext Comparison="{comparison}">{listed}</p:RequestedAuthnContext>'


DECLARATION = contexts("exact", PASSWORD).replace("ClassRef", "DeclRef")
_CLASS = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
REFUSED = {
    "artifact": ({"ProtocolBinding": "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"}, "", "UnsupportedBinding"),
    "kerberos name": ({}, policy(Format="urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"), "InvalidNameIDPolicy"),
    "another's name": ({}, policy(SPNameQualifier="https://other.example.com"), "InvalidNameIDPolicy"),
    "stronger": ({}, contexts("exact", f"{_CLASS}X509"), "NoAuthnContext"),
    "better than all": ({}, contexts("better", PASSWORD), "NoAuthnContext"),
    "weaker at most": ({}, contexts("maximum", f"{_CLASS}Password"), "NoAuthnContext"),
    "declarations": ({}, DECLARATION, "NoAuthnContext"),
    "unknown at least": ({}, contexts("minimum", "https://refeds.org/profile/mfa"), "NoAuthnContext"),
    "forced and passive": ({"ForceAuthn": "true", "IsPassive": "true"}, "", "NoPassive"),
    "somebody else": ({}, "<a:Subject><a:NameID>ben@corp.example.com</a:NameID></a:Subject>", "UnknownPrincipal"),
}


@pytest.mark.parametrize("wanted", [PERSISTENT, MAIL])
async def test_a_trust_that_gives_fresh_names_gives_no_others(site: Site, provider: Provider, wanted: str) -> None:
    """A request alone does not undo that nobody is to be known again."""
    await provider.change(name_id_format=TRANSIENT)
    await site.sign_in()
    answer = await opened(site, by_redirect(authn_request(site.now, policy(Format=wanted))))
    assert (answer.status[-1], answer.find("//a:NameID")) == ("InvalidNameIDPolicy", [])
    for number, format_ in enumerate((TRANSIENT, UNSPECIFIED)):
        answer = await opened(site, by_redirect(authn_request(site.now, policy(Format=format_), ID=f"_fresh{number}")))
        assert answer.text("//a:NameID/@Format") == TRANSIENT


NO_MAIL = ClaimsPolicy(rules=(ClaimRule(claim="name", source="display_name"),))
TOLD_MAIL = ClaimsPolicy(rules=(ClaimRule(claim="contact", source="mail"),))


@pytest.mark.parametrize(
    ("claims", "format_", "told"),
    [(NO_MAIL, PERSISTENT, False), (TOLD_MAIL, PERSISTENT, True), (ClaimsPolicy(), PERSISTENT, True), (NO_MAIL, MAIL, True)],
    ids=["policy without", "policy with", "usual attributes", "by the trust"],
)
async def test_a_request_gets_no_mail_address_out_of_a_policy_that_gives_none(
    site: Site, provider: Provider, claims: ClaimsPolicy, format_: str, told: bool
) -> None:
    """NameIDPolicy says how a person is to be called, and not what may be known of them."""
    identity = msgspec.structs.replace(identity_of("anna@corp.example.com"), mail="anna.berg@example.com")
    site.authenticator.next = Verdict(outcome=Outcome.SUCCESS, identity=identity, password_proven=True)
    await provider.change(trust={"claims": claims}, name_id_format=format_)
    await site.sign_in()
    answer = await opened(site, by_redirect(authn_request(site.now, policy(Format=MAIL))))
    assert answer.status == (["Success"] if told else ["Responder", "InvalidNameIDPolicy"])
    assert (b"anna.berg" in answer.document) is told


@pytest.mark.parametrize(("attributes", "inside", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_had_is_a_status(
    site: Site, provider: Provider, attributes: dict[str, str], inside: str, status: str
) -> None:
    """Signed, without an assertion, at the party's own address (saml-core-2.0-os section 3.2.2.2)."""
    await site.sign_in()
    answer = await opened(site, by_redirect(authn_request(site.now, inside, **attributes), "state"))
    assert (answer.status[1:], answer.find("//a:Assertion")) == ([status], [])
    assert (answer.action, answer.relay_state) == (ACS, "state")
    assert answer.signed_ids(provider.keys.active("saml", "RSA").certificate)


@pytest.mark.parametrize("moved", [-(OLDEST + 1), AHEAD + 1])
async def test_a_request_of_another_time_is_refused(site: Site, provider: Provider, moved: float) -> None:
    """S23: one that was kept, or of a clock that is wrong."""
    await site.sign_in()
    answer = await opened(site, by_redirect(authn_request(site.now + moved), keys=own_keys()))
    assert answer.status == ["Requester", "RequestUnsupported"]


ACCEPTED_CONTEXTS = {
    "exact": ("exact", (f"{_CLASS}X509", f"{_CLASS}Password"), f"{_CLASS}Password"),
    "minimum": ("minimum", (f"{_CLASS}Password",), PASSWORD),
    "better": ("better", (f"{_CLASS}Password",), PASSWORD),
    "maximum": ("maximum", (PASSWORD,), PASSWORD),
}


@pytest.mark.parametrize(("comparison", "wanted", "stated"), ACCEPTED_CONTEXTS.values(), ids=ACCEPTED_CONTEXTS)
async def test_a_context_that_can_be_had_is_stated(
    site: Site, provider: Provider, comparison: str, wanted: tuple[str, ...], stated: str
) -> None:
    """saml-core-2.0-os section 3.3.2.2.1."""
    await site.sign_in()
    answer = await opened(site, by_redirect(authn_request(site.now, contexts(comparison, *wanted))))
    assert answer.text("//a:AuthnContextClassRef") == stated


async def test_nobody_is_asked_where_the_request_is_passive(site: Site, provider: Provider) -> None:
    """IsPassive: signed in or not, the page is not shown."""
    path = by_redirect(authn_request(site.now, IsPassive="true"))
    assert (await opened(site, path)).status == ["Responder", "NoPassive"]
    await site.sign_in()
    assert (await opened(site, path)).status == ["Success"]


async def test_a_fresh_sign_in_is_forced(site: Site, provider: Provider) -> None:
    """ForceAuthn: the session that is there will not do; the one that is begun for it does."""
    await site.sign_in()
    site.now += 100
    answer = await signed_in(site, by_redirect(authn_request(site.now, ForceAuthn="true")))
    assert answer.text("//a:AuthnStatement/@AuthnInstant") == instant(site.now)


async def test_a_trust_says_how_old_a_sign_in_may_be(site: Site, provider: Provider) -> None:
    """`lifetimes.reauthenticate`, in seconds."""
    await provider.change(trust={"lifetimes": replace(provider.trust.lifetimes, reauthenticate=50.0)})
    await site.sign_in()
    assert (await opened(site, by_redirect(authn_request(site.now)))).status == ["Success"]
    site.now += 51
    shown = await site.open(by_redirect(authn_request(site.now, ID="_request2")))
    assert shown.path.startswith("/signin?")


async def test_a_request_is_answered_with_an_assertion_once(site: Site, provider: Provider) -> None:
    """S23: whoever goes back, or has kept the address, is shown a page."""
    path = by_redirect(authn_request(site.now))
    await signed_in(site, path)
    assert unproven(await site.open(path))


FAILS_ONCE: dict[str, Callable[[Provider], tuple[object, str, Exception]]] = {
    "key": lambda provider: (provider.keys, "active", NoSigningKey("saml", "RSA")),
    "trail": lambda provider: (provider.store.audit, "append", StoreUnavailable("store", "disk full", "")),
    "participants": lambda provider: (provider.store.participants, "add", StoreUnavailable("store", "disk full", "")),
    "seen": lambda provider: (provider.store.seen, "add", StoreUnavailable("store", "disk full", "")),
}


@pytest.mark.parametrize("failing", FAILS_ONCE.values(), ids=FAILS_ONCE)
async def test_what_fails_once_costs_a_reload(
    site: Site,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    failing: Callable[[Provider], tuple[object, str, Exception]],
) -> None:
    """Nobody has to begin again at the application: the address that failed is good until it was answered."""
    await site.sign_in()
    path = by_redirect(authn_request(site.now))
    holder, name, error = failing(provider)
    with monkeypatch.context() as patch:
        patch.setattr(holder, name, Mock(side_effect=error))
        status, page, _ = await site.get(path)
    assert (status, "SAMLResponse" in page) == (503, False)
    assert (await opened(site, path)).status == ["Success"]


async def test_two_who_ask_at_once_are_not_both_answered(
    site: Site, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S23: both have found that the request is not answered yet when the first one is."""
    await site.sign_in()
    both, has = asyncio.Barrier(2), provider.store.seen.has

    async def together(kind: str, key: str, now: float) -> bool:
        found = await has(kind, key, now)
        await both.wait()
        return found

    monkeypatch.setattr(provider.store.seen, "has", together)
    fields = by_post(authn_request(site.now))
    answers = await asyncio.gather(*(site.request("POST", "/saml/sso", data=fields) for _ in range(2)))
    assert sorted(status for status, _, _ in answers) == [200, 400]
    assert sum("SAMLResponse" in page for _, page, _ in answers) == 1


async def test_an_address_that_is_opened_again_is_not_in_the_trail_as_issued(site: Site, provider: Provider) -> None:
    """Nothing is made for it: the trail has the assertions that were given."""
    await site.sign_in()
    path = by_redirect(authn_request(site.now))
    await opened(site, path)
    assert unproven(await site.open(path))
    assert len(await site.store.audit.entries(kind="federation.issued")) == 1


async def test_long_ids_that_begin_alike_are_two_requests(site: Site, provider: Provider) -> None:
    """Each is answered; the second time neither is."""
    await site.sign_in()
    for last in "ab":
        path = by_redirect(authn_request(site.now, ID="_" + 150 * "x" + last))
        assert (await opened(site, path)).status == ["Success"]
        assert unproven(await site.open(path))


async def test_whoever_may_not_use_the_application_is_told_whom_to_ask(site: Site, provider: Provider) -> None:
    """And the party is told nothing."""
    await provider.change(trust={"access": TrustAccess(groups=("Wiki users",), ask="the wiki team, room 4")})
    await site.sign_in()
    shown = await site.open(by_redirect(authn_request(site.now)))
    assert (shown.status, "SAMLResponse" in shown.page) == (403, False)
    assert "the wiki team, room 4" in shown.page


async def test_people_start_where_the_trust_allows_it(site: Site, provider: Provider) -> None:
    """IdP-initiated: no InResponseTo, a RelayState of the address or of the trust."""
    assert (await site.open("/saml/start/wiki")).status == 400
    await provider.change(idp_initiated=True, relay_state="home")
    answer = await signed_in(site, "/saml/start/wiki")
    assert answer.find("//@InResponseTo") == []
    assert (answer.action, answer.relay_state, answer.status) == (ACS, "home", ["Success"])
    assert (await opened(site, "/saml/start/wiki?RelayState=page/2")).relay_state == "page/2"
    assert (await site.open("/saml/start/elsewhere")).status == 400


async def test_who_starts_there_has_signed_in_lately_where_the_trust_says_so(site: Site, provider: Provider) -> None:
    """An older sign-in is no proof, although nobody asked with ForceAuthn."""
    await provider.change(idp_initiated=True, trust={"lifetimes": Lifetimes(reauthenticate=60.0)})
    await site.sign_in()
    assert (await opened(site, "/saml/start/wiki")).status == ["Success"]
    site.now += 61
    assert (await site.open("/saml/start/wiki")).path.startswith("/signin?")


async def test_a_trust_that_changes_while_somebody_signs_in_is_heeded(site: Site, provider: Provider) -> None:
    """The address of the answer has to be the party's when the answer is given."""
    shown = await site.open(by_redirect(authn_request(site.now)))
    await provider.change(consumers=tuple(replace(one, url=f"{one.url}/new") for one in provider.trust.saml.consumers))
    await site.sign_in(return_to=shown.field("return_to"))
    assert unproven(await site.open(shown.field("return_to")))


async def test_each_assertion_is_in_the_trail(site: Site, provider: Provider) -> None:
    """By its ID and the hash of the response, so that one that turns up can be traced."""
    answer = await signed_in(site, by_redirect(authn_request(site.now)))
    (entry,) = [entry for entry in await site.store.audit.entries(kind="federation.issued") if entry.event.via == "saml"]
    assert entry.event.detail["assertion_id"] == answer.text("//a:Assertion/@ID")
    assert entry.event.actor == "trust:wiki"


async def test_the_party_takes_part_in_the_session(site: Site, provider: Provider) -> None:
    """Under the SessionIndex that it was told."""
    answer = await signed_in(site, by_redirect(authn_request(site.now)))
    found = await site.store.participants.find("wiki", answer.text("//a:AuthnStatement/@SessionIndex"))
    assert found is not None


async def test_the_metadata_says_who_we_are(site: Site, provider: Provider) -> None:
    """Signed by the key that signs; its certificate is in it; cached no longer than the rollover waits."""
    status, page, headers = await site.get("/saml/metadata")
    assert (status, headers["Content-Type"]) == (200, "application/samlmetadata+xml")
    assert f'entityID="{IDP}"' in page
    assert f'Location="{SSO}"' in page
    assert provider.keys.settings.max_age > 0
    assert headers["Cache-Control"] == f"public, max-age={int(provider.keys.settings.max_age)}"
    again = await site.get("/saml/metadata", headers={"If-None-Match": headers["ETag"]})
    assert again[0] == 304


async def test_the_metadata_decides_nothing_for_a_party(site: Site) -> None:
    """python3-saml asks for the first format of names that stands there, and stops signing where it reads `false`."""
    _, page, _ = await site.get("/saml/metadata")
    formats = re.findall(r"NameIDFormat>([^<]+)</", page)
    assert formats[0] == "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
    assert len(formats) == 4
    assert "WantAuthnRequestsSigned" not in page
