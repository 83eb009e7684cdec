"""AD FS farms, looked after from any workstation: certificate rollover, new servers, the trust with Entra ID.

What belongs here: everything that knows AD FS. Packages, from the bottom: `remoting` runs commands on Windows hosts,
`farm` reads what is there, `trust` what Entra ID knows of it, `procedures` change both, `health` judges, `operations` is
what commands, timers and portals call.
"""
