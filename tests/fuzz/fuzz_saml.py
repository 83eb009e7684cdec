"""Fuzz target: what `foundation.saml` reads of strangers.

    python -m tests.fuzz.fuzz_saml -max_total_time=60 [corpus directory]      (needs atheris)

The first byte of an input chooses a stage, the rest is what the attacker sends:

    anything    bytes to every reader
    bent        a message as real parties write it, changed, cut off or longer
    signed      a signed message, or a signed query, that was changed after it was signed
    encrypted   an encrypted name that was changed

Whatever comes, it is read or refused as SamlError. An exception that escapes is a finding, and so is a message that verifies
and says something else than what was signed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from foundation.saml import (
    AUTHN_REQUEST,
    LOGOUT_REQUEST,
    SamlError,
    decrypt_element,
    read_authn_request,
    read_envelope,
    read_logout_request,
    read_logout_response,
    read_metadata,
    read_name_id,
    read_party_metadata,
    read_posted,
    read_redirect,
    sign_redirect,
    verify_enveloped,
    verify_redirect,
    write_envelope,
)
from tests.foundation.saml.parties import authn_request, logout_request, logout_response, party
from tests.foundation.saml.signing import hand_signed
from tests.foundation.saml.test_encryption import CBC, GENUINE
from tests.foundation.saml.test_party_metadata import FULL, signed, thumbprint
from tests.fuzz.fuzz_protocol import Finding, Source, instrument

READERS: tuple[Callable[[bytes], object], ...] = (
    read_authn_request,
    read_logout_request,
    read_logout_response,
    read_name_id,
    read_party_metadata,
    read_metadata,
    read_envelope,
    lambda data: read_posted(data.decode("utf-8", "replace")),
    lambda data: read_redirect(data.decode("utf-8", "replace")),
)
MESSAGES = (authn_request(), logout_request(), logout_response(), FULL.encode(), write_envelope(logout_request()))
REQUEST, LOGOUT, METADATA = hand_signed(authn_request()), hand_signed(logout_request()), signed()
QUERY = sign_redirect("SAMLRequest", authn_request(), "state", party().key)


def bent(source: Source, whole: bytes) -> bytes:
    """Changed at up to three places."""
    for _ in range(1 + source.below(3)):
        at, put_in = source.below(len(whole) + 1), source.blob()
        whole = whole[:at] + put_in + source.pick((whole[at:], whole[at + len(put_in) :], whole[at + 1 :], b""))
    return whole


def anything(source: Source) -> list[object]:
    """Raw bytes."""
    return _read(source.blob(), *READERS)


def bent_message(source: Source) -> list[object]:
    """To the reader for it, and to the others."""
    return _read(bent(source, source.pick(MESSAGES)), *READERS)


def signed_message(source: Source) -> list[object]:
    """Verified, and then the same as before."""
    checks: tuple[Callable[[Source], object], ...] = (_enveloped, _logout, _query, _metadata)
    with suppress(SamlError):
        return [source.pick(checks)(source)]
    return []


def encrypted(source: Source) -> list[object]:
    """An element that was changed, with the key that opens it."""
    data = bent(source, source.pick((GENUINE, CBC)))
    return _read(data, lambda changed: decrypt_element(changed, [party().key], "name", cbc=bool(source.below(2))))


def _read(data: bytes, *readers: Callable[[bytes], object]) -> list[object]:
    found = []
    for reader in readers:
        with suppress(SamlError):
            found.append(reader(data))
    return found


def _same(found: object, expected: object) -> object:
    if found != expected:
        raise Finding("it verifies, and says something else than what was signed")
    return found


def _enveloped(source: Source) -> object:
    data = bent(source, REQUEST)
    document = verify_enveloped(data, [party().certificate], "message", root_tags=[AUTHN_REQUEST]).document
    return _same(read_authn_request(document), read_authn_request(authn_request()))


def _logout(source: Source) -> object:
    data = bent(source, LOGOUT)
    document = verify_enveloped(data, [party().certificate], "message", root_tags=[LOGOUT_REQUEST]).document
    return _same(read_logout_request(document), read_logout_request(logout_request()))


def _query(source: Source) -> object:
    message = read_redirect(bent(source, QUERY.encode()).decode("utf-8", "replace"))
    verify_redirect(message, [party().certificate])
    return _same((message.document, message.relay_state), (authn_request(), "state"))


def _metadata(source: Source) -> object:
    pinned = thumbprint(party("federation"))
    return _same(read_party_metadata(bent(source, METADATA), signer=pinned), read_party_metadata(METADATA, signer=pinned))


STAGES = (signed_message, bent_message, encrypted, anything)


def fuzz_one(data: bytes) -> list[object]:
    """Run one input; returns what was read of it. Raises Finding, or whatever escaped from a reader."""
    source = Source(data)
    return source.pick(STAGES)(source)


def main() -> None:
    """Fuzz until libFuzzer's options say otherwise."""
    try:
        import atheris
    except ImportError:
        raise SystemExit("atheris is not installed: pip install 'isthmus[fuzz]'") from None

    instrument(atheris, ("foundation.saml", "foundation.xml"))

    def run(data: bytes) -> Any:
        fuzz_one(data)

    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
