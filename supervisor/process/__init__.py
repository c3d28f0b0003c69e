"""Processes of a task: containment, the holder, its tree, its terminal."""
