"""An agent that runs in a container or sandbox elsewhere: our relay stands for it here."""
