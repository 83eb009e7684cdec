"""What every package may use: HTTP and XML from outside, SAML, Microsoft Graph, procedures, pseudonyms, times.

It knows no AD FS farm.
"""
