"""Our own MCP gateway as the agent of a task: the client behind it has no other way in."""
