"""What Codex must keep to on this machine, with our hooks in it, for the task's own view of it.

Requirements win over every configuration and over the command line: with them no option and no
settings file takes our hooks away, and no other hook runs (seen with 0.169.0; its documentation:
developers.openai.com/codex/enterprise/managed-configuration).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from profiles.tables import table, with_hooks

FILE = Path("/etc/codex/requirements.toml")


def required(
    machines: Mapping[str, Any], hook_table: Mapping[str, Any], scripts: str
) -> dict[str, Any]:
    """The machine's own requirements, which all hold further, and our hooks as required ones. Pure.

    Args:
        hook_table: as in our configuration; its trust is not needed here.
        scripts: the directory with our hook's script.
    """
    ours = {event: groups for event, groups in hook_table.items() if event != "state"}
    return {
        **machines,
        "allow_managed_hooks_only": True,
        "features": {**table(machines.get("features")), "hooks": True},
        "hooks": {"managed_dir": scripts, **with_hooks(machines.get("hooks"), ours)},
    }
