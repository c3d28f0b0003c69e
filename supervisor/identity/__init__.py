"""Evidence for user, agent, runtime and task, and for who is at the other end."""
