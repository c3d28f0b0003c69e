"""The scripted agent of `taskpass demo`: hooks as Claude Code has them, and no model."""
