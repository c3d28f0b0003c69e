"""The gateway's front for remote clients: an OAuth 2.1 resource and authorization server.

It holds no key and no secret of the person's. A client that is authorised gets a task of its own,
started as any other and entered through its standard input and output; a token is only worth as
much as that task: it ends with it.
"""
