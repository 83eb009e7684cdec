"""Single logout (saml-profiles-2.0-os section 4.4): a session has ended, and the parties in it are told.

LogoutRequest of a party ─┐
sign-out on our pages ────┴─► session gone ─► told by SOAP and back channel, at once ─► told by the browser, one by one
                                                                                                      │
                                                           LogoutResponse to the party, or a page ◄───┘

subjects      how a party knows the person: kept with the session
checks        what a LogoutRequest has to be, and whom it means: pure
messages      LogoutRequests and LogoutResponses of our own
soap          parties that are told without a browser
trail         what the audit trail says of it
chains        parties that the browser tells: what is left to do stands sealed in the address
"""
