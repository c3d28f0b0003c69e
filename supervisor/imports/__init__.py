"""Secrets out of a project's `.env` into the vault: what is where, what moves, what stays."""
