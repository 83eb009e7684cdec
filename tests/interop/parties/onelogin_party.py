"""A SAML service provider by python3-saml (OneLogin), in lines of JSON. Run by the Python of an environment of its own.

The first line has `entity_id`, `acs`, `slo`, `key` and `certificate` of the party, and `idp`, the identity provider's
metadata. Each line after it is a question with `do`, and gets a line:

- `metadata` (`encrypted`: whether assertions have to be, `name_encrypted`: whether names have to, and are in what it asks):
  `metadata`, its own
- `request` (`relay_state`, `force`): `url`
- `response` (`fields` of the form that came; `asked`: whether it answers the last request): `name_id`, `name_id_format`,
  `session_index`, `attributes`, `relay_state`
- `leave`: `url` of a request to sign out
- `asked` (`query` of our request to sign out): `url` of its answer
- `left` (`query` of our answer): nothing but an `error`, perhaps

What it refuses is answered by `error`.
"""

# mypy: ignore-errors
import json
import sys
from urllib.parse import parse_qsl, urlsplit

from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser

POST, REDIRECT = (f"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-{name}" for name in ("POST", "Redirect"))
SHA256, DIGEST = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


class Party:
    """One service provider, and the request that it waits to be answered."""

    def __init__(self, config):
        self.config = config
        self.encrypted = self.name_encrypted = False
        self.asked_by = None

    def settings(self):
        """As strict as it can be."""
        own = self.config
        settings = {
            "strict": True,
            "sp": {
                "entityId": own["entity_id"],
                "assertionConsumerService": {"url": own["acs"], "binding": POST},
                "singleLogoutService": {"url": own["slo"], "binding": REDIRECT},
                "NameIDFormat": PERSISTENT,
                "x509cert": own["certificate"],
                "privateKey": own["key"],
            },
            "security": {
                "authnRequestsSigned": True,
                "logoutRequestSigned": True,
                "logoutResponseSigned": True,
                "wantAssertionsSigned": True,
                "wantAssertionsEncrypted": self.encrypted,
                "wantNameIdEncrypted": self.name_encrypted,
                "nameIdEncrypted": self.name_encrypted,
                "requestedAuthnContext": False,
                "rejectDeprecatedAlgorithm": True,
                "signatureAlgorithm": SHA256,
                "digestAlgorithm": DIGEST,
            },
        }
        idp = OneLogin_Saml2_IdPMetadataParser.parse(own["idp"], required_sso_binding=REDIRECT)
        return OneLogin_Saml2_IdPMetadataParser.merge_settings(settings, idp)

    def auth(self, **data):
        """For one request of a browser at the consumer's address."""
        url = urlsplit(self.config["acs"])
        asked = {"https": "on", "http_host": url.hostname, "script_name": url.path, "get_data": {}, "post_data": {}}
        return OneLogin_Saml2_Auth({**asked, **data}, self.settings())

    def metadata(self, encrypted=False, name_encrypted=False):
        """See above."""
        self.encrypted, self.name_encrypted = encrypted, name_encrypted
        return {"metadata": self.auth().get_settings().get_sp_metadata().decode()}

    def request(self, relay_state="", force=False):
        """See above."""
        auth = self.auth()
        url = auth.login(return_to=relay_state or None, force_authn=force)
        self.asked_by = auth.get_last_request_id()
        return {"url": url}

    def response(self, fields, asked=True):
        """See above."""
        auth = self.auth(post_data=fields)
        auth.process_response(request_id=self.asked_by if asked else None)
        if auth.get_errors() or not auth.is_authenticated():
            return {"error": f"{auth.get_errors()}: {auth.get_last_error_reason()}"}
        self.signed_in = auth
        return {
            "name_id": auth.get_nameid(),
            "name_id_format": auth.get_nameid_format(),
            "session_index": auth.get_session_index(),
            "attributes": auth.get_attributes(),
            "relay_state": fields.get("RelayState", ""),
        }

    def leave(self):
        """See above."""
        auth, known = self.auth(), self.signed_in
        url = auth.logout(
            name_id=known.get_nameid(),
            session_index=known.get_session_index(),
            name_id_format=known.get_nameid_format(),
            spnq=known.get_nameid_spnq(),
        )
        self.asked_by = auth.get_last_request_id()
        return {"url": url}

    def asked(self, query):
        """See above."""
        auth = self.slo(query)
        url = auth.process_slo(keep_local_session=True)
        return {"url": url} if not auth.get_errors() else {"error": auth.get_last_error_reason()}

    def left(self, query):
        """See above."""
        auth = self.slo(query)
        auth.process_slo(keep_local_session=True, request_id=self.asked_by)
        return {} if not auth.get_errors() else {"error": f"{auth.get_errors()}: {auth.get_last_error_reason()}"}

    def slo(self, query):
        """For a request of a browser at the address for logout."""
        return self.auth(script_name=urlsplit(self.config["slo"]).path, get_data=dict(parse_qsl(query)))


def main():
    """Until there are no more questions."""
    party = Party(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(getattr(party, question.pop("do"))(**question)), flush=True)


if __name__ == "__main__":
    main()
