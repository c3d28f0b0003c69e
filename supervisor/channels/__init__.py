"""Channels carry credentials to uses. Each is given an `Authorize`; none imports `core`."""
