"""The SAML identity provider."""
