"""The way of a call in its parts; `core.py` has the order."""
