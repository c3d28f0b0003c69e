"""Telling a person that something waits for them. It informs: no notification is ever an answer."""
