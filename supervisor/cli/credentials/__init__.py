"""The verbs of `taskpass credential`: one module each, imported when it is called."""

from __future__ import annotations

# verb → (module of this package, what it is for)
VERBS = {
    "add": ("add", "lend a credential to tasks, by use"),
    "signin": ("signin", "sign in at an OAuth provider, and lend tokens of that"),
    "list": ("listing", "what tasks may be lent"),
    "test": ("test", "one harmless request with it; says what came back"),
    "rotate": ("rotate", "replace its secret; what is lent of the old one ends"),
    "remove": ("remove", "end what is lent of it, and forget it"),
    "protect": ("protect", "where secrets are kept: keyring, passphrase or file-key"),
    "kinds": ("kinds", "issuers and channels: scope, lifetime, how and how soon each ends"),
    "live": ("live", "what is lent now, and what is not confirmed dead"),
    "jwks": ("jwks", "public keys for who verifies local-jwt tokens (RFC 7517)"),
}
