"""Runs the command that looks a secret up: outside every task, with an environment of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Mapping, Sequence

from supervisor.errors import IssuerFailed
from supervisor.ports import Secret
from supervisor.vault.limits import LONGEST, SHORTEST

PATIENCE = 15.0  # seconds; some ask the person for a finger first
_MOST = 64 * 1024  # bytes of output read, to tell what is far too much from what is a little

# All of the supervisor's own environment that it may see.
_PASSED = (
    "HOME", "PATH", "LANG", "LC_ALL", "USER", "LOGNAME", "TMPDIR",
    "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)  # fmt: skip


async def look_up(
    argv: Sequence[str], told: Mapping[str, str], *, patience: float = PATIENCE
) -> Secret:
    """What the command prints: one line of `SHORTEST` to `LONGEST` characters.

    Raises:
        IssuerFailed: it cannot be run, fails, hangs, or prints something else. Nothing it
            printed is repeated.
    """
    shown = shlex.join((os.path.basename(argv[0]), *argv[1:]))
    environ = {name: os.environ[name] for name in _PASSED if name in os.environ} | dict(told)
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environ,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise IssuerFailed(
            f"`{shown}` cannot be run: {error.strerror}.", hint="Is it still installed?"
        ) from None
    assert child.stdout is not None
    try:
        async with asyncio.timeout(patience):
            text = await child.stdout.read(_MOST)
            while len(text) < _MOST and (more := await child.stdout.read(_MOST - len(text))):
                text += more
            if len(text) >= _MOST:
                raise _odd(shown, "prints far more than a secret")
            code = await child.wait()
    except TimeoutError:
        raise IssuerFailed(
            f"`{shown}` did not end within {patience:.0f} s.",
            hint="Run it in a terminal: does it ask for something?",
        ) from None
    finally:
        # It has a group of its own; what it left behind ends with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
    if code != 0:
        raise IssuerFailed(
            f"`{shown}` ended with {code}.", hint="Run it in a terminal to see what it says."
        )
    return _secret(text, shown)


def _secret(text: bytes, shown: str) -> Secret:
    line = text.removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" in line or b"\r" in line:
        raise _odd(shown, "prints more than one line")
    if not SHORTEST <= len(line) <= LONGEST:
        raise _odd(shown, f"prints {len(line)} characters, not {SHORTEST} to {LONGEST}")
    if not all(0x20 < byte < 0x7F for byte in line):
        raise _odd(shown, "prints what no header can carry")
    return Secret(line.decode("ascii"))


def _odd(shown: str, what: str) -> IssuerFailed:
    return IssuerFailed(f"`{shown}` {what}.", hint="It must print the secret and nothing else.")
