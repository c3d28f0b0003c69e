"""The life of a task: where it starts, what it is fitted with, what holds it, how it ends."""
