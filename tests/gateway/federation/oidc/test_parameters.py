"""Parameters of a request (RFC 6749 section 3.1)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.federation.oidc.authorization_request import PROMPTS, read_authorization_request
from gateway.federation.oidc.claims_request import read_claims_request
from gateway.federation.oidc.errors import InvalidRequest, OAuthError
from gateway.federation.oidc.parameters import MOST, Parameters


@pytest.mark.parametrize(
    "text",
    [
        "&".join(f"p{number}=1" for number in range(MOST + 1)),
        "state=" + "x" * 8193,
        "state=%00",
        "state=a%1bb",
        "state=%ff",
        b"state=\xff",
    ],
)
def test_what_is_no_bounded_text_is_refused(text: str | bytes) -> None:
    """Too many, too long, control characters, no UTF-8."""
    with pytest.raises(InvalidRequest):
        Parameters.parse(text)


def test_a_parameter_that_is_there_twice_has_no_value() -> None:
    """Neither the first nor the last is taken."""
    parameters = Parameters.parse("client_id=a&client_id=b")
    with pytest.raises(InvalidRequest) as refused:
        parameters.one("client_id")
    assert refused.value.parameter == "client_id"


def test_any_parameter_that_is_there_twice_refuses_the_request() -> None:
    """Unknown ones too; only `resource` may be repeated (RFC 8707 section 2)."""
    with pytest.raises(InvalidRequest):
        Parameters.parse("x=1&x=1").check_unique()
    parameters = Parameters.parse("resource=https://a.example&resource=https://b.example")
    parameters.check_unique()
    assert parameters.many("resource") == ("https://a.example", "https://b.example")


def test_an_empty_value_is_none() -> None:
    """RFC 6749 section 3.1: parameters sent without a value are treated as if they were omitted."""
    parameters = Parameters.parse("state=&nonce=n")
    assert "state" not in parameters
    assert parameters.one("state") == ""
    with pytest.raises(InvalidRequest):
        parameters.required("state")


@given(st.text(max_size=300))
def test_any_query_is_read_or_refused(text: str) -> None:
    """No query ends in anything but a request or an error for the client."""
    with contextlib.suppress(OAuthError):
        assert read_authorization_request(Parameters.parse(text)).max_age is None


@given(st.lists(st.tuples(st.sampled_from(["prompt", "max_age", "claims", "scope", "login_hint"]), st.text(max_size=60))))
def test_any_value_of_a_known_parameter_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    """The same for parameters with a form of their own."""
    with contextlib.suppress(OAuthError):
        assert read_authorization_request(Parameters(pairs)).prompt <= PROMPTS


@pytest.mark.parametrize(
    "query",
    [
        "prompt=none+login",
        "prompt=create",
        "max_age=-1",
        "max_age=1.5",
        "max_age=1e3",
        "max_age=99999999999",
        "login_hint=" + "x" * 513,
        "claims=%7B",
        "claims=[]",
        'claims={"id_token":{"acr":7}}',
        'claims={"id_token":' + "[" * 2000 + "}",
    ],
)
def test_malformed_values_are_refused(query: str) -> None:
    """Never guessed at."""
    with pytest.raises(InvalidRequest):
        read_authorization_request(Parameters.parse(query))


def test_single_claims_are_read() -> None:
    """OpenID Connect Core section 5.5: with null, essential, value and values; the rest of it is ignored."""
    wanted = read_claims_request(
        '{"userinfo": {"mail": null, "x": {"essential": true, "other": 1}},'
        ' "id_token": {"acr": {"essential": true, "values": ["a", "b"]}, "sub": {"value": "s"}}, "more": 1}'
    )
    assert wanted.userinfo == {"mail", "x"}
    assert wanted.id_token == {"acr", "sub"}
    assert (wanted.acr, wanted.acr_essential, wanted.subject) == (("a", "b"), True, "s")


def test_what_an_error_tells_is_the_same_for_each_class() -> None:
    """A stranger learns no reason: the detail is for the log."""
    told = {InvalidRequest("one reason").told, InvalidRequest("another").told}
    assert len(told) == 1
    assert "reason" not in told.pop()
