"""The engine: identity, decisions, grants, delivery, revocation. Knows no screen."""
