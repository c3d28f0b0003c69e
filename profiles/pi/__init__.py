"""pi: an extension in its own process announces its calls."""
