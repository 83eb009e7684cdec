"""What every package may use: XML from outside, SAML, Microsoft Graph, procedures, times. It knows no AD FS farm."""
