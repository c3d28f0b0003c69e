"""Cursor's command line agent: hooks of its managed configuration, shown in the container alone."""
