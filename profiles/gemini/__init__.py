"""Gemini CLI: command hooks in the settings of a private home."""
