"""Tokens and answers that are not what they seem: what is read was signed."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner

from adfs_mgmt.farm.token_request import outcome_of
from foundation.saml import (
    MAX_ANSWER_BYTES,
    WS_TRUST_13,
    WS_TRUST_2005,
    Fault,
    SamlError,
    SignInOutcome,
    WsTrust,
    make_token_request,
    read_assertion,
    read_token_answer,
)
from tests.adfs.farm import samples
from tests.adfs.farm.samples import NOW
from tests.adfs.simulator.ws_trust import DS, SAML1, SAML2, assertion_1, assertion_2, sign, wrap
from tests.adfs.simulator.x509 import Cert

PARTY, ISSUER = "urn:payroll", "http://fs.example.com/adfs/services/trust"
PASSWORD = "Pr0be-Passw0rd"
PRIMARY = Cert(samples.signing().parsed, samples.signing().key)
STRANGER = Cert(samples.signing(key=9).parsed, samples.signing(key=9).key)


def good(version: str = "2.0", signer: Cert = PRIMARY, audience: str = PARTY, at: float = NOW) -> etree._Element:
    make = assertion_2 if version == "2.0" else assertion_1
    return sign(make(ISSUER, audience, "probe@example.com", at), signer)


def evil(version: str = "2.0") -> etree._Element:
    """What the attacker wants to be believed: not signed."""
    make = assertion_2 if version == "2.0" else assertion_1
    made = make("http://evil", "urn:evil", "admin@example.com", NOW)
    made.remove(made.find(f"{{{DS}}}Signature"))
    return made


def reread(element: etree._Element) -> etree._Element:
    """As it comes over the network."""
    return etree.fromstring(etree.tostring(element))


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_a_good_assertion(version: str) -> None:
    """Of both versions: everything is read."""
    token = read_assertion(reread(good(version)))
    assert token.version == f"SAML {version}"
    assert (token.issuer, token.audiences, token.not_before, token.not_after) == (ISSUER, (PARTY,), NOW, NOW + 3600)


# -- wrong signatures


def altered(text: bytes, by: bytes, version: str = "2.0") -> etree._Element:
    data = etree.tostring(good(version))
    assert data.count(text)
    return etree.fromstring(data.replace(text, by))


def unsigned() -> etree._Element:
    return evil()


def doubled() -> etree._Element:
    made = good()
    made.append(copy.deepcopy(made.find(f"{{{DS}}}Signature")))
    return made


def taken(signed: etree._Element, keep: bool) -> etree._Element:
    """The signature out of it, so that what is left has the digest that was signed; or a copy of it."""
    signature = signed.find(f"{{{DS}}}Signature")
    if keep:
        return copy.deepcopy(signature)
    signed.remove(signature)
    return signature


def inside_advice(keep: bool = False) -> etree._Element:
    """The signed one is in it, its signature at the top: it refers to what nobody reads."""
    signed, outer = good(), evil()
    outer.insert(1, taken(signed, keep))
    etree.SubElement(outer, f"{{{SAML2}}}Advice").append(signed)
    return outer


def inside_object(keep: bool = False) -> etree._Element:
    """The signed one is in the signature's own object."""
    signed, outer = good(), evil()
    signature = taken(signed, keep)
    etree.SubElement(signature, f"{{{DS}}}Object").append(signed)
    outer.insert(1, signature)
    return outer


def same_id(version: str = "2.0", keep: bool = False) -> etree._Element:
    """Both answer to the name in the signature."""
    name = "ID" if version == "2.0" else "AssertionID"
    namespace = SAML2 if version == "2.0" else SAML1
    signed, outer = good(version), evil(version)
    outer.set(name, signed.get(name))
    outer.append(taken(signed, keep))
    etree.SubElement(outer, f"{{{namespace}}}Advice").append(signed)
    return outer


def foreign_id() -> etree._Element:
    """An attribute of another namespace that is called ID, too."""
    made = inside_advice()
    made.set("{urn:x}ID", next(made.iter(f"{{{SAML2}}}Advice"))[0].get("ID"))
    return made


def another_attribute() -> etree._Element:
    """A SAML 1.1 assertion whose ID is in 2.0's attribute."""
    made = good("1.1")
    made.set("ID", made.get("AssertionID"))
    del made.attrib["AssertionID"]
    return made


def by_secret() -> etree._Element:
    """Signed with the public certificate as if it were a shared secret."""
    made = assertion_2("http://evil", "urn:evil", "admin@example.com", NOW)
    signer = XMLSigner(method=SignatureConstructionMethod.enveloped, signature_algorithm="hmac-sha256")
    signed = signer.sign(made, key=PRIMARY.pem, reference_uri=made.get("ID"), id_attribute="ID")
    info = copy.deepcopy(good().find(f".//{{{DS}}}KeyInfo"))
    signature = signed.find(f"{{{DS}}}Signature")
    for old in signature.findall(f"{{{DS}}}KeyInfo"):
        signature.remove(old)
    signature.append(info)
    return signed


