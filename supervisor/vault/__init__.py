"""Secrets at rest, their stand-ins, and how secrets are kept out of what we write."""
