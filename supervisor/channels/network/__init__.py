"""The network inside a contained task: its name service, what it was refused, and its doors."""
