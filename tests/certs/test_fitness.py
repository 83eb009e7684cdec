"""Whether a certificate can be used for what it is meant for."""

from __future__ import annotations

import pytest

from certs import Certificate, untrusted


@pytest.mark.parametrize(
    ("server_auth", "self_signed", "said"),
    [
        (True, False, []),
        (False, False, ["is not valid for servers (no Server Authentication usage); request one that is"]),
        (True, True, ["is self-signed, so no browser trusts it; use one from a CA"]),
    ],
)
def test_what_browsers_take_from_servers(server_auth: bool, self_signed: bool, said: list[str]) -> None:
    """Server Authentication, by an authority."""
    certificate = Certificate(
        thumbprint="A" * 40,
        subject="CN=fs.example.com",
        issuer="CN=CA",
        not_before=0.0,
        not_after=1.0,
        server_auth=server_auth,
        self_signed=self_signed,
    )
    assert untrusted(certificate) == [f"certificate {'A' * 40} {problem}" for problem in said]
