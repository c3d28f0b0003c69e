"""The private QWEN_HOME that a supervised Qwen Code runs with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from profiles.files import (
    hook_command,
    link,
    own_limit,
    private_folder,
    read_settings,
    write_private,
)
from supervisor.errors import LaunchFailed

_SYSTEM = "/etc/qwen-code/settings.json"
# Event → whether it names tools.
_EVENTS: Mapping[str, bool] = {
    "PreToolUse": True, "PostToolUse": True, "PostToolUseFailure": True, "UserPromptSubmit": False,
    "Stop": False, "SubagentStop": False, "Notification": False, "SessionEnd": False,
}  # fmt: skip
# Only reports: the agent must not hang on them.
_REPORT_TIMEOUT = 15  # seconds
_COPIED = ("oauth_creds.json", "QWEN.md", "trustedFolders.json", "installation_id", ".env")


def hooks(script: str, hook_url: str, hook_timeout: int) -> dict[str, Any]:
    """The `hooks` table: one command for each event. Its timeouts are in milliseconds."""
    table: dict[str, Any] = {}
    for event, tools in _EVENTS.items():
        timeout = hook_timeout if event == "PreToolUse" else _REPORT_TIMEOUT
        command = hook_command(script, hook_url, event, own_limit(timeout))
        group: dict[str, Any] = {
            "hooks": [{"type": "command", "command": command, "timeout": timeout * 1000}]
        }
        table[event] = [{"matcher": ".*", **group} if tools else group]
    return table


def refuse_without_hooks(cwd: str) -> None:
    """Refuse a start in which no call would be announced: some settings win over the person's.

    Raises:
        LaunchFailed: names the file that switches hooks off.
    """
    for file in (Path(cwd, ".qwen/settings.json"), Path(_SYSTEM)):
        if read_settings(file, "Qwen Code").get("disableAllHooks"):
            raise LaunchFailed(
                f"{file} switches hooks off, and they announce Qwen Code's calls.",
                hint="Take disableAllHooks out of it.",
            )


def lay_out(home: Path, person: str, folders: Iterable[str], hook_table: Mapping[str, Any]) -> Path:
    """Make the private home: copies of the person's files, links to their folders.

    Returns:
        Its settings, with our hooks in the place of the person's.

    Raises:
        ConfigError: the person's settings cannot be used.
        LaunchFailed: something cannot be made.
    """
    own = read_settings(Path(person, "settings.json"), "Qwen Code")
    general = own.get("general")
    settings = {
        **own,
        "general": {**(general if isinstance(general, dict) else {}), "enableAutoUpdate": False},
        "disableAllHooks": False,
        "hooks": dict(hook_table),
    }
    private_folder(home)
    write_private(home / "settings.json", json.dumps(settings, indent=1))
    for name in _COPIED:
        try:
            text = Path(person, name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # Qwen itself says what is wrong with it
        write_private(home / name, text)
    for name in folders:
        if os.path.isdir(os.path.join(person, name)):
            link(home / name, os.path.join(person, name))
    return home / "settings.json"
