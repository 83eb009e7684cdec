"""The applications that the benchmark signs in to, as trusts."""

from __future__ import annotations

import hashlib
import json

from demo.stand import Stand
from demo.throwaway_tls import write_signing_certificate

CALLBACK, ACS = "https://app.example.com/callback", "https://wiki.example.com/acs"
SECRET = "a secret of the benchmark's client"
_DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()


def oidc_toml(name: str, algorithm: str = "RS256") -> str:
    """A web application that is a client of its own, too. name: id of the trust, and `client_id`."""
    return f"""
id = "{name}"
name = "Application"
protocol = "oidc"

[oidc]
redirect_uris = ["{CALLBACK}"]
authentication = "client_secret_post"
grants = ["authorization_code", "refresh_token", "client_credentials"]
scopes = ["openid", "profile", "email", "offline_access", "read"]
signing_algorithm = "{algorithm}"
secrets = [{{ digest = "{_DIGEST}" }}]
"""


def saml_toml(name: str, encryption_certificate: str = "") -> str:
    """A SAML party. encryption_certificate: PEM; assertions are encrypted with it."""
    encrypted = (
        f'encrypt = true\nencryption_certificate = """{encryption_certificate}"""\n' if encryption_certificate else ""
    )
    return f"""
id = "{name}"
name = "Wiki"
protocol = "saml"

[saml]
entity_id = "{entity_id(name)}"
{encrypted}consumers = [{{ url = "{ACS}", default = true }}]
"""


def entity_id(name: str) -> str:
    """Of a SAML party."""
    return f"https://wiki.example.com/{name}"


def add_trusts(stand: Stand) -> None:
    """One of each kind."""
    certificate = stand.home / "wiki.pem"
    write_signing_certificate(stand.home / "wiki.key", certificate, name="wiki.example.com")
    texts = {
        "app": oidc_toml("app"),
        "curve": oidc_toml("curve", "ES256"),
        "wiki": saml_toml("wiki"),
        "secret-wiki": saml_toml("secret-wiki", certificate.read_text()),
    }
    for name, text in texts.items():
        path = stand.home / f"{name}.toml"
        path.write_text(text)
        stand.run("relay", "trust", "import", "--config", str(stand.relay_config), "--yes", str(path))
    wait_for_keys(stand)


def wait_for_keys(stand: Stand) -> None:
    """They are made once there is a trust."""
    stand.wait_for(lambda: json.loads(stand.get("/oidc/jwks")[1])["keys"], "the signing keys", "relay")
