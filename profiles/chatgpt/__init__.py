"""ChatGPT: it runs elsewhere, and comes in through the MCP gateway."""
