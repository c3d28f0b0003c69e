"""Whether git tracks a file, or did: what is in its history is out of anybody's hands."""

from __future__ import annotations

import os
import subprocess
from enum import Enum
from pathlib import Path

_PATIENCE = 5.0  # seconds to look through the history
# None of the repository's settings may start a program or reach a network.
_ENVIRON = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class Tracked(Enum):
    NO = "no"
    NOW = "now"
    ONCE = "once"  # not now, but some commit holds it
    UNKNOWN = "unknown"


def tracked(path: str) -> Tracked:
    """What git knows of `path`. Blocking; UNKNOWN where there is a repository but no answer."""
    folder, name = os.path.split(path)
    if not any(os.path.lexists(above / ".git") for above in (Path(folder), *Path(folder).parents)):
        return Tracked.NO
    listed = _git(folder, "ls-files", "-z", "--", f":(literal){name}")
    if listed is None:
        return Tracked.UNKNOWN
    if listed:
        return Tracked.NOW
    found = _git(folder, "rev-list", "--all", "--max-count=1", "--", f":(literal){name}")
    if found is None:
        return Tracked.UNKNOWN
    return Tracked.ONCE if found else Tracked.NO


def _git(folder: str, *words: str) -> bytes | None:
    harmless = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    try:
        done = subprocess.run(
            ["git", *harmless, "--no-replace-objects", *words],
            cwd=folder,
            env=_ENVIRON | {"PATH": os.environ.get("PATH", os.defpath)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
