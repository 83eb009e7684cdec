"""What a signature costs: RSA-2048 alone, and a response signed by pysaml2 with the xmlsec1 program and in process."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from saml2 import class_name, saml, samlp
from saml2.sigver import CryptoBackendXmlSec1, SecurityContext, pre_signature_part
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from bench.measure import show
from certs import read_certificate
from demo.throwaway_tls import write_signing_certificate
from foundation.saml import sign_element

_ROUNDS = 5


def signature_ms() -> float:
    """RSA-2048 alone."""
    key, data = rsa.generate_private_key(65537, 2048), secrets.token_bytes(64)
    return _milliseconds(lambda: key.sign(data, padding.PKCS1v15(), SHA256()), 200)


def measure() -> None:
    """`saml.sign_ratio`. Raises RuntimeError where xmlsec1 is not installed."""
    program = shutil.which("xmlsec1")
    if program is None:
        raise RuntimeError("xmlsec1 is missing: deploy/ensure-packages bench")
    with tempfile.TemporaryDirectory() as home:
        key_file, certificate_file = Path(home) / "key.pem", Path(home) / "certificate.pem"
        write_signing_certificate(key_file, certificate_file, name="idp.example.com")
        key = load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - it was written so
        text = "".join(certificate_file.read_text().splitlines()[1:-1])
        certificate = read_certificate(base64.b64decode(text))
        unsigned, prepared = _response(""), _response(text)
        context = SecurityContext(CryptoBackendXmlSec1(program), str(key_file), cert_file=str(certificate_file))
        name, whose = class_name(samlp.Response()), unsigned.id
        plain, template = unsigned.to_string(), str(prepared)
        elsewhere = _milliseconds(lambda: context.sign_statement(template, name, key_file=str(key_file), node_id=whose), 10)
        here = _milliseconds(lambda: sign_element(plain, whose, key, certificate), 100)
    remark = f"{elsewhere:.1f} ms by pysaml2 with the xmlsec1 program, {here:.2f} ms here"
    show("saml.sign_ratio", elsewhere / here, remark)


def _response(certificate: str) -> samlp.Response:
    """certificate: base64 of its DER; with it goes the template that pysaml2 has xmlsec1 fill in."""
    instant, issuer = "2026-01-01T00:00:00Z", "https://idp.example.com/saml/metadata"
    attributes = {name: f"{name} of somebody" for name in ("mail", "displayName", "givenName", "sn", "uid")}
    values = {name: [saml.AttributeValue(text=text)] for name, text in attributes.items()}
    assertion = saml.Assertion(
        id="_assertion",
        version="2.0",
        issue_instant=instant,
        issuer=saml.Issuer(text=issuer),
        subject=saml.Subject(name_id=saml.NameID(text="somebody")),
        attribute_statement=[
            saml.AttributeStatement(
                attribute=[saml.Attribute(name=name, attribute_value=value) for name, value in values.items()]
            )
        ],
    )
    signature = pre_signature_part("_response", certificate, 1, DIGEST_SHA256, SIG_RSA_SHA256) if certificate else None
    return samlp.Response(
        id="_response",
        version="2.0",
        issue_instant=instant,
        issuer=saml.Issuer(text=issuer),
        signature=signature,
        status=samlp.Status(status_code=samlp.StatusCode(value="urn:oasis:names:tc:SAML:2.0:status:Success")),
        assertion=[assertion],
    )


def _milliseconds(work: Callable[[], object], times: int) -> float:
    """Processor time of one, programs that it runs included: the median of rounds."""
    work()
    figures = []
    for _ in range(_ROUNDS):
        before = _spent()
        for _ in range(times):
            work()
        figures.append((_spent() - before) / times * 1000)
    return statistics.median(figures)


def _spent() -> float:
    """The kernel counts children's time in its ticks: many together are right all the same."""
    children = os.times()
    return time.process_time() + children.children_user + children.children_system