def two_certificates() -> etree._Element:
    made = good()
    data = made.find(f".//{{{DS}}}X509Data")
    data.append(copy.deepcopy(data[0]))
    return made


BROKEN: dict[str, Callable[[], etree._Element]] = {
    "not signed": unsigned,
    "audience altered": lambda: altered(b"urn:payroll", b"urn:evil"),
    "audience altered, 1.1": lambda: altered(b"urn:payroll", b"urn:evil", "1.1"),
    "issuer altered": lambda: altered(b">http://fs.", b">http://xs."),
    "time altered": lambda: altered(b"2026-03-01T13", b"2036-03-01T13"),
    "two signatures": doubled,
    "wrapped in advice": inside_advice,
    "wrapped in advice, signature and all": lambda: inside_advice(keep=True),
    "wrapped in the signature": inside_object,
    "wrapped in the signature, signature and all": lambda: inside_object(keep=True),
    "wrapped, with the same ID": same_id,
    "wrapped, with the same ID, 1.1": lambda: same_id("1.1"),
    "wrapped, with the same ID, signature and all": lambda: same_id(keep=True),
    "wrapped, with a foreign ID": foreign_id,
    "ID of the other version": another_attribute,
    "signed by a secret": by_secret,
    "two certificates": two_certificates,
    "not an assertion": lambda: etree.Element("Assertion"),
    "another namespace": lambda: altered(SAML2.encode(), b"urn:oasis:names:tc:SAML:3.0:assertion"),
}


@pytest.mark.parametrize("attack", BROKEN)
def test_a_signature_that_does_not_cover_what_is_read(attack: str) -> None:
    """Nothing is read."""
    with pytest.raises(SamlError):
        read_assertion(reread(BROKEN[attack]()))


def test_the_attacks_can_be_told_from_good_tokens() -> None:
    """What is wrapped is good by itself, or once its signature is back: the refusals above are not for a typing error."""
    for made in (inside_advice(keep=True), inside_object(keep=True), same_id(keep=True), inside_advice()):
        root = reread(made)
        inner = next(each for each in root.iter(f"{{{SAML2}}}Assertion") if each is not root)
        if inner.find(f"{{{DS}}}Signature") is None:
            inner.insert(1, root.find(f"{{{DS}}}Signature"))
        assert read_assertion(inner).audiences == (PARTY,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Conditions", b"<Conditions/><Conditions"),
        (b' NotBefore="', b' Before="'),
        (b"NotOnOrAfter", b"After"),
        (b"2026-03-01T12:00:00.000Z", b"2026-03-01T12:00:00.000"),
        (b"2026-03-01T12:00:00.000Z", b"yesterday"),
        (b"<AudienceRestriction>", b"<AudienceRestriction/><AudienceRestriction>"),
        (b"<Issuer>", b"<Issuer/><Issuer>"),
        (b"<Audience>", b"<Audience/>" * 60 + b"<Audience>"),
    ],
    ids=["conditions", "no begin", "no end", "no zone", "no time", "restrictions", "issuers", "audiences"],
)
def test_signed_nonsense(old: bytes, new: bytes) -> None:
    """What is ambiguous is refused even where the signature holds."""
    data = etree.tostring(assertion_2(ISSUER, PARTY, "probe@example.com", NOW))
    assert old in data
    with pytest.raises(SamlError):
        read_assertion(reread(sign(etree.fromstring(data.replace(old, new)), PRIMARY)))


def test_a_comment_hides_nothing() -> None:
    """`urn:payroll<!-- -->.evil` is not `urn:payroll`: canonical form has no comments, and a text is read whole."""
    data = etree.tostring(good(audience="urn:payroll.evil"))
    token = read_assertion(etree.fromstring(data.replace(b"urn:payroll.evil", b"urn:payroll<!-- -->.evil")))
    assert token.audiences == ("urn:payroll.evil",)


# -- whole answers

GOOD = {version: good(version) for version in ("1.1", "2.0")}
ANSWER = wrap(WS_TRUST_13.path, good())


@pytest.mark.parametrize("protocol", [WS_TRUST_13, WS_TRUST_2005], ids=["1.3", "2005"])
def test_a_good_answer(protocol: WsTrust) -> None:
    """Of both protocols."""
    found = read_token_answer(wrap(protocol.path, good()), protocol)
    assert not isinstance(found, Fault)
    assert read_assertion(found).issuer == ISSUER


