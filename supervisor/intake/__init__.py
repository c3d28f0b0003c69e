"""Where calls are announced."""
