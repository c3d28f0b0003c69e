"""The MCP gateway: a server between MCP clients and the MCP servers that a person lists.

`serve` runs in a task and is all of its agent: it starts or reaches one server, announces each
call, and passes on what is allowed. `front` stands outside and speaks to remote clients: one task
for each of them. Both are on the official SDK, which is loaded here and nowhere else.
"""
