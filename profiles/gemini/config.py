"""The settings that a supervised Gemini CLI runs with, and its private home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import private_home, settings_files
from profiles.settings_files import Files
from profiles.tables import table
from supervisor.errors import LaunchFailed

_SYSTEM = "/etc/gemini-cli/settings.json"
_EVENTS: Mapping[str, bool] = {
    "BeforeTool": True, "AfterTool": True, "BeforeAgent": False, "AfterAgent": False,
    "Notification": False, "SessionEnd": False,
}  # fmt: skip
_COPIED = (
    "oauth_creds.json", "google_accounts.json", "gemini-credentials.json",
    "installation_id", "trustedFolders.json", "GEMINI.md", "keybindings.json",
)  # fmt: skip


def hooks(script: str, hook_url: str, hook_timeout: int) -> dict[str, Any]:
    """The `hooks` table."""
    return private_home.hooks(_EVENTS, "BeforeTool", script, hook_url, hook_timeout)


def user_settings(
    own: Mapping[str, Any], hook_table: Mapping[str, Any], servers: Mapping[str, Any]
) -> dict[str, Any]:
    """The person's settings with our hooks, and MCP servers, in the place of theirs."""
    return {
        **private_home.with_general(own, enableAutoUpdate=False, disableAutoUpdate=True),
        "hooksConfig": {"enabled": True},
        "hooks": dict(hook_table),
        "mcpServers": dict(servers),
    }


def read(person: str, cwd: str, environ: Mapping[str, str]) -> Files:
    """What it would read. Raises ConfigError: one of its files cannot be used."""
    system = environ.get("GEMINI_CLI_SYSTEM_SETTINGS_PATH") or _SYSTEM
    return settings_files.read(
        Path(person, "settings.json"), Path(cwd, ".gemini/settings.json"), Path(system), "Gemini"
    )


def refuse_other_hooks(found: Files) -> None:
    """Refuse a start in which our hooks would not have the last word on every call.

    Some settings win over the person's, where ours stand: they could switch hooks off. System
    settings of our own would win over all, but Gemini takes only root's. And a project's own
    hooks are asked after ours, of whose arguments those that came last count.

    Raises:
        LaunchFailed: names the file.
    """
    for file in (found.project, found.machine):
        if table(file.settings.get("hooksConfig")).get("enabled", True) is not True:
            raise LaunchFailed(
                f"{file.path} switches hooks off, and they announce Gemini's calls.",
                hint="Take hooksConfig.enabled out of it.",
            )
    if table(found.project.settings.get("hooks")).get("BeforeTool"):
        raise LaunchFailed(
            f"{found.project.path} has BeforeTool hooks, which could change a call after it was "
            "judged.",
            hint="Take hooks.BeforeTool out of it.",
        )


def lay_out(home: Path, person: str, folders: Iterable[str], settings: Mapping[str, Any]) -> Path:
    """Make the private `.gemini`; its settings. Raises LaunchFailed."""
    return private_home.lay_out(home / ".gemini", person, settings, _COPIED, folders)


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
