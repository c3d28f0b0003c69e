"""OAuth 2 and OpenID Connect as a client: the protocol's messages, and nothing of ours."""
