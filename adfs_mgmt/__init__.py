"""AD FS farms: certificate rollover, new servers, the trust with Entra ID. Not built yet."""
