"""Copilot CLI: HTTP hooks of its root process, in a private COPILOT_HOME."""
