"""Between an ACP client and its agent, inside the agent's task: it answers for the person."""
