"""Messages of pysaml2, which somebody else wrote: read here as it meant them, and what is signed here is read there."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from foundation.saml import (
    encrypt_element,
    read_authn_request,
    read_logout_request,
    read_logout_response,
    read_party_metadata,
    sign_element,
)
from tests.foundation.saml.parties import ENTITY, IDP, PASSWORD_CONTEXT, PERSISTENT, party, response

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
HEAD = {"version": "2.0", "issue_instant": "2026-12-01T08:00:00Z"}


@pytest.fixture(scope="module")
def pysaml2() -> Any:
    with warnings.catch_warnings():  # of what cryptography has moved
        warnings.simplefilter("ignore")
        import saml2.md
        import saml2.saml
        import saml2.samlp
    return saml2


def test_its_authn_request(pysaml2: Any) -> None:
    """As its client writes it."""
    saml, samlp = pysaml2.saml, pysaml2.samlp
    context = samlp.RequestedAuthnContext(
        authn_context_class_ref=[saml.AuthnContextClassRef(text=PASSWORD_CONTEXT)], comparison="exact"
    )
    message = samlp.AuthnRequest(
        id="id-1",
        issuer=saml.Issuer(text=ENTITY),
        assertion_consumer_service_url="https://grafana.example.com/acs",
        protocol_binding=POST,
        name_id_policy=samlp.NameIDPolicy(format=PERSISTENT, allow_create="true"),
        requested_authn_context=context,
        force_authn="true",
        **HEAD,
    )
    read = read_authn_request(str(message).encode())
    assert (read.id, read.issuer, read.consumer_url) == ("id-1", ENTITY, "https://grafana.example.com/acs")
    assert (read.contexts, read.name_id_format, read.allow_create) == ((PASSWORD_CONTEXT,), PERSISTENT, True)
    assert read.force_authn


def test_its_logout_messages(pysaml2: Any) -> None:
    """Request and response."""
    saml, samlp = pysaml2.saml, pysaml2.samlp
    issuer = saml.Issuer(text=ENTITY)
    request = samlp.LogoutRequest(
        id="id-2",
        issuer=issuer,
        name_id=saml.NameID(text="anna", format=PERSISTENT, sp_name_qualifier=ENTITY),
        session_index=[samlp.SessionIndex(text="s1"), samlp.SessionIndex(text="s2")],
        **HEAD,
    )
    read = read_logout_request(str(request).encode())
    assert read.name_id is not None
    assert (read.name_id.value, read.name_id.sp_qualifier, read.session_indexes) == ("anna", ENTITY, ("s1", "s2"))
    status = samlp.Status(status_code=samlp.StatusCode(value=samlp.STATUS_SUCCESS))
    answer = samlp.LogoutResponse(id="id-3", issuer=issuer, in_response_to="id-2", status=status, **HEAD)
    assert read_logout_response(str(answer).encode()).succeeded


def test_its_metadata(pysaml2: Any) -> None:
    """Of a service provider."""
    md = pysaml2.md
    role = md.SPSSODescriptor(
        protocol_support_enumeration=pysaml2.samlp.NAMESPACE,
        authn_requests_signed="true",
        assertion_consumer_service=[
            md.AssertionConsumerService(binding=POST, location="https://grafana.example.com/acs", index="1")
        ],
    )
    read = read_party_metadata(str(md.EntityDescriptor(entity_id=ENTITY, spsso_descriptor=role)).encode())
    assert (read.entity_id, read.requests_signed) == (ENTITY, True)
    assert [(row.url, row.index) for row in read.consumers] == [("https://grafana.example.com/acs", 1)]


def test_what_is_signed_and_encrypted_here_is_read_there(pysaml2: Any) -> None:
    """The signature and the encrypted assertion stand where its object model expects them."""
    signed = sign_element(response(), "_assertion1", party().key, party().certificate)
    read = pysaml2.samlp.response_from_string(signed)
    assert read.issuer.text == IDP
    assert read.assertion[0].signature.signed_info.reference[0].uri == "#_assertion1"
    assert read.assertion[0].subject.name_id.text == "anna@corp.example.com"
    hidden = pysaml2.samlp.response_from_string(encrypt_element(signed, "_assertion1", party().certificate))
    assert hidden.assertion == []
    assert hidden.encrypted_assertion[0].encrypted_data.encryption_method.algorithm.endswith("aes256-gcm")
