"""What every package may use: XML from outside, SAML and WS-Trust, Microsoft Graph, procedures. It knows no AD FS farm."""
