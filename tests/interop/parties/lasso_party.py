"""A SAML service provider by Lasso, in lines of JSON. Run by the system's Python, which has Lasso's module.

The first line has `metadata`, `key` and `certificate` of the party, and `idp`, the identity provider's metadata with its
entity ID `idp_entity`. Each line after it is a question with `do`, and gets a line:

- `metadata`: `metadata`, its own
- `request` (`binding`: `redirect` or `post`; `relay_state`, `name_id_format`, `force`): `url`, and by post `fields`
- `response` (`fields` of the form that came): `name_id`, `name_id_format`, `session_index`, `attributes`, `relay_state`
- `leave` (`encrypted`: the cipher of its name, `aes-128` or `aes-256`; none: it is not encrypted): `url` of a request to
  sign out
- `asked` (`query` of our request to sign out): `url` of its answer
- `left` (`query` of our answer): nothing but an `error`, perhaps

What Lasso refuses is answered by `error`.
"""

# mypy: ignore-errors
import json
import sys

import lasso

SYMMETRIC = {"aes-128": lasso.ENCRYPTION_SYM_KEY_TYPE_AES_128, "aes-256": lasso.ENCRYPTION_SYM_KEY_TYPE_AES_256}
METHODS = {"redirect": lasso.HTTP_METHOD_REDIRECT, "post": lasso.HTTP_METHOD_POST}


class Party:
    """One service provider, and the request that it waits to be answered."""

    def __init__(self, config):
        self.idp, self.own = config["idp_entity"], config["metadata"]
        self.server = lasso.Server.newFromBuffers(config["metadata"], config["key"], None, config["certificate"])
        self.server.signatureMethod = lasso.SIGNATURE_METHOD_RSA_SHA256
        self.server.setEncryptionPrivateKey(config["key"])
        self.server.addProviderFromBuffer(lasso.PROVIDER_ROLE_IDP, config["idp"], None, None)
        self.login = lasso.Login(self.server)

    def metadata(self, encrypted=False, name_encrypted=False):
        """See above. It takes assertions and names that are encrypted, and others."""
        return {"metadata": self.own}

    def request(self, binding="redirect", relay_state="", name_id_format="", force=False):
        """See above."""
        self.login = login = lasso.Login(self.server)
        login.initAuthnRequest(self.idp, METHODS[binding])
        login.request.nameIdPolicy.format = name_id_format or None
        login.request.nameIdPolicy.allowCreate = True
        login.request.protocolBinding = lasso.SAML2_METADATA_BINDING_POST
        login.request.forceAuthn = force
        login.msgRelayState = relay_state or None
        login.buildAuthnRequestMsg()
        if binding == "redirect":
            return {"url": login.msgUrl}
        fields = {"SAMLRequest": login.msgBody, **({"RelayState": relay_state} if relay_state else {})}
        return {"url": login.msgUrl, "fields": fields}

    def response(self, fields):
        """See above."""
        login = self.login
        login.processAuthnResponseMsg(fields["SAMLResponse"])
        login.acceptSso()
        assertion = login.assertion
        attributes = {}
        for statement in assertion.attributeStatement:
            for attribute in statement.attribute:
                values = [value.any[0].content for value in attribute.attributeValue]
                attributes.setdefault(attribute.name, []).extend(values)
        return {
            "name_id": login.nameIdentifier.content,
            "name_id_format": login.nameIdentifier.format,
            "session_index": assertion.authnStatement[0].sessionIndex,
            "attributes": attributes,
            "relay_state": fields.get("RelayState", ""),
        }

    def logout(self):
        """With the session that it has."""
        logout = lasso.Logout(self.server)
        logout.setSessionFromDump(self.login.session.dump())
        logout.setIdentityFromDump(self.login.identity.dump())
        return logout

    def leave(self, encrypted=""):
        """See above. Lasso has CBC alone."""
        if encrypted:
            idp = self.server.providers[self.idp]
            idp.setEncryptionMode(lasso.ENCRYPTION_MODE_NAMEID)
            idp.setEncryptionSymKeyType(SYMMETRIC[encrypted])
        self.leaving = self.logout()
        self.leaving.initRequest(self.idp, lasso.HTTP_METHOD_REDIRECT)
        self.leaving.buildRequestMsg()
        return {"url": self.leaving.msgUrl}

    def asked(self, query):
        """See above."""
        logout = self.logout()
        logout.processRequestMsg(query)
        logout.validateRequest()
        logout.buildResponseMsg()
        return {"url": logout.msgUrl}

    def left(self, query):
        """See above."""
        self.leaving.processResponseMsg(query)
        return {}


def main():
    """Until there are no more questions."""
    party = Party(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = getattr(party, question.pop("do"))(**question)
        except lasso.Error as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
