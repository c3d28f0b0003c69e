"""OpenClaw: a plugin in its own process announces its calls."""
