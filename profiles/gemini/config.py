"""The settings that a supervised Gemini CLI runs with, and its private home."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
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

_SYSTEM = "/etc/gemini-cli/settings.json"
# Event → whether it names tools.
_EVENTS: Mapping[str, bool] = {
    "BeforeTool": True, "AfterTool": True, "BeforeAgent": False, "AfterAgent": False,
    "Notification": False, "SessionEnd": False,
}  # fmt: skip
# Only reports: the agent must not hang on them.
_REPORT_TIMEOUT = 15  # seconds
_COPIED = (
    "oauth_creds.json", "google_accounts.json", "gemini-credentials.json",
    "installation_id", "trustedFolders.json", "GEMINI.md", "keybindings.json",
)  # fmt: skip


def hooks(script: str, hook_url: str, hook_timeout: int) -> dict[str, Any]:
    """The `hooks` table: one command for each event. Its timeouts are in milliseconds."""
    table: dict[str, Any] = {}
    for event, tools in _EVENTS.items():
        timeout = hook_timeout if event == "BeforeTool" else _REPORT_TIMEOUT
        command = hook_command(script, hook_url, event, own_limit(timeout))
        group: dict[str, Any] = {
            "hooks": [{"type": "command", "command": command, "timeout": timeout * 1000}]
        }
        table[event] = [{"matcher": ".*", **group} if tools else group]
    return table


def user_settings(own: Mapping[str, Any], hook_table: Mapping[str, Any]) -> dict[str, Any]:
    """The person's settings with our hooks in the place of theirs."""
    general = own.get("general")
    return {
        **own,
        "general": {
            **(general if isinstance(general, dict) else {}),
            "enableAutoUpdate": False, "disableAutoUpdate": True,
        },
        "hooksConfig": {"enabled": True},
        "hooks": dict(hook_table),
    }  # fmt: skip


def refuse_without_hooks(environ: Mapping[str, str], cwd: str) -> None:
    """Refuse a start in which no call would be announced: some settings win over the person's.

    System settings of our own would win over all, but Gemini takes only root's.

    Raises:
        LaunchFailed: names the file that switches hooks off.
    """
    system = environ.get("GEMINI_CLI_SYSTEM_SETTINGS_PATH") or _SYSTEM
    for file in (Path(cwd, ".gemini/settings.json"), Path(system)):
        switches = read_settings(file, "Gemini").get("hooksConfig")
        if isinstance(switches, dict) and switches.get("enabled", True) is not True:
            raise LaunchFailed(
                f"{file} switches hooks off, and they announce Gemini's calls.",
                hint="Take hooksConfig.enabled out of it.",
            )


def lay_out(home: Path, person: str, folders: Iterable[str], hook_table: Mapping[str, Any]) -> Path:
    """Make the private `.gemini`: copies of the person's files, links to their folders.

    Returns:
        Its settings.

    Raises:
        ConfigError: the person's settings cannot be used.
        LaunchFailed: something cannot be made.
    """
    own = home / ".gemini"
    settings = user_settings(read_settings(Path(person, "settings.json"), "Gemini"), hook_table)
    private_folder(own)
    write_private(own / "settings.json", json.dumps(settings, indent=1))
    for name in _COPIED:
        try:
            text = Path(person, name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # Gemini itself says what is wrong with it
        write_private(own / name, text)
    for name in folders:
        if os.path.isdir(os.path.join(person, name)):
            link(own / name, os.path.join(person, name))
    return own / "settings.json"


def tools_environment(secrets: Sequence[str]) -> str:
    """What each shell of a tool reads first (`BASH_ENV`).

    Gemini takes git's configuration away from its tools, ours too: it is as the agent has it.
    """
    return (
        f"unset BASH_ENV {' '.join(secrets)}\n"
        "while IFS= read -r -d '' TASKPASS_GIT; do\n"
        '    case $TASKPASS_GIT in GIT_*=*) export "$TASKPASS_GIT" ;; esac\n'
        'done < "/proc/$PPID/environ"\n'
        "unset TASKPASS_GIT\n"
    )
