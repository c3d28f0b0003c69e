"""How a shell speaks to its task's proxy about the call that it was started for.

Two exchanges, each the first bytes of a connection of its own: it asks what its command begins
with (`ASK`, answered with bash text up to the end of the connection; none for the shell of no
call), and it binds itself to its call (`BIND`, the call's handle and a line break; answered `BOUND`
or `NOT_BOUND`).
"""

from __future__ import annotations

BIND = b"TASKPASS-BIND "
BOUND, NOT_BOUND = b"ok\n", b"no\n"
ASK = b"TASKPASS-SHELL\n"

_PATIENCE = 60  # seconds that a shell waits for an answer


def asking() -> str:
    """Text for bash (4.0 or later) that asks, and does what it is told.

    It finds the proxy by the agent's own `https_proxy`. Told nothing, it is no call's, and what it
    runs gets no credential.
    """
    return (
        "TASKPASS_PREFIX=\n"
        f"{{ printf '%s\\n' {_word(ASK)} >&9 && "
        f"IFS= read -r -d '' -t {_PATIENCE} TASKPASS_PREFIX <&9; }} "
        '2>/dev/null 9<>"/dev/tcp/127.0.0.1/${https_proxy##*:}"\n'
        'eval "unset TASKPASS_PREFIX; $TASKPASS_PREFIX"\n'
    )


def binds(handle: str, port: int) -> str:
    """A condition for bash: this shell is bound to its call.

    Args:
        handle: a word of bash.
        port: of the proxy.
    """
    return (
        f"{{ printf '{_word(BIND)} %s\\n' {handle} >&9 && "
        f"IFS= read -r -t {_PATIENCE} TASKPASS_BOUND <&9 && "
        f'[ "$TASKPASS_BOUND" = {_word(BOUND)} ]; }} '
        f"2>/dev/null 9<>/dev/tcp/127.0.0.1/{port}"
    )


def _word(told: bytes) -> str:
    return told.decode().strip()
