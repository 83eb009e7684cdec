"""AD FS farms, looked after from any workstation: certificate rollover, new servers, the trust with Entra ID.

What belongs here: everything that knows AD FS. Rooms, from the bottom: `remoting` runs commands on Windows hosts,
`farm` reads what is there, `rollover`, `deploy` and `trust` change it, `health` judges it.
"""
