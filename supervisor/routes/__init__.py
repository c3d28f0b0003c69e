"""The API by subject; `api.py` has what all of it shares."""
