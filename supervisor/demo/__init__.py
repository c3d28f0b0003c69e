"""`taskpass demo`: the whole idea in a minute, with an agent and an API of its own."""
