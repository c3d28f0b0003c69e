"""Authority that tasks hold, and its end."""
