"""How a person hands over a secret: at a prompt or on stdin, never in argv."""

from __future__ import annotations

import getpass
import sys

from supervisor.errors import UsageError


def read_secret(name: str, *, lines: bool = False) -> str:
    """The secret of credential `name`.

    Args:
        lines: it may have several lines, as a private key has.

    Raises:
        UsageError: it is empty, or no header can carry it.
    """
    if sys.stdin.isatty() and not lines:
        secret = getpass.getpass(f"Secret for {name} (not shown): ")
    else:
        if sys.stdin.isatty():
            print(f"Paste the key for {name}, then press Ctrl-D:", file=sys.stderr)
        secret = sys.stdin.read().removesuffix("\n")
    if not secret:
        raise UsageError("The secret is empty; nothing was changed.")
    if not lines and any(ord(character) < 33 or ord(character) == 127 for character in secret):
        raise UsageError(
            "The secret holds spaces or control characters, which no header can carry.",
            hint="Give the token alone, on one line.",
        )
    return secret
