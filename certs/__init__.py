"""X.509: keys, issuing CA, machine identity (enrol, renew), rollover policy and state machine, key stores."""
