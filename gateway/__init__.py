"""Sign-in from the cloud against an on-premises directory: agent, relay, sign-in page, store."""
