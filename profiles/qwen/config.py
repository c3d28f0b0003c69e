"""The private QWEN_HOME that a supervised Qwen Code runs with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import private_home, settings_files
from profiles.settings_files import Files
from profiles.tables import with_hooks
from supervisor.errors import LaunchFailed
from supervisor.protocol import binding

SYSTEM = Path("/etc/qwen-code/settings.json")  # which win over all others
_EVENTS: Mapping[str, bool] = {
    "PreToolUse": True, "PostToolUse": True, "PostToolUseFailure": True, "UserPromptSubmit": False,
    "Stop": False, "SubagentStop": False, "Notification": False, "SessionEnd": False,
}  # fmt: skip
# It would put words into a command after that was judged.
_AS_JUDGED = {"gitCoAuthor": {"commit": False, "pr": False}}
_COPIED = ("oauth_creds.json", "QWEN.md", "trustedFolders.json", "installation_id", ".env")


def hooks(script: str, hook_url: str, hook_timeout: int) -> dict[str, Any]:
    """The `hooks` table."""
    return private_home.hooks(_EVENTS, "PreToolUse", script, hook_url, hook_timeout)


def read(person: str, cwd: str) -> Files:
    """What it would read. Raises ConfigError: one of its files cannot be used."""
    return settings_files.read(
        Path(person, "settings.json"), Path(cwd, ".qwen/settings.json"), SYSTEM, "Qwen Code"
    )


def refuse_without_hooks(found: Files) -> None:
    """Refuse a start in which no call would be announced: some settings win over the person's.

    Raises:
        LaunchFailed: names the file that switches hooks off.
    """
    for file in (found.project, found.machine):
        if file.settings.get("disableAllHooks"):
            raise LaunchFailed(
                f"{file.path} switches hooks off, and they announce Qwen Code's calls.",
                hint="Take disableAllHooks out of it.",
            )


def user_settings(own: Mapping[str, Any], hook_table: Mapping[str, Any]) -> dict[str, Any]:
    """The person's settings with our hooks in the place of theirs."""
    return {
        **private_home.with_general(own, enableAutoUpdate=False, **_AS_JUDGED),
        "disableAllHooks": False,
        "hooks": dict(hook_table),
        "mcpServers": {},  # ours are on the command line
    }


def system_settings(machines: Mapping[str, Any], hook_table: Mapping[str, Any]) -> dict[str, Any]:
    """The machine's own settings with our hooks, for the task's own view of the machine.

    What Qwen Code finds in several settings it runs once.
    """
    return {
        **private_home.with_general(machines, **_AS_JUDGED),
        "disableAllHooks": False,
        "hooks": with_hooks(machines.get("hooks"), hook_table),
    }


def lay_out(home: Path, person: str, folders: Iterable[str], settings: Mapping[str, Any]) -> Path:
    """Make the private home; its settings. Raises LaunchFailed."""
    return private_home.lay_out(home, person, settings, _COPIED, folders)


def tools_environment(secrets: Sequence[str]) -> str:
    """What each shell of a tool reads first (`BASH_ENV`).

    Our hook cannot put anything before a command, so the shell asks for it.
    """
    return f"unset BASH_ENV {' '.join(secrets)}\n{binding.asking()}"
