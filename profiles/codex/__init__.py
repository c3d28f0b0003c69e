"""Codex: command hooks that exit 2 on any failure, in a private CODEX_HOME."""
