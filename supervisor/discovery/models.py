"""Whether an agent is logged in to its model: a log-in that stays the agent's own.

Sources: Claude Code's documentation, "Credential management" (`~/.claude/.credentials.json` on
Linux, CLAUDE_CONFIG_DIR), Codex's documentation, "Authentication" (`auth.json` in CODEX_HOME).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from supervisor.discovery.found import Place

# Profile → variable that names the agent's directory, the directory below the home, the file in it.
_FILES = {
    "claude-code": ("CLAUDE_CONFIG_DIR", ".claude", ".credentials.json"),
    "codex": ("CODEX_HOME", ".codex", "auth.json"),
}


def logged_in(place: Place, profile: str, variables: Sequence[str]) -> str:
    """In words, by what; "" where nothing is seen.

    Args:
        variables: names of those that may carry the log-in.
    """
    if profile in _FILES:
        variable, folder, name = _FILES[profile]
        if os.path.isfile(os.path.join(place.named(variable, folder), name)):
            return "logged in"
    return "key in the environment" if any(place.environ.get(each) for each in variables) else ""