_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not XML",
        b"<html>Sign in</html>",
        wrap(WS_TRUST_2005.path, good()),
        wrap(WS_TRUST_13.path),
        wrap(WS_TRUST_13.path, evil(), good()),
        ANSWER.replace(b"soap-envelope", b"soap-env", 1),
        ANSWER.replace(b"RequestedSecurityToken>", b"RequestedSecurityTokenX>"),
        f'<!DOCTYPE l [<!ENTITY l0 "ha">{_LAUGHS}]>'.encode() + ANSWER.replace(b"urn:payroll", b"&l9;"),
        b'<!DOCTYPE l [<!ENTITY l SYSTEM "file:///etc/passwd">]>' + ANSWER.replace(b"urn:payroll", b"&l;"),
        ANSWER.decode().encode("utf-16"),
        ANSWER + b" " * MAX_ANSWER_BYTES,
        b"<a>" * 100_000,
    ],
    ids=[
        "empty", "text", "html", "other protocol", "no token", "two tokens", "not soap", "no element", "laughs",
        "external entity", "UTF-16", "huge", "deep",
    ],
)  # fmt: skip
def test_an_answer_that_is_none(data: bytes) -> None:
    """Refused at once."""
    begun = time.process_time()
    with pytest.raises(SamlError):
        read_token_answer(data, WS_TRUST_13)
    assert time.process_time() - begun < 5


def test_a_fault_is_one_line_without_control_characters() -> None:
    """A terminal would obey them."""
    text = b"ID3242: " + "\x9b31mred\u202eder".encode() + b"\n" + b"x" * 5000
    envelope = (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>'
        b"<s:Subcode><s:Value>a:FailedAuthentication</s:Value></s:Subcode></s:Code><s:Reason><s:Text>" + text + b"</s:Text>"
        b"</s:Reason></s:Fault></s:Body></s:Envelope>"
    )
    found = read_token_answer(envelope, WS_TRUST_13)
    assert isinstance(found, Fault)
    assert found.codes == ("Sender", "FailedAuthentication")
    assert outcome_of(found) is SignInOutcome.REFUSED
    assert found.text.isprintable()
    assert len(found.text) == 300


@given(at=st.integers(0, len(ANSWER) - 1), byte=st.integers(0, 255), insert=st.booleans())
def test_one_byte_changes_nothing_that_is_read(at: int, byte: int, insert: bool) -> None:
    """Either nothing is read, or exactly what was signed. The certificate beside the signature is not part of that: another
    one is another thumbprint, which is judged, but the key is the signer's all the same."""
    data = ANSWER[:at] + bytes([byte]) + ANSWER[at + (not insert) :]
    with contextlib.suppress(SamlError):
        found = read_token_answer(data, WS_TRUST_13)
        if not isinstance(found, Fault):
            token = read_assertion(found)
            assert (token.issuer, token.audiences, token.not_after) == (ISSUER, (PARTY,), NOW + 3600)
            assert x509.load_der_x509_certificate(token.signer.der).public_key() == PRIMARY.parsed.public_key()


_VALUES = ("", "#", "urn:evil", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", f"{DS}enveloped-signature", "AAAA")


@given(
    version=st.sampled_from(["1.1", "2.0"]),
    steps=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=3),
)
def test_whatever_is_done_to_its_elements(version: str, steps: list[tuple[int, int, int]]) -> None:
    """Removed, doubled, moved, renamed, with other texts: nothing is read, or exactly what was signed."""
    root = reread(GOOD[version])
    for step, one, other in steps:
        every = list(root.iter())
        element, second = every[one % len(every)], every[other % len(every)]
        if step == 0 and element is not root:
            element.getparent().remove(element)
        elif step == 1 and element is not root:
            element.addnext(copy.deepcopy(second))
        elif step == 2:
            element.append(copy.deepcopy(second))
        elif step == 3:
            element.tag = second.tag
        else:
            element.text = _VALUES[other % len(_VALUES)]
    with contextlib.suppress(SamlError):
        token = read_assertion(root)
        assert (token.issuer, token.audiences, token.not_before, token.not_after) == (ISSUER, (PARTY,), NOW, NOW + 3600)


def test_what_is_typed_stays_text_in_the_request() -> None:
    """Markup in name, password or relying party; what XML cannot hold is an error that does not tell the password."""
    data = make_token_request(WS_TRUST_13, "https://x/", "a<b", "]]>&\"'</o:Password>", "urn:<x>", NOW)
    root = etree.fromstring(data)
    assert [each.text for each in root.iter("{*}Password")] == ["]]>&\"'</o:Password>"]
    assert [each.text for each in root.iter("{*}Username")] == ["a<b"]
    with pytest.raises(ValueError, match="XML") as caught:
        make_token_request(WS_TRUST_13, "https://x/", "a", f"{PASSWORD}\x01", "urn:x", NOW)
    assert PASSWORD not in str(caught.value)
