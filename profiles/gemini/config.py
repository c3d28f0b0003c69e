"""The settings that a supervised Gemini CLI runs with, and its private home."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import private_home
from profiles.files import read_settings
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


def refuse_changing_hooks(cwd: str) -> None:
    """Refuse a project whose own hooks would have the last word on what a call does.

    Gemini asks them after ours, of the person's settings, and the arguments that came last count.

    Raises:
        ConfigError: its settings cannot be used.
        LaunchFailed: names the file.
    """
    file = Path(cwd, ".gemini/settings.json")
    own = read_settings(file, "Gemini").get("hooks")
    if isinstance(own, dict) and own.get("BeforeTool"):
        raise LaunchFailed(
            f"{file} has BeforeTool hooks, which could change a call after it was judged.",
            hint="Take hooks.BeforeTool out of it.",
        )


def persons(person: str) -> dict[str, Any]:
    """The person's own settings. Raises ConfigError: they cannot be used."""
    return read_settings(Path(person, "settings.json"), "Gemini")


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
