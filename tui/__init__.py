"""The Textual app: a client of the supervisor, and nothing more."""
