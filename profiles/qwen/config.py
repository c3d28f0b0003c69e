"""The private QWEN_HOME that a supervised Qwen Code runs with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from profiles import private_home
from profiles.files import read_settings
from supervisor.errors import LaunchFailed

_SYSTEM = "/etc/qwen-code/settings.json"
_EVENTS: Mapping[str, bool] = {
    "PreToolUse": True, "PostToolUse": True, "PostToolUseFailure": True, "UserPromptSubmit": False,
    "Stop": False, "SubagentStop": False, "Notification": False, "SessionEnd": False,
}  # fmt: skip
_COPIED = ("oauth_creds.json", "QWEN.md", "trustedFolders.json", "installation_id", ".env")


def hooks(script: str, hook_url: str, hook_timeout: int) -> dict[str, Any]:
    """The `hooks` table."""
    return private_home.hooks(_EVENTS, "PreToolUse", script, hook_url, hook_timeout)


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
    """Make the private home, with our hooks in the place of the person's; its settings.

    Raises:
        ConfigError: the person's settings cannot be used.
        LaunchFailed: something cannot be made.
    """
    own = read_settings(Path(person, "settings.json"), "Qwen Code")
    settings = {
        **private_home.with_general(own, enableAutoUpdate=False),
        "disableAllHooks": False,
        "hooks": dict(hook_table),
    }
    return private_home.lay_out(home, person, settings, _COPIED, folders)
