"""Claude Code: HTTP hooks that block when they fail."""
