"""The agents: their connections, who is asked, who is enrolled, and who lies."""
