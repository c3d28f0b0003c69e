"""Plays the daemon for one task, as whatever account runs it; prints what happened as JSON.

Run as a program with a scenario's name and a JSON object of settings. It is a program because
tests run it under several accounts; it imports nothing but the standard library and `supervisor`.
"""
